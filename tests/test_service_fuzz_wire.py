"""
Texts that nearly make sense, at every reader of the wire: they are understood or refused in the
way that the reader has for it. Short runs here, long ones with `make soak`.
"""

from __future__ import annotations

import json
from functools import cache

import pytest
from hypothesis import strategies as st

from hostility import BOOKMARK, RULE
from nearly import JSON, SHORTLY, look, nearly, tried
from served import edge
from vedette.service.state.records import Records, workspaces
from vedette.wire import bodies, loose, odata

FILTERS = (
    "properties/status eq 'New' and (properties/severity ne 'High' or properties/title eq 'x')",
    "properties/createdTimeUtc ge 2026-01-01T00:00:00.1234567Z and properties/incidentNumber lt 5",
    "properties/labels/any(l: l/labelName eq 'x')",
    "contains(tolower(properties/title), 'x') or not startswith(properties/title,'y')",
    "status eq 'active' and createdDateTime gt 2026-01-01 and assignedTo eq null",
    "id eq '1'",
)
WORDS = (" eq ", " and ", " or ", "not ", "null", "any(", "2026-01-01", "-1.5", "tolower(", "l/x")


@cache
def _incidents():
    told = edge("memory", None, 12)
    names = told.connection.execute("SELECT workspace, name FROM incident").fetchall()
    homes = {one.serial: one for one in workspaces(told.connection)}
    records = Records(told.connection, at=0, who="tests", dialect="tests")
    return told, [records.named(homes[at], name).incident for at, name in names]


@pytest.mark.parametrize("examples", SHORTLY)
@pytest.mark.parametrize("plane", ["sentinel", "cases", "defender", "xdr", "alerts"])
def test_a_filter_is_understood_or_refused(examples, plane):
    it, incidents = _incidents()

    @look(examples, nearly(FILTERS, WORDS) | st.text(max_size=60))
    def check(text):
        wanted = tried(odata.parse, text, plane)
        if wanted is None:
            return
        found = {one.id for one in incidents if plane != "alerts" and wanted.holds(one)}
        if (told := wanted.sql()) and plane in ("sentinel", "cases"):
            sql = f"SELECT name FROM incident WHERE {told[0]}"
            narrowed = {name for (name,) in it.connection.execute(sql, told[1])}
            assert found == narrowed if wanted.exact else found <= narrowed


@pytest.mark.parametrize("examples", SHORTLY)
def test_an_order_is_understood_or_refused(examples):
    samples = ("properties/createdTimeUtc desc", "createdDateTime asc, id", "lastUpdateDateTime")

    @look(
        examples, nearly(samples) | st.text(max_size=20), st.sampled_from(["sentinel", "defender"])
    )
    def check(text, plane):
        assert tried(odata.order, text, plane) != ()


BODIES = (
    json.dumps({"properties": BOOKMARK}),
    json.dumps({"properties": RULE}),
    repr({"properties": {"title": "it's", "b": 'q"', "c": [None, True, -1.5e3], "d": "\u0130\n"}}),
    "{'a': b'x'}",
)


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_body_is_an_object_or_refused(examples):
    spoilt = nearly(BODIES, ("None", "\\x", "\\ud800", "1e999", "NaN")).map(
        lambda text: text.encode(errors="surrogatepass")
    )

    @look(examples, spoilt | st.binary(max_size=40))
    def check(told):
        for read in (bodies.body, bodies.graph_body):
            made = tried(read, told)
            assert made is None or isinstance(made, dict)
            json.dumps(made).encode()


@pytest.mark.parametrize("examples", SHORTLY)
def test_what_may_be_anything_is_read_loosely(examples):
    @look(examples, JSON | st.from_regex(r"[0-9\u0660-\u0669]{1,30}"))
    def check(told):
        assert loose.text(told) is None or isinstance(loose.text(told), str)
        assert all(isinstance(one, str) for one in loose.texts(told))
        assert loose.count(told) is None or isinstance(loose.count(told), int)
        loose.moment(told)
        loose.word({"a": "b"}, told)
        for read in (bodies.a_text, bodies.a_moment):
            tried(read, {"x": told}, "x")


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_time_is_understood_or_refused(examples):
    samples = (
        "2026-11-22T07:00:00.1234567Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    )

    @look(examples, nearly(samples))
    def check(told):
        moment = tried(bodies.a_moment, {"x": told}, "x")
        if moment is not None:
            assert odata.parse(f"properties/createdTimeUtc ge {moment}")
