"""
What goes wrong, in both directions: the errors a service answers with, spelled in each of
its faces, and what a reply that is no success means to a person.

Status decides; codes and messages of a service are only shown, and never trusted with more.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

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
from vedette.wire.veil import untold

Face = Literal["arm", "graph", "entra", "logs", "defender", "2023-01-01"]

_JSON = "application/json; charset=utf-8"
_LONGEST = 600
_READ = 65_536

# The words that api-version 2023-01-01 answers with, whatever went wrong beneath.
_WORDS_2023: dict[int, tuple[str, str]] = {
    400: ("BadRequest", "Request parameters are missing or invalid."),
    401: ("Unauthorized", "Authentication token is missing or expired."),
    403: ("Forbidden", "Caller does not have permission to perform the operation."),
    404: ("NotFound", "Specified resource could not be found."),
    429: ("TooManyRequests", "Rate limit exceeded. Retry after the value in Retry-After header."),
    500: ("InternalServerError", "Unexpected server error."),
}


class Fault(Exception):  # noqa: N818  # what a service has, not what Python has
    """
    What a service refuses with. `reply` spells it in the face the caller speaks to; `inner`
    is the error beneath, which only the query of logs tells.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        headers: Mapping[str, str] | None = None,
        inner: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = dict(headers or {})
        self.inner = inner

    def reply(
        self, face: Face, *, moment: str = "", request: str = "", client_request: str | None = None
    ) -> Reply:
        """
        Return the answer. `moment` (RFC 3339), `request` (an id) and the caller's own id
        appear where the face has a place for them.
        """
        body = _FACES[face](self, moment, request, client_request or request)
        return Reply(
            status=self.status,
            headers={"content-type": _JSON, **self.headers},
            body=msgspec.json.encode(body),
        )


def _arm(fault: Fault, moment: str, request: str, client_request: str) -> dict[str, Any]:
    if fault.inner is not None:
        # ARM hands on what the service behind it said.
        return _logs(fault, moment, request, client_request)
    return {"error": {"code": fault.code, "message": fault.message}}


def _logs(fault: Fault, _: str, request: str, __: str) -> dict[str, Any]:
    # As recorded in the tests of @azure/monitor-query 1.0.
    told = {"message": fault.message, "code": fault.code, "correlationId": request}
    return {"error": told if fault.inner is None else {**told, "innererror": fault.inner}}


def _graph(fault: Fault, moment: str, request: str, client_request: str) -> dict[str, Any]:
    # https://learn.microsoft.com/graph/errors: the date has neither zone nor fraction.
    return {
        "error": {
            "code": fault.code,
            "message": fault.message,
            # The validator of queries has no code, and a list of details that is empty.
            **({} if fault.code else {"details": []}),
            "innerError": {
                "date": moment[:19],
                "request-id": request,
                "client-request-id": client_request,
            },
        }
    }


_ERRORS = "https://login.microsoftonline.com/error?code="
"""Where Entra explains its numbers, whatever cloud they come from."""


def _entra(fault: Fault, moment: str, request: str, client_request: str) -> dict[str, Any]:
    # https://learn.microsoft.com/entra/identity-platform/reference-error-codes
    at = f"{moment[:10]} {moment[11:19]}Z"
    number = _AADSTS.match(fault.message)
    return {
        "error": fault.code,
        "error_description": f"{fault.message}\r\nTrace ID: {request}\r\n"
        f"Correlation ID: {client_request}\r\nTimestamp: {at}",
        "error_codes": [int(number[1])] if number else [],
        "timestamp": at,
        "trace_id": request,
        "correlation_id": client_request,
        **({"error_uri": f"{_ERRORS}{number[1]}"} if number else {}),
    }


def _defender(fault: Fault, _: str, request: str, __: str) -> dict[str, Any]:
    # https://learn.microsoft.com/defender-xdr/api-error-codes: the target tracks the request.
    code = fault.code or "BadRequest"
    return {"error": {"code": code, "message": fault.message, "target": request}}


def _plain_2023(fault: Fault, *_: str) -> dict[str, Any]:
    code, message = _WORDS_2023.get(fault.status, (fault.code, fault.message))
    return {"error": {"code": code, "message": message}}


_AADSTS = re.compile(r"AADSTS(\d{4,9})", re.ASCII)
_FACES: dict[Face, Callable[..., dict[str, Any]]] = {
    "arm": _arm,
    "graph": _graph,
    "entra": _entra,
    "logs": _logs,
    "defender": _defender,
    "2023-01-01": _plain_2023,
}


