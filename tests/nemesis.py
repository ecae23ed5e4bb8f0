"""
A nemesis: it stands between a run and its service and, from a seed, does to each call what
networks and services do. Time is an argument: the loop leaps to its next timer, so hours pass
at once.
"""

from __future__ import annotations

import asyncio
import json
import selectors
from random import Random

from msgspec import Struct
from msgspec.structs import replace

from vedette.embedded import InProcess
from vedette.errors import Unreachable
from vedette.service.faults.meet import place, remove
from vedette.service.faults.script import Rule
from vedette.service.state.log import latest
from vedette.wire.http import Reply

OURS = ("night-shift", "CHG-2291")
"""The tags of the run; nobody else uses them."""
SAID = "Taken over by the night shift."
PAGE = b"<!DOCTYPE html><html><body>Welcome to the hotel</body></html>"
_JSON = {"content-type": "application/json"}


class Leaping(asyncio.SelectorEventLoop):
    """A loop whose time is that of its next timer: nobody ever waits."""

    def __init__(self) -> None:
        self.passed = 0.0
        super().__init__(_Eager(self))

    def time(self) -> float:
        return self.passed


class _Eager(selectors.DefaultSelector):
    def __init__(self, loop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout=None):
        ready = super().select(0)
        if ready or timeout == 0:
            return ready
        assert timeout is not None, "everybody waits, and nothing will ever happen"
        self._loop.passed += max(timeout, 1e-6)
        return ready


def leap(talk):
    """Run this on a loop of its own that leaps."""
    with asyncio.Runner(loop_factory=Leaping) as runner:
        return runner.run(talk)


# ---- what happens to calls


class Sent(Struct, kw_only=True):
    """
    A call of the run and what became of it. `seen` is the newest change that its answer shows,
    where it is an answer that shows any; `made` the changes that it made, by serial.
    """

    method: str
    url: str
    fault: str
    at: float
    looked: int = 0
    heard: float | None = None
    seen: int | None = None
    stale: bool = False
    made: tuple[int, ...] = ()
    shows: frozenset[str] = frozenset()


def _shown(call, reply: Reply) -> frozenset[str]:
    """The incidents whose documents an answer holds, by id: its own, a list's, an envelope's."""
    if reply.status != 200 or not (call.method == "GET" or call.url.endswith("/$batch")):
        return frozenset()
    told = json.loads(reply.body)
    whole = [one.get("body") or {} for one in told.get("responses", ())] or [told]
    several = [one for each in whole for one in each.get("value", [each])]
    names = (one.get("name") or one.get("id") for one in several if isinstance(one, dict))
    return frozenset(str(name) for name in names if name)


_BEFORE = {"429": 429, "500": 500, "502": 502, "503": 503, "expired": 401, "challenge": 401}
_AFTER = {"500 after": 500, "503 after": 503, "504 after": 504}
_WAITS = (None, "0", "1", "1.5", "-1", "17", "junk", "inf", "Sun, 22 Nov 2026 07:00:30 GMT")
_CHALLENGE = (
    'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"'
    ', error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ"'
)
_READS = ("stale", "stale", "truncated", "empty", "html", "slow")
_WRITES = ("lost before", "lost after", "late", "twice", "truncated", "empty", "html", "slow")
_ANY = (*_BEFORE, *_AFTER, "429", "lost before", "lost after")
_WEATHERS = ("429", "429", "down", "html", "503")


