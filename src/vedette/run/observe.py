"""
What a run does, told as it happens: lines of a log, the conversation about one incident, and
spans of OpenTelemetry where a program that uses vedette has set it up.

No token, secret or text of an incident is in the log. The conversation has what was written,
for whoever looks for a mistake, and is made harmless by whoever shows it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from msgspec import Struct

from vedette.errors import VedetteError
from vedette.flow.talk import Tell
from vedette.run import spans, trace
from vedette.run.credentials import Credential, Grant
from vedette.run.drive import Sender
from vedette.run.logfile import Log
from vedette.wire.http import Call, Reply
from vedette.wire.veil import untold, veiled


class _Step(Struct):
    """
    A step that is worked on: `since` is when its last call came back, or it began, and
    `document` what that call brought.
    """

    key: str
    since: float
    document: Any = None


_STEP: ContextVar[_Step | None] = ContextVar("step", default=None)
"""The step that is worked on, in the task that does."""


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
        self._key = key.casefold() if key else None
        self._say = say if key else None
        self.tracer = spans.tracer()
        self._counts: dict[str, Counter[str]] = {}

    @property
    def is_idle(self) -> bool:
        """Whether nobody is to be told."""
        return self.log is None and self._say is None and self.tracer is None

    @contextmanager
    def step(self, key: str) -> Iterator[None]:
        """Carry a step: what is sent meanwhile belongs to it."""
        if self.is_idle:
            yield
            return
        token = _STEP.set(_Step(key, time.monotonic()))
        try:
            with self._span("vedette.step", {"vedette.incident": key}):
                yield
        finally:
            _STEP.reset(token)

    @contextmanager
    def run(self, name: str, planned: int) -> Iterator[None]:
        """Carry a run; at its end is told how many steps ended how, meanwhile."""
        self._write("run", run=name, planned=planned)
        counts = self._counts[name] = Counter()
        try:
            with self._span("vedette.run", {"vedette.run": name, "vedette.planned": planned}) as it:
                try:
                    yield
                finally:
                    if it is not None:
                        it.set_attributes(
                            {f"vedette.{word}": much for word, much in counts.items()}
                        )
        finally:
            self._counts.pop(name, None)
            self._write("ended", run=name, counts=dict(counts))
            if self.log is not None:
                self.log.flush()

    def outcome(self, run: str, key: str, outcome: str, error: str | None) -> None:
        """Be told how a step ended."""
        if self.is_idle:
            return
        self._counts[run][outcome] += 1
        self._write("step", run=run, step=key, outcome=outcome, error=error)
        if self._hears(key):
            self._tell(f"{key} {outcome}" + (f": {error}" if error else ""))

    def stopped(
        self, run: str, why: VedetteError | None, failures: Mapping[str, VedetteError]
    ) -> None:
        """Be told what ended a run early, and which places were given up."""
        for place, error in failures.items():
            self._failed(error, run=run, place=place)
        if why is not None:
            self._failed(why, run=run)

    def failure(self, error: VedetteError) -> None:
        """Be told what ended the command."""
        self._failed(error)

    def intends(self, write: Tell) -> None:
        """Be told that a step is about to write, before that is put on disk."""
        step = _STEP.get()
        if step is None:
            return
        self._write(
            "intent",
            step=step.key,
            attempt=write.attempt,
            fields=sorted(write.intent.after),
            comment=write.intent.comment,
        )
        if self._hears(step.key):
            for line in trace.meant(write):
                self._tell(f"{step.key} {line}")

    def waits(self, host: str, seconds: float) -> None:
        """Be told that a quota holds calls back; what is shorter than a second is its pace."""
        if seconds >= 1:
            self._write("wait", host=host, seconds=round(seconds, 3))

    def token(self, scope: str, seconds: float, error: str | None) -> None:
        """Be told that a token was asked for, and what kind of error came instead, if one did."""
        self._write("token", scope=scope, milliseconds=_milliseconds(seconds), error=error)

    def heard(self, call: Call, reply: Reply, began: float, ended: float) -> None:
        """Be told of a call that was answered, and when (monotonic)."""
        step, took = _STEP.get(), ended - began
        if self.log is not None:
            self.log.write(
                "call",
                **_said(call, step, reply.request, began),
                status=reply.status,
                milliseconds=_milliseconds(took),
                sent=len(call.body or b"") or None,
                received=len(reply.body),
                retryAfter=reply.headers.get("retry-after"),
            )
        if step is None:
            return
        if self._hears(step.key):
            lines = (
                *trace.said(call, began - step.since, step.document),
                *trace.heard(reply, took),
            )
            for line in lines:
                self._tell(f"{step.key} {line}")
            step.document = trace.document(reply.body)
        step.since = ended

    def lost(self, call: Call, error: BaseException, began: float, ended: float) -> None:
        """Be told of a call that nobody answered, and when (monotonic)."""
        step, took = _STEP.get(), ended - began
        ours = error if isinstance(error, VedetteError) else None
        self._write(
            "lost",
            **_said(call, step, ours.request if ours else None, began),
            milliseconds=_milliseconds(took),
            error=untold(ours.message) if ours else type(error).__name__,
        )
        if step is None:
            return
        if self._hears(step.key):
            for line in trace.said(call, began - step.since, step.document):
                self._tell(f"{step.key} {line}")
            self._tell(f"{step.key} {trace.unheard(error, took)}")
        step.since = ended

    def call(self, call: Call) -> Any:
        """Return the span of a call, to be entered, or what stands for none."""
        return nullcontext() if self.tracer is None else spans.call(self.tracer, call)

    def close(self) -> None:
        """Write what waits."""
        if self.log is not None:
            self.log.close()

    def _write(self, event: str, **facts: Any) -> None:
        if self.log is not None:
            self.log.write(event, **facts)

    def _failed(self, error: VedetteError, **where: str) -> None:
        self._write(
            "error",
            **where,
            code=error.code,
            message=untold(error.message),
            request=error.request,
        )

    def _hears(self, key: str) -> bool:
        return self._say is not None and self._key in ("*", key.casefold())

    def _tell(self, text: str) -> None:
        assert self._say is not None
        self._say(text)

    def _span(self, name: str, attributes: dict[str, Any]) -> Any:
        return nullcontext() if self.tracer is None else spans.within(self.tracer, name, attributes)


class Observed:
    """A sender of whose calls an observer is told."""

    def __init__(self, sender: Sender, observer: Observer) -> None:
        self.sender = sender
        self._observer = observer

    async def send(self, call: Call, *, fresh: bool = False, claims: str | None = None) -> Reply:
        """Send one call, and tell what came of it."""
        began = time.monotonic()
        with self._observer.call(call) as span:
            try:
                reply: Reply = await self.sender.send(call, fresh=fresh, claims=claims)
            except BaseException as error:
                self._observer.lost(call, error, began, time.monotonic())
                raise
            if span is not None:
                spans.answered(span, reply)
        self._observer.heard(call, reply, began, time.monotonic())
        return reply

    async def close(self) -> None:
        """Let go of connections."""
        await self.sender.close()


class Watched:
    """A credential of whose requests an observer is told; of the tokens nobody is."""

    def __init__(self, credential: Credential, observer: Observer) -> None:
        self._credential = credential
        self._observer = observer

    async def get_token(self, scope: str, /, *, claims: str | None = None) -> Grant:
        """Ask for a token, and tell that it was asked for."""
        began, kind = time.monotonic(), None
        try:
            given = {"claims": claims} if claims else {}
            return await self._credential.get_token(scope, **given)
        except BaseException as error:
            kind = type(error).__name__  # the vendor's words may quote anything
            raise
        finally:
            self._observer.token(scope, time.monotonic() - began, kind)

    async def close(self) -> None:
        """Let go of connections."""
        await self._credential.close()


@contextmanager
def observing(
    log_file: str | Path | None, *, environ: Mapping[str, str], say: Callable[[str], None]
) -> Iterator[Observer]:
    """
    Give who is told, as the log file named here and the variables say, of errors too; `say`
    hears of the conversation, and of a log that ends early. A file that cannot be written is
    `Asked`.
    """
    path = log_file or environ.get("VEDETTE_LOG_FILE")
    log = Log(Path(path), note=say) if path else None
    told = Observer(log=log, key=environ.get("VEDETTE_TRACE"), say=say)
    try:
        yield told
    except VedetteError as error:
        told.failure(error)
        raise
    finally:
        told.close()


def watched(sender: Sender, observer: Observer | None) -> Sender:
    """Return the sender, watched where somebody is told."""
    return sender if observer is None or observer.is_idle else Observed(sender, observer)


def asking(credential: Credential, observer: Observer | None) -> Credential:
    """Return the credential, watched where somebody is told."""
    return credential if observer is None or observer.is_idle else Watched(credential, observer)


def pausing(
    waiting: Callable[[str, float], None] | None, observer: Observer | None
) -> Callable[[str, float], None] | None:
    """Return what is told that a service asks to wait: whoever was told, and the observer."""
    if observer is None or observer.is_idle:
        return waiting

    def told(host: str, seconds: float) -> None:
        observer.waits(host, seconds)
        if waiting is not None:
            waiting(host, seconds)

    return told


def _said(call: Call, step: _Step | None, request: str | None, began: float) -> dict[str, Any]:
    return {
        "request": request,
        "step": step.key if step is not None else None,
        "method": call.method,
        "url": veiled(call.url),
        "operation": call.operation or None,
        "waited": _milliseconds(began - step.since) if step is not None else None,
    }


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 1)
