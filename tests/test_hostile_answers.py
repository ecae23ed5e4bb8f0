"""Whatever a service answers, with whatever status and headers: a run ends, and with a word."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from acceptance import DIALECTS, Desk, hurried, in_process, outcomes
from test_flow_update import DIALECT, GRAPH, defender, document
from vedette.errors import Garbled, VedetteError
from vedette.model import AddTags, edited
from vedette.run.drive import Driver
from vedette.run.edits import Wanted
from vedette.run.steps import How
from vedette.wire.cases import Cases
from vedette.wire.http import Reply
from vedette.wire.problems import problem

DEEP = b"[" * 5_000 + b"]" * 5_000
LONG = b"9" * 5_000
PLACES = (DIALECT, Cases(DIALECT.place), GRAPH)
TAG = Wanted(add_tag=("detection",), comment=("Seen.",))
ODD = {
    "nested deeply": DEEP,
    "nested deeply in a list": b'{"value":[' + DEEP + b"]}",
    "nested deeply in an incident": b'{"id":"29","name":"73e01a99","properties":{"x":'
    + DEEP
    + b"}}",
    "objects in objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "no number": b'{"id":"29","name":"73e01a99","properties":{"incidentNumber":NaN}}',
    "a long number": b'{"id":' + LONG + b',"properties":{"title":' + LONG + b"}}",
    "an endless number": b'{"id":1e999,"properties":{"title":1e400,"incidentNumber":1e99}}',
    "half a letter": rb'{"id":"\ud800","name":"\ud800","etag":"\ud800","properties":{"title":"\udfff"}}',
    "no UTF-8": b'{"id":"29","name":"\xff\xfe","value":[{"name":"\xff"}],"properties":{}}',
    "UTF-16": '{"value":[]}'.encode("utf-16"),
    "a mark of order": b'\xef\xbb\xbf{"value":[]}',
    "a key twice": b'{"id":"1","id":"2","name":"a","name":"b","properties":{"title":1,"title":2}}',
    "nothing": b"",
    "null": b"null",
    "a text": b'"incident"',
    "a list of anything": b'{"value":[null,1,"x",[],{},{"properties":[]},{"id":{}}]}',
    "no list": b'{"value":{"0":{}}}',
    "a link that is none": b'{"value":[],"nextLink":{"a":1},"@odata.nextLink":[]}',
    "a page": b"<html><body>Welcome to the hotel</body></html>",
    "members of the wrong kind": b'{"id":[],"name":{},"etag":[1],"properties":{"title":[],"labels":'
    b'{"a":1},"owner":"x","additionalData":7,"severity":{},"status":[],"incidentNumber":"x"}}',
    "wrong on Graph": b'{"id":"29","customTags":{"a":1},"assignedTo":[],"severity":4,"status":{},'
    b'"comments":"x","lastUpdateDateTime":[],"displayName":{},"tenantId":0}',
}


@pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
@pytest.mark.parametrize("place", PLACES, ids=("sentinel", "cases", "graph"))
def test_no_body_is_too_odd_to_be_understood_or_refused(place, body):
    """An answer is an incident, a page, comments, or `Garbled`: never a crash."""
    reply, told = Reply(status=200, body=body), []
    for understood in (place.page, place.seen, place.said, place.version):
        try:
            understood(reply)
        except Garbled as error:
            told.append(error.message)
    assert all(message.isprintable() for message in told)


@pytest.mark.parametrize("status", [302, 400, 401, 403, 404, 409, 429, 500, 503])
@pytest.mark.parametrize("body", ODD.values(), ids=ODD.keys())
def test_no_refusal_is_too_odd_to_be_told(body, status):
    assert problem(Reply(status=status, body=body), "one").message.isprintable()


@pytest.mark.parametrize("etag", [None, 7, "", "x" * 100_000, '"\x00\r\n"', "\u202e", {"a": 1}])
def test_an_etag_is_a_text_that_goes_back_in_a_body_or_it_is_none(etag):
    """It never becomes a header: nothing in it can end one."""
    told = document() | {"etag": etag}
    seen = DIALECT.seen(Reply(status=200, body=msgspec.json.encode(told)))
    call = DIALECT.update(seen, edited(seen.incident, (AddTags(tags=("x",)),)))
    assert msgspec.json.decode(call.body)["etag"] == etag
    assert call.headers == ()


@pytest.mark.parametrize("id", ["a/b", "..", ".", "%2e%2e", "a%2fb", "a?b", "a#b", "\x00", "a\\b"])
def test_an_id_of_the_service_never_leads_out_of_the_place(id):
    """It may be refused; where it is not, it is one segment below the collection."""
    for place, told in ((DIALECT, document() | {"name": id}), (GRAPH, defender(id=id))):
        seen = place.seen(Reply(status=200, body=msgspec.json.encode(told)))
        after = edited(seen.incident, (AddTags(tags=("x",)),))
        collection = place.list().url.partition("?")[0]
        try:
            url = place.update(seen, after).url.partition("?")[0]
        except VedetteError:
            continue
        assert url.startswith(f"{collection}/")
        named = url.removeprefix(f"{collection}/")
        assert named not in ("", ".", "..")
        assert not set("/\\#\x00") & set(named)


# ---- a run over answers that may be anything

_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12)
    | st.sampled_from(("New", "Closed", "\u202e", "\x1b]0;x\x07", "..", "=cmd()")),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=5,
)
_MEMBERS = [
    "id",
    "name",
    "etag",
    "properties",
    "value",
    "nextLink",
    "title",
    "severity",
    "status",
    "labels",
    "owner",
    "additionalData",
    "incidentNumber",
    "comments",
    "customTags",
    "assignedTo",
    "displayName",
    "lastUpdateDateTime",
    "message",
    "redirectIncidentId",
    "tenantId",
    "classification",
    "determination",
    "error",
    "code",
    "labelName",
    "objectId",
]
_STATUSES = st.sampled_from((200, 201, 202, 204, 206, 302, 304, 307, 400, 401, 403, 404, 405, 408,
    409, 412, 413, 418, 429, 451, 500, 501, 502, 503, 504, 507, 511, 599)) | st.integers(100, 999)  # fmt: skip
_HEADERS = st.dictionaries(
    st.sampled_from(
        ("retry-after", "retry-after-ms", "www-authenticate", "location", "content-type", "x-odd")
    ),
    st.sampled_from(
        ("0", "-1", "1.5", "999999", "inf", "nan", "9" * 400, "Sun, 31 Nov 2026 07:00:00 GMT",
         'Bearer error="insufficient_claims", claims="%%%"', "https://evil.example/", "\x00")
    )
    | st.text(max_size=20),
    max_size=3,
)  # fmt: skip
_BODIES = st.one_of(
    st.binary(max_size=60),
    _VALUES.map(msgspec.json.encode),
    st.sampled_from(tuple(ODD.values())),
)
_MEDDLED = st.dictionaries(st.sampled_from(_MEMBERS), _VALUES, min_size=1, max_size=3)
"""Members that a true answer gets other values in, wherever they stand."""
_REPLIES = st.builds(Reply, status=_STATUSES, headers=_HEADERS, body=_BODIES)
_TWISTS = st.none() | _REPLIES | _MEDDLED


class Liar:
    """A sender that gives these answers in turn, in the place of the true ones or made of them."""

    def __init__(self, sender, twists) -> None:
        self._sender = sender
        self._twists = iter(twists)

    async def send(self, call, **more):
        twist = next(self._twists, None)
        if isinstance(twist, Reply):
            return twist
        reply = await self._sender.send(call, **more)
        if twist is None:
            return reply
        told = msgspec.json.decode(reply.body) if reply.body else None
        return replace(reply, body=msgspec.json.encode(_meddled(told, twist)))

    async def close(self):
        await self._sender.close()


def _meddled(told, twist):
    if isinstance(told, list):
        return [_meddled(one, twist) for one in told]
    if not isinstance(told, dict):
        return told
    return {
        name: twist[name] if name in twist else _meddled(value, twist)
        for name, value in told.items()
    }


_LIES = {"twists": st.lists(_TWISTS, min_size=1, max_size=12), "at_once": st.sampled_from((1, 8))}


@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=10, deadline=None)
@given(**_LIES)
@example(twists=[Reply(status=200, body=DEEP)] * 12, at_once=1)
@example(twists=[Reply(status=429, headers={"retry-after": "9" * 400})] * 12, at_once=8)
@example(twists=[Reply(status=429, headers={"retry-after": "999999"})] * 12, at_once=8)
def test_whatever_a_service_answers_a_run_ends_with_a_word(dialect, twists, at_once):
    """Every step has an outcome, or what stopped it is an error of ours; never anything else."""
    endure(dialect, twists, at_once)


@pytest.mark.soak
@pytest.mark.parametrize("dialect", DIALECTS)
@settings(max_examples=2_000, deadline=None)
@given(**_LIES)
def test_whatever_a_service_answers_two_thousand_times(dialect, twists, at_once):
    endure(dialect, twists, at_once)


def endure(dialect, twists, at_once):
    with tempfile.TemporaryDirectory() as folder:
        desk = Desk(in_process(dialect, ":memory:", sample=12), Path(folder))
        try:
            asyncio.run(_endured(desk, twists, at_once))
        finally:
            desk.journal.close()


async def _endured(desk, twists, at_once):
    true = desk.link.driver.sender
    proposal = await desk.propose('Status != "Closed"', TAG)
    for lies in (twists, ()):  # and when it has come to its senses, the run is gone on with
        desk.link.driver = Driver(Liar(true, lies))
        hurried(desk.link)
        try:
            finished = await desk.apply(proposal, how=How(at_once=at_once))
        except VedetteError as error:
            assert error.message.isprintable()  # noqa: PT017 - to run to its end is as good
            continue
        assert sum(outcomes(finished).values()) == len(proposal.plan.steps) > 0
        for error in (finished.stopped, *finished.failures.values()):
            assert error is None or error.message.isprintable()
    assert "remaining" not in outcomes(finished)
    await true.close()