# ---- the other direction


def problem(reply: Reply, of: str) -> VedetteError:
    """
    Return what this reply, which is no success, means: `of` says what was asked. Text of the
    service is shortened and cleaned of control characters.
    """
    return _meaning(reply, of).about(reply.request)


def _meaning(reply: Reply, of: str) -> VedetteError:
    if reply.status < 400:
        return Garbled(
            f"{of}: answered {reply.status} where the service answers otherwise",
            hint="a proxy or sign-in page may have answered instead of the service",
        )
    if reply.body.lstrip()[:1] == b"<":
        return Garbled(
            f"{of}: answered {reply.status} with a web page",
            hint="a proxy or sign-in page may have answered instead of the service",
        )
    code, message = _told(reply.body)
    said = ": ".join(part for part in (code, message) if part) or "no reason given"
    if _AADSTS.search(message):
        return _sign_in(of, message)
    return _MEANINGS.get(reply.status, _failed)(reply, of, said)


def _told(body: bytes) -> tuple[str, str]:
    """Return code and message, from whichever of the shapes the services use."""
    try:
        told = msgspec.json.decode(body[:_READ]) if body else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", ""
    error = _folded(told)
    inner = error.get("error")
    if isinstance(inner, str):  # OAuth: error is the code
        return clean(inner), clean(error.get("error_description") or "")
    if isinstance(inner, dict):
        error = _folded(inner)
    return clean(error.get("code") or ""), clean(error.get("message") or "")


def _folded(value: object) -> dict[str, Any]:
    # App Service answers with Code and Message, ARM with code and message.
    return (
        {str(name).lower(): told for name, told in value.items()} if isinstance(value, dict) else {}
    )


def clean(text: object, longest: int = _LONGEST) -> str:
    """
    Return text of a service fit for one line: no control characters, nothing that looks like
    a token (a proxy may say back what it was sent), not too long.
    """
    shown = "".join(letter if letter.isprintable() else " " for letter in str(text)[: 4 * longest])
    shown = untold(" ".join(shown.split()))
    return shown if len(shown) <= longest else f"{shown[: longest - 1]}…"


# https://learn.microsoft.com/entra/identity-platform/reference-error-codes
_SIGN_IN_HINTS = {
    "7000215": "the client secret is wrong; its value is wanted, not its id",
    "7000222": "the client secret has expired; make a new one for the application",
    "7000218": "neither a secret nor a certificate was sent",
    "700016": "the application is not in this tenant; check client id and tenant id",
    "700024": "the federated token or certificate assertion has expired; check the clock",
    "700027": "the certificate is not the one registered for the application",
    "700213": "no federated credential of the application matches this token's subject",
    "90002": "there is no such tenant; check the tenant id and the cloud",
    "900023": "the tenant id is neither a GUID nor a domain",
    "9001023": "an application needs a tenant of its own, not 'common'",
    "90130": "an application needs a tenant of its own, not 'common'",
    "70011": "the scope is wrong; check the endpoints of the profile",
    "700022": "the scope names more than one resource",
    "28003": "the scope is missing",
    "700023": "the scope is missing",
    "500011": "this resource is unknown in the tenant; check the cloud and its endpoints",
    "50001": "this resource is unknown in the tenant; check the cloud and its endpoints",
    "900382": "tenant and cloud do not belong together",
    "900432": "tenant and cloud do not belong together",
    "90038": "tenant and cloud do not belong together",
    "65001": "an administrator has not consented to the application's permissions yet",
    "50076": "multi-factor sign-in is needed; sign in again",
    "50173": "the session was revoked; sign in again",
    "53003": "a conditional access policy blocks this sign-in",
    "90006": "a passing trouble of the sign-in service; try again",
    "90024": "a passing trouble of the sign-in service; try again",
    "90033": "a passing trouble of the sign-in service; try again",
    "90055": "the tenant asks for too many tokens just now; try again later",
}


def _sign_in(of: str, message: str) -> SignIn:
    found = _AADSTS.search(message)
    hint = _SIGN_IN_HINTS.get(found[1]) if found else None
    shown = re.split(r" ?Trace ID:", message)[0]
    return SignIn(f"{of}: {shown}", hint=hint)


