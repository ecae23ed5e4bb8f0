"""
Spans of OpenTelemetry, by its conventions for clients of HTTP. Only a process that has set it
up has it loaded; in any other nothing of it is imported.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from vedette.wire.http import Call, Reply
from vedette.wire.veil import veiled

if TYPE_CHECKING:
    from opentelemetry.trace import Span, Tracer


def tracer() -> Tracer | None:
    """Return what makes spans; None where nobody has set it up."""
    if "opentelemetry.sdk.trace" not in sys.modules:
        return None
    from opentelemetry import trace  # noqa: PLC0415 - as above

    from vedette import __version__  # noqa: PLC0415 - as above

    return trace.get_tracer("vedette", __version__)


def within(tracer: Tracer, name: str, attributes: dict[str, Any]) -> AbstractContextManager[Span]:
    """Return a span of our own, to be entered; what is asked within belongs to it."""
    return tracer.start_as_current_span(name, attributes=attributes)


def call(tracer: Tracer, call: Call) -> AbstractContextManager[Span]:
    """Return the span of a call, to be entered."""
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - whoever has a tracer has it

    there = urlsplit(call.url)
    attributes: dict[str, Any] = {
        "http.request.method": call.method,
        "server.address": there.hostname or "",
        "server.port": there.port or 443,
        "url.full": veiled(call.url),
        "vedette.operation": call.operation,
    }
    name = f"{call.method} {call.operation}".strip()
    return tracer.start_as_current_span(name, attributes=attributes, kind=SpanKind.CLIENT)


def answered(span: Span, reply: Reply) -> None:
    """Put on a call's span how it was answered; an error's kind is its status."""
    span.set_attribute("http.response.status_code", reply.status)
    # as the vendor's own clients call it
    span.set_attribute("az.client_request_id", reply.request or "")
    if reply.status >= 400:
        from opentelemetry.trace import StatusCode  # noqa: PLC0415 - whoever has a span has it

        span.set_attribute("error.type", str(reply.status))
        span.set_status(StatusCode.ERROR)
