"""
Asking Graph many things at once, in as few round trips as it lets: `$batch`.

It saves no quota: twenty questions in one envelope count as twenty.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TypeVar

from vedette.flow.talk import Ask, Heard, Talk, Tell
from vedette.run.door import Envelope, door
from vedette.run.drive import TURN, Driver, Durable
from vedette.run.ways import Turn, joint
from vedette.wire.batch import MOST
from vedette.wire.graph import Graph
from vedette.wire.http import Reply

T = TypeVar("T")


async def ask_all(driver: Driver, dialect: Graph, questions: Sequence[Ask]) -> list[Reply]:
    """
    Return the replies to these questions about one tenant, in their order. What an envelope
    leaves without an answer is asked alone, and so is everything where none is taken.
    """
    some = [questions[at : at + MOST] for at in range(0, len(questions), MOST)]
    parts = await asyncio.gather(*(_asked(driver, dialect, part) for part in some))
    return [reply for part in parts for reply in part]


async def _asked(driver: Driver, dialect: Graph, questions: Sequence[Ask]) -> list[Reply]:
    if len(questions) == 1:
        return [await driver.ask(questions[0])]
    envelope = Envelope(dialect, [question.call for question in questions])
    first = questions[0].of
    with door(driver).opening(envelope):
        await driver.ask(Ask(call=envelope.call, of=f"{first} and {len(questions) - 1} more"))
    answers = envelope.answers
    left = [n for n, one in enumerate(answers) if one is None or one.status >= 500]
    alone = await asyncio.gather(*(driver.ask(questions[n]) for n in left))
    for number, reply in zip(left, alone, strict=True):
        answers[number] = reply
    return [one for one in answers if one is not None]


class Together:
    """Asks in one envelope what is asked in one turn of the event loop."""

    def __init__(self, driver: Driver, dialect: Graph) -> None:
        self._driver = driver
        self._dialect = dialect
        self._waiting: list[tuple[Ask, asyncio.Future[Reply], Turn | None]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def ask(self, question: Ask) -> Reply:
        """Ask, together with whatever else is asked in this turn."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Reply] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._go)
        self._waiting.append((question, answer, TURN.get()))
        return await answer

    async def carry(self, talk: Talk[T], durable: Durable) -> T:
        """Carry a conversation as the driver does, its questions together with others'."""
        try:
            say = next(talk)
            while True:
                if isinstance(say, Tell):
                    await durable(say)
                    answer: Heard = await self._driver.tell(say)
                else:
                    answer = await self.ask(say)
                say = talk.send(answer)
        except StopIteration as ended:
            result: T = ended.value
            return result

    def _go(self) -> None:
        waiting, self._waiting = self._waiting, []
        for at in range(0, len(waiting), MOST):
            task = asyncio.get_running_loop().create_task(self._carry(waiting[at : at + MOST]))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry(
        self, waiting: Sequence[tuple[Ask, asyncio.Future[Reply], Turn | None]]
    ) -> None:
        # each step kept room for its own question; the envelope goes with all of it
        way = self._driver.gates.way(waiting[0][0].call)
        turn = joint((one for *_, one in waiting if one is not None), way.paced)
        TURN.set(turn)
        try:
            replies = await ask_all(self._driver, self._dialect, [one for one, *_ in waiting])
        except asyncio.CancelledError:
            for _, answer, _ in waiting:
                answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - whoever waits for an answer must hear of it
            for _, answer, _ in waiting:
                if not answer.done():
                    answer.set_exception(error)
            return
        finally:
            turn.end()
        for (_, answer, _), reply in zip(waiting, replies, strict=True):
            if not answer.done():
                answer.set_result(reply)