def _unauthorized(reply: Reply, of: str, said: str) -> VedetteError:  # noqa: ARG001  # one shape for all
    if "not provisioned" in said:
        # A fresh token does not cure it: the tenant has no Defender XDR.
        return SignIn(f"{of}: {said}", hint="does this tenant have Microsoft Defender XDR?")
    return SignIn(f"{of}: the token was refused ({said})", hint="sign in again; check the tenant")


_ACTION = re.compile(r"perform action '([^']{1,200})'")
_SCOPE = re.compile(r"over scope '([^']{1,500})'")
_GRAPH_ROLES = re.compile(r"API required roles: ([A-Za-z.,]{1,200})")
_RECENT = "a new role takes up to ten minutes and a fresh token"


def _denied(reply: Reply, of: str, said: str) -> VedetteError:  # noqa: ARG001  # one shape for all
    if roles := _GRAPH_ROLES.search(said):
        # The message goes on to list what the caller has; that is nobody's business here.
        names = " or ".join(roles[1].rstrip(",.").split(","))
        return Denied(
            f"{of}: the application lacks a permission on Microsoft Graph: {names}",
            hint="grant SecurityIncident.Read.All to read, SecurityIncident.ReadWrite.All to "
            f"write, with an administrator's consent; {_RECENT}",
        )
    if action := _ACTION.search(said):
        scope = _SCOPE.search(said)
        over = f" over {scope[1]}" if scope else ""
        return Denied(
            f"{of}: the identity may not perform {action[1]}{over}",
            hint=f"it needs {_role(action[1])} there (active, if it is given through PIM); {_RECENT}",
        )
    return Denied(
        f"{of}: refused ({said})",
        hint="Microsoft Sentinel Reader, Responder or Contributor, or on Graph "
        "SecurityIncident.Read.All or SecurityIncident.ReadWrite.All; is a PIM role active?",
    )


def _role(action: str) -> str:
    # https://learn.microsoft.com/azure/sentinel/roles
    action = action.lower()
    if action.endswith("/read"):
        return "the role Microsoft Sentinel Reader"
    if action.endswith("/delete"):
        return "the role Microsoft Sentinel Contributor"
    if "/incidents/" in action or "/cases/" in action:
        return "the role Microsoft Sentinel Responder"
    return "the role Microsoft Sentinel Contributor"


def _missing(reply: Reply, of: str, said: str) -> VedetteError:  # noqa: ARG001  # one shape for all
    return Missing(f"{of}: not there ({said})")


def _overtaken(reply: Reply, of: str, said: str) -> VedetteError:  # noqa: ARG001  # one shape for all
    return Overtaken(f"{of}: somebody else was first ({said})")


def _throttled(reply: Reply, of: str, said: str) -> VedetteError:
    return Failed(
        f"{of}: the service asks to slow down ({reply.status}, {said})",
        hint="others share this quota; try again later",
    )


def _failed(reply: Reply, of: str, said: str) -> VedetteError:
    return Failed(f"{of}: the service answered {reply.status} ({said})")


_MEANINGS = {
    401: _unauthorized,
    403: _denied,
    404: _missing,
    409: _overtaken,
    412: _overtaken,
    429: _throttled,
    503: _throttled,
}

_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?", re.ASCII)


def retry_after(reply: Reply, now_epoch: float) -> float | None:
    """
    Return how many seconds the service asks to wait, or None where it says nothing that can
    be understood: headers are a stranger's text. A date that has passed is no wait at all.
    """
    for name, scale in (("retry-after-ms", 1000), ("x-ms-retry-after-ms", 1000)):
        if (told := reply.headers.get(name, "").strip()) and _SECONDS.fullmatch(told):
            return float(told) / scale
    told = reply.headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(told):
        return float(told)
    at = _date(told)
    return None if at is None or not math.isfinite(now_epoch) else max(0.0, at - now_epoch)


def dated(reply: Reply) -> float | None:
    """Return when the service says it answered, in seconds since 1970; None if it does not."""
    return _date(reply.headers.get("date", "").strip())


# https://www.rfc-editor.org/rfc/rfc9110#section-5.6.7: the form that may be sent.
_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (\d\d) ([A-Z][a-z]{2}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT",
    re.ASCII,
)
_MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]


def _date(told: str) -> float | None:
    found = _DATE.fullmatch(told)
    if found is None or found[2] not in _MONTHS:
        return None
    day, _, year, hour, minute, second = found.groups()
    month = _MONTHS.index(found[2]) + 1
    try:
        at = datetime(int(year), month, int(day), int(hour), int(minute), int(second), tzinfo=UTC)
    except ValueError:
        return None
    return at.timestamp()
