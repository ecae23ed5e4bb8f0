"""Texts that nearly make sense, and what is to come of them; how many of them, now and at length."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostility import town
from vedette.errors import Asked
from vedette.service.state import cast
from vedette.wire.problems import Fault

LONG = pytest.mark.soak
SHORTLY = [60, pytest.param(5_000, marks=LONG)]
BRIEFLY = [25, pytest.param(1_000, marks=LONG)]
"""How many examples: some now, many more in the long proofs."""
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def look(examples, *strategies):
    """Run a check on this many examples."""

    def run(check):
        suppress = [HealthCheck.too_slow, HealthCheck.data_too_large]
        held = settings(max_examples=examples, deadline=None, suppress_health_check=suppress)
        held(given(*strategies)(check))()

    return run


@st.composite
def nearly(draw, samples, words=()):
    """Give a sample with some of it taken out, doubled, or replaced by words or any text."""
    told = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(told)))
        to = min(len(told), at + draw(st.integers(0, 8)))
        piece = draw(
            st.just("")
            | st.just(told[at:to] * 2)
            | st.text(max_size=4)
            | st.sampled_from([*words, "\0", "'", '"', "(", ")", "\\", "\ud800", "\u0661"])
        )
        told = told[:at] + piece + told[to:]
    return told


def tried(read, *arguments, **named):
    """Return what a reader makes of it, or None where it refuses in its way."""
    try:
        return read(*arguments, **named)
    except Fault as fault:
        if fault.status != 400:
            raise
    except Asked as error:
        if not error.message:
            raise
    return None


def valid(text):
    return text.encode(errors="replace").decode()


def answered(method, where, body=None, headers=(), app=cast.OPERATOR):
    reply = town().ask(method, where, body, headers, app=app)
    assert 200 <= reply.status < 500, (method, where, body, reply.body)
    return reply
