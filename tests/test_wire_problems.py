from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from golden import GOLDEN, needs_golden
from vedette.errors import (
    Denied,
    Failed,
    Garbled,
    Missing,
    Overtaken,
    SignIn,
    VedetteError,
)
from vedette.wire.http import Reply
from vedette.wire.problems import Fault, clean, problem, retry_after


def reply(status, document, **headers):
    body = document if isinstance(document, bytes) else msgspec.json.encode(document)
    return Reply(status=status, headers=headers, body=body)


def arm(status, code, message):
    return reply(status, {"error": {"code": code, "message": message}})


# ---- a service's faces


def test_a_fault_on_arm():
    told = Fault(404, "NotFound", "Resource 'x' does not exist").reply("arm")
    assert told.status == 404
    assert json.loads(told.body) == {
        "error": {"code": "NotFound", "message": "Resource 'x' does not exist"}
    }
    assert told.headers["content-type"] == "application/json; charset=utf-8"


def test_a_fault_on_graph():
    fault = Fault(429, "TooManyRequests", "Too many requests.", {"retry-after": "7"})
    told = fault.reply("graph", moment="2026-03-25T07:45:32.123Z", request="r", client_request="c")
    assert told.headers["retry-after"] == "7"
    assert json.loads(told.body)["error"]["innerError"] == {
        "date": "2026-03-25T07:45:32",
        "request-id": "r",
        "client-request-id": "c",
    }
    again = fault.reply("graph", moment="2026-03-25T07:45:32Z", request="r")
    assert json.loads(again.body)["error"]["innerError"]["client-request-id"] == "r"


def test_a_fault_on_entra():
    fault = Fault(401, "invalid_client", "AADSTS7000215: Invalid client secret provided.")
    told = json.loads(
        fault.reply("entra", moment="2026-03-25T07:45:32Z", request="r", client_request="c").body
    )
    assert (told["error"], told["error_codes"]) == ("invalid_client", [7000215])
    assert told["timestamp"] == "2026-03-25 07:45:32Z"
    assert told["error_description"].splitlines()[1:] == [
        "Trace ID: r",
        "Correlation ID: c",
        "Timestamp: 2026-03-25 07:45:32Z",
    ]


@pytest.mark.parametrize(
    ("status", "code", "message"),
    [
        (400, "BadRequest", "Request parameters are missing or invalid."),
        (401, "Unauthorized", "Authentication token is missing or expired."),
        (403, "Forbidden", "Caller does not have permission to perform the operation."),
        (404, "NotFound", "Specified resource could not be found."),
        (
            429,
            "TooManyRequests",
            "Rate limit exceeded. Retry after the value in Retry-After header.",
        ),
        (500, "InternalServerError", "Unexpected server error."),
    ],
)
def test_2023_01_01_has_words_of_its_own(status, code, message):
    told = json.loads(Fault(status, "Inner", "what really happened").reply("2023-01-01").body)
    assert told == {"error": {"code": code, "message": message}}


def test_2023_01_01_has_no_word_for_a_conflict():
    told = json.loads(Fault(409, "Conflict", "newer").reply("2023-01-01").body)
    assert told == {"error": {"code": "Conflict", "message": "newer"}}


# ---- the client's side


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Failed),
        (401, SignIn),
        (403, Denied),
        (404, Missing),
        (409, Overtaken),
        (412, Overtaken),
        (429, Failed),
        (500, Failed),
        (503, Failed),
    ],
)
def test_the_status_decides(status, kind):
    """Codes are empty, numbers or missing on some of these services."""
    for told in (
        {"error": {"code": "", "message": "why"}},
        {"Code": "429", "Message": "why", "Details": []},
        {},
        b"",
        b"not json",
        b"[1]",
    ):
        error = problem(reply(status, told), "soc-eu#4711")
        assert type(error) is kind
        assert "soc-eu#4711" in error.message


@pytest.mark.parametrize(
    "answer",
    [
        Reply(status=200, body=b"<html>sign in</html>"),
        Reply(status=302, headers={"location": "https://portal.example"}),
        Reply(status=403, body=b"\n <!doctype html>"),
        Reply(status=502, body=b"<html>"),
    ],
)
def test_a_web_page_is_no_answer_of_the_service(answer):
    error = problem(answer, "incidents")
    assert isinstance(error, Garbled)
    assert "proxy" in error.hint


def test_a_missing_role_on_arm_is_named_with_action_and_scope():
    error = problem(
        arm(
            403,
            "AuthorizationFailed",
            "The client 'app' with object id 'oid' does not have authorization to perform action"
            " 'Microsoft.SecurityInsights/incidents/write' over scope '/subscriptions/s' or the"
            " scope is invalid. If access was recently granted, please refresh your credentials.",
        ),
        "soc-eu#4711",
    )
    assert "Microsoft.SecurityInsights/incidents/write over /subscriptions/s" in error.message
    assert "Microsoft Sentinel Responder" in error.hint
    assert "PIM" in error.hint


@pytest.mark.parametrize(
    ("action", "role"),
    [
        ("Microsoft.SecurityInsights/incidents/read", "Reader"),
        ("Microsoft.SecurityInsights/incidents/comments/write", "Responder"),
        ("Microsoft.SecurityInsights/cases/write", "Responder"),
        ("Microsoft.SecurityInsights/incidents/comments/delete", "Contributor"),
        ("Microsoft.SecurityInsights/watchlists/write", "Contributor"),
    ],
)
def test_the_role_that_helps_is_named(action, role):
    told = f"does not have authorization to perform action '{action}' over scope '/s'"
    assert f"Sentinel {role}" in problem(arm(403, "AuthorizationFailed", told), "x").hint


