"""The driver: tokens, gates and repeated questions, against a sender that says what it is told."""

from __future__ import annotations

import asyncio

import pytest

from vedette.errors import SignIn, Throttled, Unreachable
from vedette.flow.talk import Ask, Intent, Lost, Tell
from vedette.run.drive import Driver, challenge
from vedette.wire.http import Call, Reply

SUBSCRIPTION = "https://management.azure.com/subscriptions/s1/resourceGroups/g/incidents/1"
READ = Call(method="GET", url=SUBSCRIPTION)
WRITE = Call(method="PUT", url=SUBSCRIPTION, body=b"{}", kind="write")


class Script:
    """A sender that gives these answers in turn, and remembers what it was asked."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.sent: list[tuple[str, bool, str | None]] = []

    async def send(self, call, *, fresh=False, claims=None):
        self.sent.append((call.method, fresh, claims))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self):
        self.answers.clear()


def reply(status, **headers):
    return Reply(status=status, headers={k.replace("_", "-"): v for k, v in headers.items()})


def ask(script):
    return asyncio.run(Driver(script, pauses=(0, 0, 0)).ask(Ask(call=READ, of="one")))


def tell(script):
    write = Tell(call=WRITE, intent=Intent(), effect=0, attempt=1, of="one")
    return asyncio.run(Driver(script, pauses=(0, 0, 0)).tell(write))


def test_a_question_is_asked_again_until_there_is_an_answer():
    script = Script(Unreachable("reset"), reply(502), reply(200))
    assert ask(script).status == 200
    assert len(script.sent) == 3


def test_a_question_that_never_gets_an_answer_says_why():
    with pytest.raises(Unreachable, match="reset"):
        ask(Script(*[Unreachable("reset")] * 4))


def test_a_write_is_carried_once_and_its_lost_reply_is_told():
    script = Script(Unreachable("reset"))
    assert isinstance(tell(script), Lost)
    assert len(script.sent) == 1


def test_a_write_that_met_a_failing_service_is_not_repeated():
    """It may have been carried out: only the conversation can find out."""
    script = Script(reply(500))
    assert tell(script).status == 500
    assert len(script.sent) == 1


def test_a_refused_write_is_sent_again_when_the_gate_opens():
    script = Script(reply(429, retry_after="0.01"), reply(200))
    assert tell(script).status == 200
    assert len(script.sent) == 2


def test_an_expired_token_is_replaced_once():
    script = Script(reply(401), reply(200))
    assert ask(script).status == 200
    assert script.sent == [("GET", False, None), ("GET", True, None)]


def test_a_second_401_is_an_answer():
    assert ask(Script(reply(401), reply(401))).status == 401


CHALLENGE = 'Bearer realm="", error="insufficient_claims", claims="eyJhIjoxfQ=="'


def test_a_claims_challenge_is_answered_with_its_claims():
    script = Script(reply(401, www_authenticate=CHALLENGE), reply(200))
    assert ask(script).status == 200
    assert script.sent[1] == ("GET", True, "eyJhIjoxfQ==")


def test_a_claims_challenge_that_comes_again_ends_it():
    with pytest.raises(SignIn):
        ask(Script(*[reply(401, www_authenticate=CHALLENGE)] * 2))


@pytest.mark.parametrize("header", ["", "Bearer", 'Bearer error="invalid_token"', "claims="])
def test_other_401s_ask_for_no_claims(header):
    assert challenge(reply(401, www_authenticate=header)) is None


def test_one_refusal_holds_every_call_of_the_domain():
    """Nothing is sent while the gate is closed; then one goes first."""

    async def crowd():
        script = Script(reply(429, retry_after="0.05"), *[reply(200)] * 8)
        driver = Driver(script, pauses=())
        questions = [driver.ask(Ask(call=READ, of=str(n))) for n in range(8)]
        first = asyncio.create_task(questions[0])
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        sent_when_closed = len(script.sent)
        answers = await asyncio.gather(first, *questions[1:])
        return sent_when_closed, len(script.sent), {answer.status for answer in answers}

    assert asyncio.run(crowd()) == (1, 9, {200})


def test_a_wait_beyond_the_ceiling_ends_it_for_all_who_wait_for_the_one_that_tries():
    """A run that nobody ends any more would be worse than one that failed."""

    async def crowd():
        script = Script(reply(429, retry_after="0.01"), *[reply(429, retry_after="999999")] * 4)
        driver = Driver(script, pauses=())
        async with asyncio.timeout(5):
            first = asyncio.create_task(driver.ask(Ask(call=READ, of="first")))
            await asyncio.sleep(0)
            others = [driver.ask(Ask(call=READ, of=str(n))) for n in range(3)]
            return await asyncio.gather(first, *others, return_exceptions=True)

    assert {type(ended) for ended in asyncio.run(crowd())} == {Throttled}


def test_another_subscription_is_not_held():
    async def two():
        script = Script(reply(429, retry_after="30"), reply(200))
        driver = Driver(script, pauses=())
        held = asyncio.create_task(driver.ask(Ask(call=READ, of="one")))
        await asyncio.sleep(0)
        other = Call(method="GET", url=SUBSCRIPTION.replace("/s1/", "/s2/"))
        answer = await driver.ask(Ask(call=other, of="other"))
        held.cancel()
        return answer.status

    assert asyncio.run(two()) == 200
