"""
The main job over a real socket: TLS, tokens from the local service's own Entra, the sender.
The same job as in memory, and what only a network can do to it.
"""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import msgspec
import pytest
from msgspec.structs import replace

from acceptance import DIALECTS, NOW, Desk, hurried, outcomes, run, steps
from vedette.errors import Denied, Failed, Garbled, Missing, SignIn, Strayed, Unreachable
from vedette.model import AddTags, Assign, Owner, edited
from vedette.run.choice import environment
from vedette.run.connect import connect
from vedette.run.edits import Wanted
from vedette.run.profile import Workspace
from vedette.run.settings import VERSIONS
from vedette.service.app import Service
from vedette.service.edge.environment import variables
from vedette.service.edge.folder import opened
from vedette.service.edge.trust import trusted
from vedette.service.faults import Trouble
from vedette.service.state import cast
from vedette.service.state.sample import fill
from vedette.service.world import World
from vedette.wire.http import Delivery

HUGO = Owner(object_id="0b0b0b0b-0000-4000-8000-000000000000", upn="hugo@contoso.example")


class Served:
    """A running service, and the variables that lead to it."""

    def __init__(self, service, world, variables):
        self.service = service
        self.world = world
        self.variables = variables

    def trouble(self, **what):
        self.world.connection.execute("BEGIN")
        self.world.cause(Trouble(**what))
        self.world.connection.execute("COMMIT")

    def profile(self, dialect="sentinel", **changed):
        told = environment(self.variables | changed)
        both = {
            name: Workspace(alias=name, id=cast.workspace_path(name)) for name in cast.WORKSPACES
        }
        tenants = {alias: replace(tenant, defender=True) for alias, tenant in told.tenants.items()}
        return replace(
            told,
            dialect=dialect,
            api_version=VERSIONS[dialect],
            workspaces=both,
            tenants=tenants,
        )

    async def connect(self, dialect="sentinel", patterns=(), **changed):
        return hurried(
            await connect(
                self.profile(dialect, **changed),
                patterns=patterns,
                environ=self.variables | changed,
            )
        )


@contextlib.asynccontextmanager
async def served(folder, *, sample=300):
    connection = opened(folder)
    connection.execute("BEGIN")
    fill(connection, count=sample, seed=7, now=NOW, secrets=("an operator's", "a reader's"))
    connection.execute("COMMIT")
    trust = trusted(folder, datetime.now(UTC))
    world = World(connection)
    service = Service(world, trust, clock=lambda: datetime.now(UTC))
    await service.start()
    told = variables(
        connection, service.url, authority=str(trust.authority), bundle=str(trust.bundle)
    )
    try:
        yield Served(service, world, told)
    finally:
        await service.stop()
        connection.close()


def over_tls(folder, job, **more):
    async def talk():
        async with served(folder, **more) as there:
            return await job(there)

    return run(talk())


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_main_job_from_plan_to_undo(dialect, tmp_path):
    async def job(there):
        link = await there.connect(dialect)
        try:
            desk = Desk(link, tmp_path)
            before = await desk.everything()
            proposal = await desk.propose()
            one = steps(proposal)[0]
            await desk.somebody_edits(one, Assign(owner=HUGO))
            finished = await desk.apply(proposal)
            count = len(proposal.plan.steps)
            assert outcomes(finished) == {"conflict": 1, "written": count - 1}
            assert steps(await desk.propose())[0].key == one.key
            undone = await desk.undo(finished.done)
            assert outcomes(undone) == {"written": count - 1}
            after = await desk.everything()
        finally:
            await link.close()
        del before[one.key], after[one.key]
        return before, after

    before, after = over_tls(tmp_path, job)
    assert before == after


