"""Several questions in one call, and what became of each."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
import pytest

from vedette.wire.batch import MOST, enveloped, refusal, replies
from vedette.wire.dialect import Place
from vedette.wire.graph import Graph
from vedette.wire.http import Call, Reply

PLACE = Place(endpoint="https://graph.microsoft.com", path="/v1.0", name="xdr", tenant_id="t")
GRAPH = Graph(PLACE)


def answered(*items: Any, status: int = 200) -> Reply:
    body = msgspec.json.encode({"responses": items})
    return Reply(status=status, body=body, request="r-1")


def item(number: int, status: int = 200, body: Any = None, **headers: str) -> dict[str, Any]:
    told = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"id": str(number), "status": status, "headers": told, "body": body or {}}


def test_an_envelope_holds_what_each_would_have_asked_alone():
    """The form of https://learn.microsoft.com/graph/json-batching, addresses relative."""
    call = GRAPH.together([GRAPH.read("29"), GRAPH.alerts("30")])
    assert (call.method, call.url) == ("POST", "https://graph.microsoft.com/v1.0/$batch")
    told = msgspec.json.decode(call.body or b"")["requests"]
    assert [one["url"] for one in told] == [
        "/security/incidents/29",
        "/security/incidents/30?$expand=alerts",
    ]
    assert {one["method"] for one in told} == {"GET"}
    assert told[0]["headers"] == {"prefer": "include-unknown-enum-members"}


def test_an_envelope_costs_what_is_in_it_and_counts_as_that():
    calls = [GRAPH.read(str(number)) for number in range(MOST)]
    call = GRAPH.together(calls)
    assert (call.cost, call.kind, call.operation, call.tenant) == (MOST, "read", "incident", "t")
    assert len({one["id"] for one in msgspec.json.decode(call.body or b"")["requests"]}) == MOST


def test_more_than_the_service_takes_is_our_own_mistake():
    with pytest.raises(AssertionError):
        enveloped([Call(method="GET", url="https://x/v1.0/a")] * (MOST + 1), "https://x/v1.0")


def test_answers_in_any_order_are_given_in_the_order_of_the_questions():
    told = replies(answered(item(2, body={"n": 2}), item(0, body={"n": 0}), item(1, 404)), 3)
    assert [one and one.status for one in told] == [200, 404, 200]
    assert [msgspec.json.decode(one.body) for one in told if one] == [{"n": 0}, {}, {"n": 2}]
    assert {one.request for one in told if one} == {"r-1"}


@pytest.mark.parametrize(
    "reply",
    [
        answered(),
        answered(item(0, 424), item(1, 401)),
        answered(item(7), item(0) | {"id": "zero"}, item(0) | {"id": "-1"}),
        Reply(status=200, body=b"<html>Welcome to the hotel</html>"),
        Reply(status=200, body=b'{"responses": 3}'),
        Reply(status=200, body=b"\xff\xfe"),
    ],
)
def test_what_was_not_answered_is_none(reply):
    assert replies(reply, 2) == [None, None]


def test_headers_of_an_item_are_read_in_any_case_and_of_any_kind():
    told = replies(answered({"id": "0", "status": 429, "headers": {"Retry-After": 17}}), 1)
    assert told[0] is not None
    assert told[0].headers == {"retry-after": "17"}
    assert told[0].body == b""


def test_a_body_that_is_no_json_comes_as_it_was():
    page = b"<html>a proxy's page</html>"
    told = replies(
        answered(
            item(0, 502, body=base64.b64encode(page).decode()), item(1, 502, body="no base64!")
        ),
        2,
    )
    assert [one and one.body for one in told] == [page, b"no base64!"]


def test_of_several_throttled_the_longest_wait_is_the_refusal():
    told = replies(
        answered(
            item(0, 429, Retry_After="7"),
            item(1, 429, Retry_After="31"),
            item(2, 429, Retry_After="soon"),
            item(3),
        ),
        4,
    )
    held = refusal(told)
    assert held is not None
    assert held.headers["retry-after"] == "31"
    assert refusal([told[3], None]) is None
