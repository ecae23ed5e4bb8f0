"""Plans, runs, deaths, undos and colleagues in any order: see `machine`."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from machine import Runs


class RunsOnGraph(Runs):
    dialect = "graph"


class RunsOnCases(Runs):
    dialect = "cases"


_QUICK = settings(
    max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
)
_LONG = settings(_QUICK, max_examples=400, stateful_step_count=40)
MACHINES = (Runs, RunsOnCases, RunsOnGraph)


@pytest.mark.parametrize("machine", MACHINES)
def test_plans_runs_deaths_and_undos_in_any_order_leave_what_they_must(machine):
    run_state_machine_as_test(machine, settings=_QUICK)


@pytest.mark.soak
@pytest.mark.parametrize("machine", MACHINES)
def test_many_more_plans_runs_deaths_and_undos(machine):
    run_state_machine_as_test(machine, settings=_LONG)
