"""
What a run does, told as it happens: lines of a log, the conversation of one step, and spans
of OpenTelemetry where a program that uses vedette has set it up.

No token, secret or text of an incident is in the log. The conversation has what was sent,
for whoever looks for a mistake, and is made harmless by whoever shows it.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from vedette.errors import Asked, VedetteError
from vedette.model.letters import harmless
from vedette.run.clock import now as the_time
from vedette.run.clock import stamp
from vedette.run.drive import Sender
from vedette.wire.http import Call, Reply

_STEP: ContextVar[str | None] = ContextVar("step", default=None)
"""The key of the incident that is being worked on, in the task that does."""

_MANY = 64
_OLD = 1.0
"""Lines wait in memory until there are so many, or for so many seconds."""
_SHOWN = 2_000
_SIGNED = re.compile(
    r"([?&](?:sig|code|token|access_token|client_secret|assertion)=)[^&#]*", re.IGNORECASE
)


class Log:
    """
    Lines of JSON in a file, appended, readable by its owner only. A file that cannot be
    written any more says so once, to `note`, and stops no run.
    """

    def __init__(self, path: Path, *, note: Callable[[str], None]) -> None:
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._file = os.open(path, flags, 0o600)
        except OSError as error:
            raise Asked(
                f"--log-file {path}: {error.strerror}", hint="name a file where you may write"
            ) from error
        self._path = path
        self._note = note
        self._waiting: list[bytes] = []
        self._since = 0.0

    def write(self, event: str, **facts: Any) -> None:
        """Note an event with what is known of it; members without a value are left out."""
        if self._file < 0:
            return
        told = {name: value for name, value in facts.items() if value is not None}
        line = {"at": stamp(the_time()), "event": event, **told}
        try:
            self._waiting.append(harmless(msgspec.json.encode(line)) + b"\n")
        except UnicodeEncodeError:  # half a surrogate pair is no text
            shown = {name: ascii(value) for name, value in line.items()}
            self._waiting.append(msgspec.json.encode(shown) + b"\n")
        now = time.monotonic()
        if len(self._waiting) == 1:
            self._since = now
        if len(self._waiting) >= _MANY or now - self._since >= _OLD:
            self.flush()

    def flush(self) -> None:
        """Hand what waits to the system."""
        if self._file < 0 or not self._waiting:
            return
        data, self._waiting = b"".join(self._waiting), []
        try:
            while data:
                data = data[os.write(self._file, data) :]
        except OSError as error:
            self._note(f"the log {self._path} ends here: {error.strerror}")
            self.close()

    def close(self) -> None:
        """Write what waits, and close the file; doing it twice is harmless."""
        if self._file < 0:
            return
        self.flush()
        if self._file >= 0:
            with suppress(OSError):
                os.close(self._file)
            self._file = -1


class Observer:
    """
    Who is told: a `log`; `say`, which hears the conversation about the incident whose key is
    `key` (`*`: about every one); and OpenTelemetry, if this process has set it up. Of none,
    nothing is asked and nothing spent.
    """

    def __init__(
        self,
        *,
        log: Log | None = None,
        key: str | None = None,
        say: Callable[[str], None] | None = None,
    ) -> None:
        self.log = log
        self._key = key
        self._say = say if key else None
        self.tracer = _tracer()

    @property
    def is_idle(self) -> bool:
        """Whether nobody is to be told."""
        return self.log is None and self._say is None and self.tracer is None

    @contextmanager
    def step(self, key: str) -> Iterator[None]:
        """Carry a step: what is sent meanwhile belongs to it."""
        token = _STEP.set(key)
        try:
            with self._span("vedette.step", {"vedette.incident": key}):
                yield
        finally:
            _STEP.reset(token)

    @contextmanager
    def run(self, name: str, planned: int) -> Iterator[None]:
        """Carry a run."""
        self._write("run", run=name, planned=planned)
        try:
            with self._span("vedette.run", {"vedette.run": name, "vedette.planned": planned}):
                yield
        finally:
            self._write("ended", run=name)
            if self.log is not None:
                self.log.flush()

    def outcome(self, run: str, key: str, outcome: str, error: str | None) -> None:
        """Be told how a step ended."""
        self._write("step", run=run, step=key, outcome=outcome, error=error)
        if self._hears(key):
            self._tell(f"{key} {outcome}" + (f": {error}" if error else ""))

    def failure(self, error: VedetteError) -> None:
        """Be told what ended the command."""
        self._write("error", code=error.code, message=error.message, request=error.request)

    def heard(self, call: Call, reply: Reply, seconds: float) -> None:
        """Be told of a call that was answered."""
        key = _STEP.get()
        if self.log is not None:
            self.log.write(
                "call",
                request=reply.request,
                step=key,
                method=call.method,
                url=redacted(call.url),
                operation=call.operation or None,
                status=reply.status,
                milliseconds=round(seconds * 1000, 1),
                sent=len(call.body or b"") or None,
                received=len(reply.body),
                retryAfter=reply.headers.get("retry-after"),
            )
        if self._hears(key):
            self._tell(f"{key} → {call.method} {redacted(call.url)}{_body(call.body)}")
            self._tell(f"{key} ← {reply.status} in {seconds * 1000:.0f} ms{_body(reply.body)}")

    def lost(self, call: Call, error: VedetteError, seconds: float) -> None:
        """Be told of a call that nobody answered."""
        key = _STEP.get()
        self._write(
            "lost",
            request=error.request,
            step=key,
            method=call.method,
            url=redacted(call.url),
            milliseconds=round(seconds * 1000, 1),
            error=error.message,
        )
        if self._hears(key):
            self._tell(f"{key} → {call.method} {redacted(call.url)}{_body(call.body)}")
            self._tell(f"{key} ← nothing: {error.message}")

    def call(self, call: Call) -> Any:
        """Return the span of a call, to be entered, or what stands for none."""
        if self.tracer is None:
            return nullcontext()
        parts = urlsplit(call.url)
        # https://opentelemetry.io/docs/specs/semconv/http/http-spans/
        attributes = {
            "http.request.method": call.method,
            "server.address": parts.hostname or "",
            "url.full": redacted(call.url),
            "vedette.operation": call.operation,
        }
        return self._span(f"{call.method} {call.operation}".strip(), attributes, client=True)

    def close(self) -> None:
        """Write what waits."""
        if self.log is not None:
            self.log.close()

    def _write(self, event: str, **facts: Any) -> None:
        if self.log is not None:
            self.log.write(event, **facts)

    def _hears(self, key: str | None) -> bool:
        return self._say is not None and key is not None and self._key in ("*", key)

    def _tell(self, text: str) -> None:
        assert self._say is not None
        self._say(text)

    def _span(self, name: str, attributes: dict[str, Any], *, client: bool = False) -> Any:
        if self.tracer is None:
            return nullcontext()
        from opentelemetry.trace import SpanKind  # noqa: PLC0415 - whoever has a tracer has it

        kind = SpanKind.CLIENT if client else SpanKind.INTERNAL
        return self.tracer.start_as_current_span(name, attributes=attributes, kind=kind)


class Observed:
    """A sender of whose calls an observer is told."""

    def __init__(self, sender: Sender, observer: Observer) -> None:
        self.sender = sender
        self._observer = observer

    async def send(self, call: Call, *, fresh: bool = False, claims: str | None = None) -> Reply:
        """Send one call, and tell what came of it."""
        began = time.perf_counter()
        with self._observer.call(call) as span:
            try:
                reply: Reply = await self.sender.send(call, fresh=fresh, claims=claims)
            except VedetteError as error:
                self._observer.lost(call, error, time.perf_counter() - began)
                raise
            if span is not None:
                span.set_attribute("http.response.status_code", reply.status)
                span.set_attribute("azure.client.id", reply.request or "")
        self._observer.heard(call, reply, time.perf_counter() - began)
        return reply

    async def close(self) -> None:
        """Let go of connections."""
        await self.sender.close()


def redacted(url: str) -> str:
    """Return an address without what signs it in: signatures and tokens in its query."""
    return _SIGNED.sub(r"\1…", url) if "?" in url else url


def _body(body: bytes | None) -> str:
    if not body:
        return ""
    text = body[:_SHOWN].decode("utf-8", "replace")
    return f"  {text}" + (f"… ({len(body):,} bytes)" if len(body) > _SHOWN else "")


def _tracer() -> Any:
    # whoever has set it up has loaded it; nobody else pays for looking
    if "opentelemetry.sdk.trace" not in sys.modules:
        return None
    from opentelemetry import trace  # noqa: PLC0415 - as above

    from vedette import __version__  # noqa: PLC0415 - as above

    return trace.get_tracer("vedette", __version__)