@pytest.mark.parametrize(
    "what",
    [
        {"status": 429, "headers": {"Retry-After": "0"}},
        {"status": 500},
        {"status": 503, "headers": {"Retry-After": "0"}},
        {"delivery": Delivery(close="before")},
        {"delivery": Delivery(close="after")},
        {"delivery": Delivery(cut_at=10)},
        {"status": 401},
    ],
    ids=["429", "500", "503", "dropped", "reply lost", "reply cut", "token refused"],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_service_that_fails_now_and_then_costs_no_update(method, what, tmp_path):
    async def job(there):
        link = await there.connect()
        try:
            desk = Desk(link, tmp_path)
            proposal = await desk.propose()
            there.trouble(method=method, path="/subscriptions", times=3, **what)
            finished = await desk.apply(proposal)
        finally:
            await link.close()
        twice = there.world.connection.execute(
            "SELECT incident FROM change GROUP BY incident HAVING count(*) > 1"
        ).fetchall()
        return len(proposal.plan.steps), outcomes(finished), twice

    count, ended, twice = over_tls(tmp_path, job)
    assert ended == {"written": count}
    assert twice == []


async def _list(there, *, patterns=("soc-eu",), **changed):
    link = await there.connect(patterns=patterns, **changed)
    try:
        return [
            len(page.seen)
            for dialect in link.dialects.values()
            async for page in link.pages(dialect)
        ]
    finally:
        await link.close()


def test_a_wrong_secret_says_so_and_repeats_nothing_secret(tmp_path):
    async def job(there):
        with pytest.raises(SignIn, match="7000215") as failed:
            await _list(there, AZURE_CLIENT_SECRET="not-the-secret-at-all")
        return f"{failed.value} {failed.value.hint} {failed.value.__cause__!r}"

    assert "not-the-secret-at-all" not in over_tls(tmp_path, job)


def test_a_host_that_nobody_answers_at_is_named(tmp_path):
    async def job(there):
        there.variables |= {"AZURE_AUTHORITY_HOST": "https://localhost:9"}
        with pytest.raises(Unreachable):
            await _list(there)

    over_tls(tmp_path, job)


def test_a_service_that_stops_answering_is_unreachable(tmp_path):
    async def job(there):
        link = await there.connect()
        link.driver._pauses = (0,)
        await there.service.stop()
        with pytest.raises(Unreachable, match="localhost"):
            await link.read(link.dialects["soc-eu"], "1")
        await link.close()

    over_tls(tmp_path, job)


def test_a_role_that_is_missing_is_named(tmp_path):
    """The reader's application may plan; applying stops before the first write lands."""

    async def job(there):
        link = await there.connect(
            AZURE_CLIENT_ID=cast.READER_APP, AZURE_CLIENT_SECRET="a reader's"
        )
        try:
            desk = Desk(link, tmp_path)
            proposal = await desk.propose(wanted=Wanted(add_tag=("x",)))
            finished = await desk.apply(proposal)
        finally:
            await link.close()
        return finished

    finished = over_tls(tmp_path, job)
    assert set(outcomes(finished)) == {"remaining"}
    assert set(finished.failures) == {"soc-eu", "soc-us"}
    error = finished.failures["soc-eu"]
    assert isinstance(error, Denied)
    assert "incidents/write" in f"{error.message} {error.hint}"
    assert "Responder" in f"{error.message} {error.hint}"


def test_an_unknown_workspace_is_named(tmp_path):
    async def job(there):
        profile = there.profile()
        nowhere = cast.workspace_path("soc-mars")
        places = {"soc-mars": Workspace(alias="soc-mars", id=nowhere)}
        link = await connect(replace(profile, workspaces=places), environ=there.variables)
        try:
            with pytest.raises(Missing, match="soc-mars"):
                await Desk(link, tmp_path).propose()
        finally:
            await link.close()

    over_tls(tmp_path, job)


class Twisted:
    """A sender between us and the service that answers lists its own way."""

    def __init__(self, sender, twist):
        self._sender = sender
        self._twist = twist
        self.sent = []

    async def send(self, call, **more):
        self.sent.append(call.url)
        return self._twist(await self._sender.send(call, **more))

    async def close(self):
        await self._sender.close()


def _linked_to(url):
    def twist(reply):
        document = msgspec.json.decode(reply.body) | {"nextLink": url}
        return replace(reply, body=msgspec.json.encode(document))

    return twist


@pytest.mark.parametrize(
    ("twist", "error"),
    [
        (_linked_to("https://evil.example/steal"), Strayed),
        (lambda reply: replace(reply, body=b"<html>Welcome to the hotel</html>"), Garbled),
        (lambda reply: replace(reply, body=reply.body[:-20]), Garbled),
        (lambda reply: replace(reply, status=302, body=b""), Failed),
    ],
    ids=["another host", "a captive portal", "a truncated body", "a redirect"],
)
def test_an_answer_that_is_none_of_the_services_stops_before_anything_is_written(
    twist, error, tmp_path
):
    async def job(there):
        link = await there.connect(patterns=("soc-eu",))
        desk = Desk(link, tmp_path)
        link.driver.sender = Twisted(link.driver.sender, twist)
        with pytest.raises(error):
            await desk.propose()
        sent = link.driver.sender.sent
        await link.close()
        assert not [url for url in sent if "evil" in url]
        return there.world.connection.execute("SELECT count(*) FROM change").fetchone()

    assert over_tls(tmp_path, job) == (0,)


def test_pages_that_go_round_end_with_an_error(tmp_path):
    async def job(there):
        link = await there.connect(patterns=("soc-eu",))
        first = link.dialects["soc-eu"].list().url
        link.driver.sender = Twisted(link.driver.sender, _linked_to(first))
        with pytest.raises(Strayed, match="already read"):
            await Desk(link, tmp_path).propose(wanted=Wanted(add_tag=("x",)))
        await link.close()

    over_tls(tmp_path, job)


def test_a_write_is_never_repeated_by_the_library_underneath(tmp_path):
    """A kept connection that closes under a PUT: one PUT was sent, and we are told."""

    async def job(there):
        link = await there.connect()
        dialect = link.dialects["soc-eu"]
        page = await anext(link.pages(dialect))
        before, after = page.seen[0], edited(page.seen[0].incident, (AddTags(tags=("once",)),))
        there.trouble(method="PUT", path="/subscriptions", delivery=Delivery(close="after"))
        with pytest.raises(Unreachable):
            await link.driver.sender.send(dialect.update(before, after))
        await link.close()
        return there.world.connection.execute("SELECT count(*) FROM change").fetchone()

    assert over_tls(tmp_path, job) == (1,)
