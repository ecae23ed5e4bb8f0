"""The conversation about one incident: what changed, and nothing that steers a terminal."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from test_report_clean import HOSTILE, steers
from vedette.errors import Unreachable
from vedette.flow.talk import Intent, Tell
from vedette.run import trace
from vedette.wire.http import Call, Reply

URL = "https://x.example/incidents/1?sig=S"
BEFORE = {"etag": "1", "properties": {"severity": "High", "labels": [], "title": "A"}}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
)


def put(document):
    return Call(method="PUT", url=URL, body=msgspec.json.encode(document))


def test_of_a_body_it_shows_the_members_that_differ_from_what_was_heard():
    after = {"etag": "1", "properties": {"severity": "Low", "labels": [], "owner": {"upn": "a@b"}}}
    assert [*trace.said(put(after), 0.1, BEFORE)] == [
        "→ PUT https://x.example/incidents/1?sig=***",
        '    properties.severity: "High" → "Low"',
        '    properties.owner.upn: "a@b"',
    ]


@given(JSON)
def test_a_body_that_says_what_was_heard_shows_nothing(document):
    assert len([*trace.said(put(document), 0.0, document)]) == 1


def test_a_long_wait_a_large_body_and_a_long_value_are_told_shortly():
    told = [*trace.said(put({f"m{n}": "x" * 900 for n in range(25)}), 17.3, None)]
    assert told[0].endswith(", after 17.3 s")
    assert told[-1] == "    and 5 more"
    assert len(told) == 22
    assert all(len(line) < 200 for line in told)


def test_a_reply_tells_its_status_its_version_and_why_it_refuses():
    body = msgspec.json.encode({"etag": "2", "properties": {}})
    (told,) = trace.heard(Reply(status=200, body=body, request="r-1"), 0.0123)
    assert told == "← 200 in 12 ms, version 2, request r-1"
    refused = Reply(status=412, body=b"{ \x1b[2J bad }", request="r-1")
    assert [*trace.heard(refused, 0.0)] == ["← 412 in 0 ms, request r-1", "    { [2J bad }"]
    assert trace.unheard(Unreachable("gone").about("r-2"), 1.0) == (
        "← nothing in 1000 ms: gone (request r-2)"
    )
    assert trace.unheard(TimeoutError(), 1.0) == "← nothing in 1000 ms: TimeoutError"


def test_an_intent_is_told_in_our_own_words():
    intent = Intent(before={"severity": "High"}, after={"severity": "Low"}, etag="1", comment="c-1")
    write = Tell(call=put({}), intent=intent, effect=0, attempt=2, of="soc-eu#1")
    assert [*trace.meant(write)] == [
        "means to write, try 2, on version 1",
        '    severity: "High" → "Low"',
        "    the comment c-1",
    ]


@given(HOSTILE)
def test_no_value_steers_a_terminal(text):
    whole = text.encode("utf-8", "replace").decode()
    document = {"a": whole, "etag": whole}
    told = [
        *trace.said(put(document), 0.0, None),
        *trace.heard(Reply(status=400, body=msgspec.json.encode(document)), 0.0),
        trace.shown(text),
    ]
    assert not any(steers(character) for line in told for character in line)
