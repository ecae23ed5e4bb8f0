"""Many questions in few round trips, against the service's own $batch."""

from __future__ import annotations

import asyncio
import json

import msgspec
import pytest
from msgspec.structs import replace

from acceptance import Desk, in_process, run
from test_run_mishaps import trouble
from vedette.errors import Unreachable
from vedette.flow.talk import Ask
from vedette.run.batch import Together, ask_all
from vedette.service.calls import calls


@pytest.fixture
def desk(tmp_path):
    made = Desk(in_process("graph", tmp_path / "world.db", sample=120), tmp_path)
    made.slept = []
    sleep = made.link.driver._sleep

    async def noted(seconds):
        made.slept.append(seconds)
        await sleep(seconds)

    made.link.driver._sleep = noted
    return made


def graph(desk):
    return desk.link.dialects["xdr"]


async def questions(desk, count):
    keys = sorted(await desk.everything())[:count]
    ids = [key.rpartition("#")[2] for key in keys]
    return ids, [Ask(call=graph(desk).read(name), of=f"incident {name}") for name in ids]


def asked(desk):
    world = desk.link.driver.sender.world
    world.connection.execute("BEGIN")
    world.write_calls(anyway=True)
    world.connection.execute("COMMIT")
    return list(calls(world.connection))


def ids_of(replies):
    return [json.loads(reply.body)["id"] for reply in replies]


def twisted(desk, twist):
    """Change what comes back in an envelope, item by item."""
    sender = desk.link.driver.sender

    class Twisted:
        world = sender.world

        async def send(self, call, **more):
            reply = await sender.send(call, **more)
            if not call.url.endswith("/$batch"):
                return reply
            told = json.loads(reply.body)["responses"]
            body = msgspec.json.encode({"responses": twist(told)})
            return replace(reply, body=body)

        async def close(self):
            await sender.close()

    desk.link.driver.sender = Twisted()


def test_many_questions_are_asked_in_envelopes_of_twenty_and_answered_in_order(desk):
    async def job():
        ids, asks = await questions(desk, 45)
        before = len(asked(desk))
        return ids, await ask_all(desk.link.driver, graph(desk), asks), asked(desk)[before:]

    ids, replies, called = run(job())
    assert ids_of(replies) == ids
    assert sum(one.url.endswith("/$batch") for one in called) == 3
    assert len(called) == 48


def test_one_question_travels_alone_and_none_not_at_all(desk):
    async def job():
        ids, asks = await questions(desk, 1)
        before = len(asked(desk))
        replies = await ask_all(desk.link.driver, graph(desk), asks)
        assert await ask_all(desk.link.driver, graph(desk), []) == []
        return ids, replies, asked(desk)[before:]

    ids, replies, called = run(job())
    assert ids_of(replies) == ids
    assert [one.url.endswith("/$batch") for one in called] == [False]


def test_an_incident_that_is_not_there_is_told_beside_those_that_are(desk):
    async def job():
        ids, asks = await questions(desk, 2)
        gone = Ask(call=graph(desk).read("999999999"), of="incident 999999999")
        return ids, await ask_all(desk.link.driver, graph(desk), [asks[0], gone, asks[1]])

    ids, replies = run(job())
    assert [reply.status for reply in replies] == [200, 404, 200]
    assert ids_of([replies[0], replies[2]]) == ids


def test_a_question_that_was_throttled_is_asked_again_and_its_patience_is_the_pacers(desk):
    """Items are throttled one by one; those that were answered are not asked a second time."""

    async def job():
        ids, asks = await questions(desk, 20)
        before = len(asked(desk))
        path = f"/v1.0/security/incidents/{ids[7]}"
        trouble(desk, method="GET", path=path, status=429, headers={"Retry-After": "31"})
        replies = await ask_all(desk.link.driver, graph(desk), asks)
        return ids, replies, asked(desk)[before:]

    ids, replies, called = run(job())
    assert ids_of(replies) == ids
    assert round(sum(desk.slept)) == 31
    reads = [one for one in called if not one.url.endswith("/$batch")]
    assert len(reads) == 21
    assert [one.url.rpartition("/")[2] for one in reads].count(ids[7]) == 2


@pytest.mark.parametrize("status", [401, 424, 500, 502])
def test_an_item_that_was_not_answered_is_asked_alone(desk, status):
    async def job():
        ids, asks = await questions(desk, 5)
        twisted(desk, lambda told: [*told[:3], {"id": "3", "status": status}, told[4]])
        return ids, await ask_all(desk.link.driver, graph(desk), asks)

    ids, replies = run(job())
    assert ids_of(replies) == ids


@pytest.mark.parametrize("twist", [lambda told: told[2:], lambda _: [], lambda told: told[::-1]])
def test_answers_that_are_missing_or_out_of_order_are_asked_for_or_put_in_order(desk, twist):
    async def job():
        ids, asks = await questions(desk, 5)
        twisted(desk, twist)
        return ids, await ask_all(desk.link.driver, graph(desk), asks)

    ids, replies = run(job())
    assert ids_of(replies) == ids


@pytest.mark.parametrize("status", [400, 404, 405])
def test_where_no_envelope_is_taken_everything_is_asked_alone(desk, status):
    async def job():
        ids, asks = await questions(desk, 5)
        trouble(desk, method="POST", path="/v1.0/$batch", status=status)
        return ids, await ask_all(desk.link.driver, graph(desk), asks)

    ids, replies = run(job())
    assert ids_of(replies) == ids


def test_what_is_asked_in_one_turn_travels_together(desk):
    async def job():
        ids, asks = await questions(desk, 30)
        before = len(asked(desk))
        together = Together(desk.link.driver, graph(desk))
        replies = await asyncio.gather(*(together.ask(one) for one in asks))
        replies.append(await together.ask(asks[0]))
        return ids, replies, asked(desk)[before:]

    ids, replies, called = run(job())
    assert ids_of(replies) == [*ids, ids[0]]
    assert sum(one.url.endswith("/$batch") for one in called) == 2


def test_whoever_waits_hears_of_an_error(desk):
    async def job():
        _, asks = await questions(desk, 3)

        class Cut:
            async def send(self, call, **more):
                raise Unreachable("the line is cut")

            async def close(self):
                pass

        desk.link.driver.sender = Cut()
        together = Together(desk.link.driver, graph(desk))
        return await asyncio.gather(*(together.ask(one) for one in asks), return_exceptions=True)

    assert {type(one) for one in run(job())} == {Unreachable}
