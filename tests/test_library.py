"""The library: the commands' own safety, from Python, and the page that shows it."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import vedette
from shell import Shell
from vedette import connect
from vedette.errors import Asked, BadCondition, BadPlan, BadSettings, Refused, Unknown
from vedette.library import Changes, Way
from vedette.plan.done import Outcome
from vedette.run.edits import Wanted
from vedette.run.steps import How
from vedette.store import runfile

PAGE = Path(__file__).parents[1] / "docs" / "library.md"
CELL = re.compile(r"^```python notebook( sync)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OPEN = 'Title has "phish" and Status == "New" and not(Owned)'

NOTEBOOK = """
import ast, asyncio, json, sys
async def run(cells):
    space = {"__name__": "__main__"}
    for cell in cells:
        code = compile(cell, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        told = eval(code, space)
        if told is not None:
            await told
asyncio.run(run(json.load(sys.stdin)))
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with the local world in it, and this process at home there."""
    shell = Shell(tmp_path)
    for name, value in shell.env.items():
        if name.startswith(("XDG_", "HOME")):
            monkeypatch.setenv(name, value)
    monkeypatch.delenv("VEDETTE_PROFILE", raising=False)
    monkeypatch.chdir(tmp_path)
    return shell


def did(job):
    async def go():
        async with connect("local") as soc:
            return await job(soc)

    return asyncio.run(go())


def test_asking_for_the_package_alone_brings_nothing():
    program = "import sys, vedette; print(*(n for n in sys.modules if n.startswith('vedette')))"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == ["vedette"]
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        vedette.nonsense  # noqa: B018 - asking is the test


def test_the_changes_are_those_of_the_command_line():
    assert Changes.__annotations__.keys() == set(Wanted.__struct_fields__)


def test_the_page_runs_from_top_to_bottom(here):
    found = CELL.findall(PAGE.read_text(encoding="utf-8"))
    assert [kind for kind, _ in found].count(" sync") == 1
    for cells in ([c for kind, c in found if not kind], [c for kind, c in found if kind]):
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-c", NOTEBOOK if len(cells) > 1 else cells[0]],
            input=json.dumps(cells),
            cwd=here.folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            check=False,
            text=True,
        )
        assert ran.returncode == 0, ran.stderr


def test_what_is_planned_here_is_applied_and_taken_back_here(here):
    async def job(soc):
        before = {one.key: one for one in await soc.list(OPEN)}
        plan = await soc.plan(where=OPEN, add_tag=["night", "phish"], comment="Seen.")
        assert len(plan.plan.steps) == len(before)
        done = (await soc.apply(plan)).done
        assert {step.outcome for step in done.steps} == {Outcome.WRITTEN}
        again = await soc.plan(where=OPEN, add_tag=["night", "phish"])
        assert not again.plan.steps
        said = [one.message for one in await soc.comments(done.steps[0].key)]
        assert said == ["Seen."]
        back = (await soc.undo(done.run)).done
        assert {step.outcome for step in back.steps} == {Outcome.WRITTEN}
        after = {one.key: one for one in await soc.list(OPEN)}
        assert {key: one.tags for key, one in before.items()} == {
            key: one.tags for key, one in after.items()
        }
        return [ran.header.kind for ran in soc.runs()]

    assert did(job) == ["undo", "apply"]


def test_a_rail_holds_a_plan_back_unless_it_is_named(here):
    async def job(soc):
        plan = await soc.plan(where='Status == "New"', close="und")
        with pytest.raises(Refused, match="nothing was written"):
            await soc.apply(plan)
        assert not soc.runs()
        return (await soc.apply(plan, allow="close=100%,high,owned,merged")).done

    assert {step.outcome for step in did(job).steps} == {Outcome.WRITTEN}


def test_a_plan_file_is_applied_and_its_run_is_left_beside_it(here):
    async def job(soc):
        made = await soc.plan(where=OPEN, severity="Low")
        here.folder.joinpath("plan.json").write_bytes(made.data)
        ended = await soc.apply("plan.json", digest=made.plan.digest)
        assert str(ended.run_file) == "plan.run.json"
        assert runfile.read(ended.run_file).run == ended.done.run
        # a finished run is told as it is
        return await soc.resume(ended.done.run) == await soc.resume()

    assert did(job)


def test_one_incident_is_commented_on_once(here):
    async def job(soc):
        key = (await soc.list(top=1)).incidents[0].key
        ended = await soc.comment(key, "Called them.")
        assert [step.outcome for step in ended.done.steps] == [Outcome.WRITTEN]
        shown = await soc.show(key)
        return shown.comments, [said.message for said in await soc.comments(key)]

    assert did(job) == (1, ["Called them."])


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        (lambda soc: soc.list("Severty == 'High'"), BadCondition),
        (lambda soc: soc.show("soc-eu#999999"), Unknown),
        (lambda soc: soc.plan("soc-eu#999999", severity="Low"), Unknown),
        (lambda soc: soc.plan("soc-eu#1", where="true", severity="Low"), Asked),
        (lambda soc: soc.plan(where="true"), Asked),
        (lambda soc: soc.plan(severity="Low"), Asked),
        (lambda soc: soc.plan(where="true", severty="Low"), Asked),
        (lambda soc: soc.plan(where="true", severity="Lo"), Asked),
        (lambda soc: soc.apply(b"{"), BadPlan),
        (lambda soc: soc.apply("none.json"), BadPlan),
        (lambda soc: soc.comment("soc-eu#1", " "), Asked),
        (lambda soc: soc.undo("r-none"), Unknown),
        (lambda soc: soc.resume("r-none"), Unknown),
    ],
)
def test_bad_input_is_an_error_of_ours(here, asked, error):
    async def job(soc):
        with pytest.raises(error):
            await asked(soc)

    did(job)


@pytest.mark.parametrize(
    "way",
    [
        {"on_conflict": "theirs"},
        {"max_rate": 0},
        {"share": 1.5},
        {"share": 0},
        {"until": datetime(2026, 11, 22, 7, 0)},  # noqa: DTZ001 - that is what is wrong with it
        {"until": datetime(2020, 1, 1, tzinfo=UTC)},
        {"patience": -1.0},
        {"speed": 9},
    ],
)
def test_a_way_that_makes_no_sense_is_refused_before_anything_is_written(here, way):
    async def job(soc):
        plan = await soc.plan(where=OPEN, add_tag="night")
        with pytest.raises(Asked):
            await soc.apply(plan, **way)
        assert not soc.runs()

    did(job)


def test_the_way_is_the_command_lines(here):
    async def job(soc):
        plan = await soc.plan(where=OPEN, add_tag="night")
        later = datetime.now(UTC) + timedelta(hours=1)
        how = {"until": later, "share": 0.5, "max_rate": 1000.0, "patience": 1.0}
        ended = await soc.apply(plan, **how)
        assert {step.outcome for step in ended.done.steps} == {Outcome.WRITTEN}
        back = await soc.undo(ended.done.run, on_conflict="stop", **how)
        assert {step.outcome for step in back.done.steps} == {Outcome.WRITTEN}
        assert (await soc.resume(back.done.run, **how)).done.run == back.done.run

    did(job)
    assert {*Way.__annotations__} == {*How.__struct_fields__} - {"at_once"}


def test_what_happens_is_logged_and_told_as_the_commands_do(here, tmp_path, monkeypatch, capsys):
    log = tmp_path / "log.ndjson"
    monkeypatch.setenv("VEDETTE_TRACE", "soc-eu#12")

    async def go(**more):
        async with connect("local", log_file=log, **more) as soc:
            await soc.comment("soc-eu#12", "Seen.\x1b[2J")
            await soc.show("soc-eu#99999")

    heard = []
    for more in ({"say": heard.append}, {}):
        with pytest.raises(Unknown):
            asyncio.run(go(**more))
    told = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    assert [one["event"] for one in told if one["event"] in ("step", "error")] == [
        "step",
        "error",
    ] * 2
    said = capsys.readouterr().err
    for lines in (heard, said.splitlines()):
        assert any("soc-eu#12 → PUT " in line for line in lines)
        assert "soc-eu#12 written" in lines
    assert "\x1b" not in said


SPANS = """
import asyncio
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
from vedette import connect

async def main():
    with trace.get_tracer("mine").start_as_current_span("night shift"):
        async with connect("local") as soc:
            await soc.comment("soc-eu#12", "Seen.")

asyncio.run(main())
spans = {span.name: span for span in kept.get_finished_spans()}
assert spans["vedette.run"].parent.span_id == spans["night shift"].context.span_id
assert spans["vedette.run"].attributes["vedette.written"] == 1
assert spans["PUT comment"].parent.span_id == spans["vedette.step"].context.span_id
"""


def test_a_programs_own_span_holds_ours(here):
    pytest.importorskip("opentelemetry.sdk")
    ran = subprocess.run(
        [sys.executable, "-c", SPANS],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        check=False,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr


def test_without_settings_nobody_gets_the_sample_world(here):
    async def go():
        async with connect():
            raise AssertionError

    with pytest.raises(BadSettings):
        asyncio.run(go())
