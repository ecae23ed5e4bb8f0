from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.wire.bodies import (
    a_moment,
    a_text,
    a_word,
    bag,
    body,
    envelope,
    fresh,
    heard_comment,
)
from vedette.wire.filters import ticks
from vedette.wire.problems import Fault
from wired import JSON


@given(st.dictionaries(st.text(max_size=8), JSON))
def test_a_body_is_json_or_what_python_prints_of_it(told):
    """One client in wide use sends str(dict) and calls it JSON."""
    assert body(msgspec.json.encode(told)) == told
    assert body(str(told).encode()) == told


def test_what_python_prints_may_be_as_large_as_an_upload():
    """A watchlist of several megabytes is sent so too, and read in one go."""
    told = {"properties": {"rawContent": 'it\'s\t"x",1\r\n' * 200_000, "is": [True, None]}}
    assert body(str(told).encode()) == told


@pytest.mark.parametrize("received", ["'\\' " * 500_000, "\"'" * 400_000, "{'a': '" + "x" * 10**6])
def test_quotes_that_never_close_are_refused_in_linear_time(received):
    with pytest.raises(Fault):
        body(received.encode())


def test_no_body_is_an_empty_object():
    assert body(b"") == {}


@pytest.mark.parametrize(
    "received",
    [
        b"[]",
        b"3",
        b"null",
        b"{'a': ",
        b"{'a': open('x')}",
        b"{'a': 'b}",
        b"{'a': '\\U00ffffff'}",
        b"{'a': 1j}",
        b"{1: 2}, 3",
        b"\xff\xff",
        b"(" * 100_000,
        b"[" * 100_000,
        b"{'a':" * 5_000,
        b"__import__('os')",
    ],
)
def test_a_body_that_is_no_object_is_refused(received):
    with pytest.raises(Fault) as refused:
        body(received)
    assert (refused.value.status, refused.value.code) == (400, "BadRequest")


def test_a_document_without_properties_is_refused():
    assert bag({"properties": {}}) == {}
    for document in ({}, {"properties": None}, {"properties": [1]}):
        with pytest.raises(Fault, match="Properties"):
            bag(document)


def test_an_etag_counts_with_and_without_its_quotes():
    for etag in ('"a-1"', "a-1"):
        fresh({"etag": etag}, "x", '"a-1"', mandatory=True)
    for etag in ('"a-2"', '""', 'W/"a-1"'):
        with pytest.raises(Fault, match="Newer version of resource 'x' exists") as refused:
            fresh({"etag": etag}, "x", '"a-1"', mandatory=False)
        assert refused.value.status == 409


def test_no_etag_passes_where_it_is_optional():
    for document in ({}, {"etag": None}, {"etag": ""}):
        fresh(document, "x", '"a-1"', mandatory=False)
        with pytest.raises(Fault):
            fresh(document, "x", '"a-1"', mandatory=True)


def test_the_last_page_has_no_link_at_all():
    assert envelope([1]) == {"value": [1]}
    assert envelope([], "https://x") == {"value": [], "nextLink": "https://x"}


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ("2026-03-25T07:45:32.8870610Z", "2026-03-25T07:45:32.887061Z"),
        ("2026-03-25T07:45:32.0000000Z", "2026-03-25T07:45:32Z"),
        ("2026-03-25T07:45:32.1234567", "2026-03-25T07:45:32.1234567Z"),
        ("2026-03-25T07:45:32.123456789Z", "2026-03-25T07:45:32.1234567Z"),
        ("2026-03-25t09:45:32.5+02:00", "2026-03-25T07:45:32.5Z"),
    ],
)
def test_a_time_is_kept_in_utc_without_trailing_zeros(told, kept):
    assert a_moment({"t": told}, "t") == kept


@given(st.datetimes(timezones=st.timezones()).filter(lambda at: 2 < at.year < 9998))
def test_a_time_that_is_kept_is_the_time_that_was_told(at):
    told = at.isoformat()
    offset = told[-6:]
    if len(told) > 6 and offset[0] in "+-" and offset[3] == ":" and told[-9] not in "+-":
        assert ticks(str(a_moment({"t": told}, "t"))) == ticks(told)


@pytest.mark.parametrize(
    "told", ["soon", "2026-03-25", "2026-13-25T07:45:32Z", "0001-01-01T00:00:00+14:00", "", 3]
)
def test_what_is_no_time_is_refused(told):
    with pytest.raises(Fault) as refused:
        a_moment({"t": told}, "t")
    assert refused.value.status == 400


def test_members_that_are_not_given_are_none():
    assert a_text({}, "x") is a_word({"x": None}, "x", {}) is a_moment({}, "x") is None


@pytest.mark.parametrize("message", [None, "", "  ", 3, "x" * 30_001])
def test_a_comment_says_something_and_not_too_much(message):
    with pytest.raises(Fault):
        heard_comment({"properties": {"message": message}})
    assert heard_comment({"properties": {"message": "x" * 30_000}}) == "x" * 30_000


@pytest.mark.parametrize("etag", [0, 5, False, True, [], {}, ["x"]])
@pytest.mark.parametrize("mandatory", [False, True])
def test_an_etag_that_is_no_text_is_no_conflict_but_a_mistake(etag, mandatory):
    with pytest.raises(Fault) as caught:
        fresh({"etag": etag}, "one", '"1"', mandatory=mandatory)
    assert (caught.value.status, caught.value.code) == (400, "BadRequest")


@pytest.mark.parametrize("told", [{"name": "other"}, {"id": "/x/Incidents/other"}, {"id": "other"}])
def test_a_document_about_another_one_is_refused(told):
    with pytest.raises(Fault, match="does not match the resource 'mine'"):
        body(msgspec.json.encode(told), "mine")


@pytest.mark.parametrize("told", [{}, {"name": "Mine"}, {"id": "/y/Incidents/mine"}, {"id": None}])
def test_a_document_about_itself_is_taken(told):
    assert body(msgspec.json.encode(told), "mine") == told
    assert body(b'{"name": "other"}') == {"name": "other"}