class Nemesis:
    """A sender that lets calls through to another one, or not, as its seed has it."""

    def __init__(self, sender: InProcess, random: Random, *, harm: float) -> None:
        self.sender = sender
        self.history: list[Sent] = []
        self.calm = False
        self._random = random
        self._harm = harm
        self._ghosts: set[asyncio.Task[Reply]] = set()
        self._patience = 30.0
        self._weather = sorted(
            (begins, begins + random.uniform(1, 60), random.choice(_WEATHERS))
            for begins in (random.uniform(0, 400) for _ in range(random.randrange(4)))
        )

    async def send(self, call, *, fresh=False, claims=None):
        """Carry the call as fate has it. The service may carry it out long after we gave up."""
        if not call.url.startswith("https://") or "/users/" in call.url:
            return await self.sender.send(call)
        at = asyncio.get_running_loop().time()
        one = Sent(
            method=call.method, url=call.url, fault=self._fault(call, at, fresh=fresh), at=at
        )
        one.looked = len(self.history)
        self.history.append(one)
        ghost = asyncio.create_task(self._carried(call, one))
        self._ghosts.add(ghost)
        ghost.add_done_callback(self._done)
        patience = 0.5 if one.fault == "late" else self._patience
        try:
            reply = await asyncio.wait_for(asyncio.shield(ghost), patience)
        except TimeoutError:
            raise Unreachable("it did not answer in time") from None
        one.heard = asyncio.get_running_loop().time()
        return reply

    async def settle(self) -> None:
        """Wait until nothing is under way any more."""
        while self._ghosts:
            await asyncio.wait(self._ghosts)

    async def close(self) -> None:
        await self.sender.close()

    def _done(self, ghost) -> None:
        self._ghosts.discard(ghost)
        if not ghost.cancelled():
            ghost.exception()  # that nobody asked for it is no news

    def _fault(self, call, at: float, *, fresh: bool) -> str:
        if self.calm:
            return ""
        for begins, ends, weather in self._weather:
            if begins <= at < ends:
                return weather
        if self._random.random() >= self._harm:
            return ""
        choices = (*_ANY, *(_READS if call.method == "GET" else _WRITES))
        fault = self._random.choice(choices)
        if fresh and fault in ("expired", "challenge") and self._random.random() < 0.8:
            return ""
        # a comment on Graph has no id: that nobody sends it a second time is all that is promised
        return "" if call.method == "POST" and fault in ("late", "twice") else fault

    async def _carried(self, call, one: Sent) -> Reply:
        random, fault = self._random, one.fault
        await asyncio.sleep(random.expovariate(5))
        if fault == "late":
            await asyncio.sleep(random.uniform(1, 60))
        if fault in ("lost before", "down"):
            raise Unreachable("the connection was reset")
        if fault == "html":
            return Reply(status=random.choice((200, 200, 302, 511)), body=PAGE)
        if fault in _BEFORE:
            return self._refused(_BEFORE[fault], fault)
        reply = await self._landed(call, one)
        if fault == "twice":
            await asyncio.sleep(random.choice((0.0, 0.2)) if _is_guarded(call) else 0.0)
            again = await self._landed(call, one)
            reply = random.choice((reply, again))
        await asyncio.sleep(random.uniform(2, 25) if fault == "slow" else random.expovariate(5))
        if fault == "lost after":
            raise Unreachable("the connection was reset")
        if fault in _AFTER:
            return Reply(status=_AFTER[fault], body=b'{"error":{"code":"InternalServerError"}}')
        if fault in ("truncated", "empty"):
            one.seen = None
            return replace(reply, body=reply.body[: len(reply.body) * 2 // 3 * (fault != "empty")])
        return reply

    def _refused(self, status: int, fault: str) -> Reply:
        headers = dict(_JSON)
        told = self._random.choice(_WAITS)
        if self._random.random() < 0.005:
            told = "999999"
        if status in (429, 503) and told is not None:
            headers["retry-after"] = told
        if status == 429:
            headers["x-ms-failure-cause"] = self._random.choice(("gateway", "service"))
        if fault == "challenge":
            headers["www-authenticate"] = _CHALLENGE
        return Reply(status=status, headers=headers, body=b'{"error":{"code":"Busy"}}')

    async def _landed(self, call, one: Sent) -> Reply:
        """Let the service answer, and note what that shows or changes."""
        connection = self.sender.world.connection
        back = self._random.choice((1, 1, 2, 5)) if one.fault == "stale" else 0
        if back:
            self._let(Rule(what="stale", back=back, times=1))
        before = latest(connection)
        reply = await self.sender.send(call)
        if back:
            self._let(None)
        one.stale = bool(back)
        one.made += tuple(range(before + 1, latest(connection) + 1))
        if reply.status == 200:
            one.seen = self._rewound(call, before, back)
            one.shows = _shown(call, reply)
        return reply

    def _rewound(self, call, newest: int, back: int) -> int:
        """The newest change that an answer shows which knows nothing of the last few."""
        connection = self.sender.world.connection
        if not back:
            is_read = call.method == "GET" or call.url.endswith("/$batch")
            return newest if is_read else latest(connection)
        segments = call.url.split("?")[0].split("/")
        mark = ",".join("?" * len(segments))
        rows = connection.execute(
            f"SELECT change.serial FROM change JOIN incident ON incident.name = change.incident"
            f" WHERE incident.name IN ({mark}) OR CAST(incident.xdr AS TEXT) IN ({mark})"
            " ORDER BY change.serial DESC LIMIT ?",
            (*segments, *segments, back),
        ).fetchall()
        return min((serial for (serial,) in rows), default=newest + 1) - 1

    def _let(self, rule: Rule | None) -> None:
        world = self.sender.world
        world.connection.execute("BEGIN")
        if rule is None:
            remove(world.connection)
        else:
            place(world.connection, (rule,))
        world.connection.execute("COMMIT")
        world._faults.forget()


def _is_guarded(call) -> bool:
    return call.method == "PUT" or b'"etag"' in (call.body or b"")