def test_a_missing_permission_on_graph_is_named_and_the_callers_are_not():
    error = problem(
        arm(
            403,
            "Forbidden",
            "Missing application roles. API required roles: SecurityIncident.Read.All,"
            "SecurityIncident.ReadWrite.All, application roles: Mail.ReadWrite,Secret.All.",
        ),
        "incidents",
    )
    assert "SecurityIncident.Read.All or SecurityIncident.ReadWrite.All" in error.message
    assert "Mail.ReadWrite" not in error.message
    assert "SecurityIncident.ReadWrite.All" in error.hint


def test_a_tenant_without_defender_is_not_asked_to_sign_in_again():
    told = "Unauthorized request - Account is not provisioned."
    error = problem(arm(401, "Unauthorized", told), "incidents")
    assert "Defender" in error.hint


@pytest.mark.parametrize(
    ("number", "word"),
    [
        (7000215, "secret is wrong"),
        (7000222, "expired"),
        (700016, "not in this tenant"),
        (90002, "no such tenant"),
        (500011, "unknown in the tenant"),
    ],
)
def test_a_sign_in_that_fails_says_why_in_plain_words(number, word):
    fault = Fault(401, "invalid_client", f"AADSTS{number}: Something is wrong.")
    error = problem(fault.reply("entra", moment="2026-03-25T07:45:32Z", request="r"), "token")
    assert isinstance(error, SignIn)
    assert word in error.hint
    assert f"AADSTS{number}" in error.message
    assert "Trace ID" not in error.message


def test_a_sign_in_error_nobody_knows_is_shown():
    error = problem(Fault(400, "x", "AADSTS123456: Strange.").reply("entra"), "token")
    assert "AADSTS123456: Strange." in error.message
    assert error.hint is None


@given(st.sampled_from((400, 401, 403, 404, 409, 429, 500, 599)), st.binary(max_size=200))
def test_no_answer_is_too_odd_to_be_told(status, body):
    error = problem(Reply(status=status, body=body), "x")
    assert isinstance(error, VedetteError)
    assert error.message.isprintable()


@given(st.text(max_size=3_000), st.sampled_from((400, 401, 403, 404, 500)))
def test_text_of_a_service_is_short_and_has_no_control_characters(text, status):
    error = problem(arm(status, text[:50], f"{text}\x1b[2J\r\n{text}"), "x")
    assert error.message.isprintable()
    assert len(error.message) < 1_500


def test_a_line_is_cut_where_it_is_too_long():
    assert clean("a\r\n\tb\x1b[0m") == "a b [0m"
    assert clean("x" * 700) == "x" * 599 + "…"
    assert clean("a\u202eb") == "a b"


@needs_golden
def test_every_recorded_error_is_understood():
    kinds = {400: Failed, 401: SignIn, 403: Denied, 404: Missing, 409: Overtaken, 429: Failed}
    answers = [
        exchange["response"]
        for exchange in json.loads((GOLDEN / "recordings" / "exchanges.json").read_text())
    ]
    for path in sorted((GOLDEN / "graph" / "errors").glob("*.json")):
        answer = json.loads(path.read_text())["response"]
        answers += answer.get("x-alternatives", [answer])
    refused = [a for a in answers if a.get("status", 0) >= 400 and a.get("body")]
    assert len(refused) >= 10
    for answer in refused:
        error = problem(reply(answer["status"], answer["body"]), "x")
        assert type(error) is kinds[answer["status"]]
        assert "no reason given" not in error.message


# ---- waiting

NOW = 1_774_424_732.0  # 2026-03-25T07:45:32Z


@pytest.mark.parametrize(
    ("told", "wait"),
    [
        ("0", 0.0),
        ("7", 7.0),
        ("1.5", 1.5),
        (" 2.128 ", 2.128),
        ("999999", 999_999.0),
        ("Wed, 25 Mar 2026 07:46:32 GMT", 60.0),
        ("Wed, 25 Mar 2026 07:44:32 GMT", 0.0),
        ("Wed, 99 Mar 2026 07:44:32 GMT", None),
        ("Wed, 25 Xxx 2026 07:44:32 GMT", None),
        ("-1", None),
        ("inf", None),
        ("nan", None),
        ("1e9", None),
        ("٣", None),
        ("soon", None),
        ("7, 8", None),
        ("9" * 40, None),
        ("", None),
    ],
)
def test_the_wait_that_is_asked_for_is_a_number_or_nothing(told, wait):
    assert retry_after(Reply(status=429, headers={"retry-after": told}), NOW) == wait


def test_no_header_asks_for_nothing():
    assert retry_after(Reply(status=429), NOW) is None


def test_milliseconds_are_understood_too():
    headers = {"x-ms-retry-after-ms": "1500", "retry-after": "9"}
    assert retry_after(Reply(status=429, headers=headers), NOW) == 1.5


@given(st.text(max_size=40), st.floats())
def test_no_header_is_too_odd_to_be_read(told, now):
    wait = retry_after(Reply(status=429, headers={"retry-after": told}), now)
    assert wait is None or 0 <= wait < 1e12
