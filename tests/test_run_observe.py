"""What is told of a run: to a log, to a person who looks for a mistake, and as spans."""

from __future__ import annotations

import asyncio
import json
import stat

import msgspec
import pytest

from acceptance import EVERYTHING, Desk, in_process, run
from shell import Shell
from vedette.errors import Denied, Outage, Unreachable, without_request
from vedette.run.edits import Wanted
from vedette.run.logfile import Log
from vedette.run.observe import Observed, Observer, asking, pausing
from vedette.wire.http import Call, Reply
from vedette.wire.problems import problem

TAG = Wanted(add_tag=("night",), comment=("A customer's words.",))


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def applied(folder, observer):
    async def job():
        desk = Desk(in_process("sentinel", folder / "world.db"), folder)
        desk.link.observed(observer)
        proposal = await desk.propose(wanted=TAG)
        done = (await desk.apply(proposal, allowed=EVERYTHING)).done
        observer.close()
        await desk.link.close()
        return done

    return run(job())


def test_every_call_every_end_and_the_run_are_in_the_log(tmp_path):
    path = tmp_path / "log.ndjson"
    done = applied(tmp_path, Observer(log=Log(path, note=print)))
    told = lines(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ends = {one["step"]: one["outcome"] for one in told if one["event"] == "step"}
    assert ends == {step.key: "written" for step in done.steps}
    puts = [one for one in told if one["event"] == "call" and one["method"] == "PUT"]
    assert len(puts) == 2 * len(done.steps)
    assert {one["step"] for one in puts} == set(ends)
    assert {one["operation"] for one in puts} == {"incident", "comment"}
    assert len({one["request"] for one in told if one["event"] == "call"}) == sum(
        one["event"] == "call" for one in told
    )
    begun, over = (one for one in told if one["event"] in ("run", "ended"))
    assert begun["planned"] == over["counts"]["written"] == len(done.steps)


def test_a_write_is_told_of_before_it_leaves_by_the_names_of_its_fields(tmp_path):
    path = tmp_path / "log.ndjson"
    done = applied(tmp_path, Observer(log=Log(path, note=print)))
    key = done.steps[0].key
    about = [one for one in lines(path) if one.get("step") == key]
    assert [one["event"] for one in about if one.get("method") != "GET"] == [
        "intent",
        "call",
        "intent",
        "call",
        "step",
    ]
    intents = [one for one in about if one["event"] == "intent"]
    assert [one["fields"] for one in intents] == [["tags"], []]
    assert intents[1]["comment"] == done.steps[0].comments[0]
    assert all(one["waited"] >= 0 for one in about if one["event"] == "call")


def test_what_ended_a_run_and_which_places_were_given_up_is_told(tmp_path):
    path = tmp_path / "log.ndjson"
    observer = Observer(log=Log(path, note=print))
    lacks = Denied("no role").about("r-2")
    observer.stopped("r-1", Outage("the disk is full"), {"soc-eu": lacks})
    observer.stopped("r-1", None, {})
    observer.close()
    given_up, ended = lines(path)
    assert (given_up["place"], given_up["code"], given_up["request"]) == ("soc-eu", "Denied", "r-2")
    assert (ended["run"], ended["message"]) == ("r-1", "the disk is full")
    assert "place" not in ended


def test_a_wait_is_told_to_the_log_and_to_whoever_watches(tmp_path):
    path = tmp_path / "log.ndjson"
    seen = []

    def watch(host, seconds):
        seen.append((host, seconds))

    observer = Observer(log=Log(path, note=print))
    told = pausing(watch, observer)
    told("management.azure.com", 17.25)
    told("management.azure.com", 0.2)
    observer.close()
    assert seen == [("management.azure.com", 17.25), ("management.azure.com", 0.2)]
    (waited,) = lines(path)
    assert (waited["event"], waited["host"], waited["seconds"]) == (
        "wait",
        "management.azure.com",
        17.25,
    )
    assert pausing(watch, None) is pausing(watch, Observer()) is watch


class Bank:
    def __init__(self, error=None):
        self.error = error

    async def get_token(self, scope, /, *, claims=None):
        if self.error is not None:
            raise self.error
        return scope, claims

    async def close(self):
        self.error = ValueError("closed")


def test_that_a_token_was_asked_for_is_told_and_nothing_of_it(tmp_path):
    path = tmp_path / "log.ndjson"
    observer = Observer(log=Log(path, note=print))
    bank = Bank()
    watched = asking(bank, observer)
    assert asyncio.run(watched.get_token("scope")) == ("scope", None)
    assert asyncio.run(watched.get_token("scope", claims="{}")) == ("scope", "{}")
    bank.error = ValueError("the secret is s3cr3t")
    with pytest.raises(ValueError, match="s3cr3t"):
        asyncio.run(watched.get_token("scope"))
    asyncio.run(watched.close())
    observer.close()
    assert [one.get("error") for one in lines(path)] == [None, None, "ValueError"]
    assert "s3cr3t" not in path.read_text(encoding="utf-8")
    assert str(bank.error) == "closed"
    assert asking(bank, None) is asking(bank, Observer()) is bank


def test_a_call_that_is_cancelled_is_told_by_its_kind(tmp_path):
    class Stuck(Silent):
        async def send(self, call, *, fresh=False, claims=None):
            raise asyncio.CancelledError

    path = tmp_path / "log.ndjson"
    observer = Observer(log=Log(path, note=print))
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(Observed(Stuck(), observer).send(Call(method="GET", url="https://x.example/a")))
    observer.close()
    assert lines(path)[0]["error"] == "CancelledError"


def test_no_words_of_an_incident_are_in_the_log(tmp_path):
    path = tmp_path / "log.ndjson"
    done = applied(tmp_path, Observer(log=Log(path, note=print)))
    text = path.read_text(encoding="utf-8")
    for step in done.steps:
        assert step.title not in text
    assert "customer" not in text
    assert "night" not in text


def test_the_service_knows_a_call_by_the_id_that_the_log_has(tmp_path):
    path = tmp_path / "log.ndjson"

    async def job():
        desk = Desk(in_process("sentinel", tmp_path / "world.db"), tmp_path)
        observer = Observer(log=Log(path, note=print))
        desk.link.observed(observer)
        await desk.propose(wanted=TAG)
        world = desk.link.driver.sender.sender.world
        world.write_calls(anyway=True)
        known = {row[0] for row in world.connection.execute("SELECT client FROM call")}
        observer.close()
        await desk.link.close()
        return known

    known = run(job())
    asked = {one["request"] for one in lines(path)}
    assert asked
    assert asked <= known


def test_the_conversation_about_one_incident_is_told_and_no_other(tmp_path):
    said = []
    first = applied(tmp_path, Observer(key="*", say=said.append)).steps[0].key
    assert any(one.startswith(f"{first} → PUT ") for one in said)
    assert any(one.startswith(f"{first}     properties.labels: ") for one in said)
    assert any(one.startswith(f"{first} ← 200") for one in said)
    assert f"{first} written" in said
    (tmp_path / "again").mkdir()
    only = []
    applied(tmp_path / "again", Observer(key=first, say=only.append))
    assert only
    assert all(one.startswith(first) for one in only)
    assert len(only) < len(said)


class Silent:
    async def send(self, call, *, fresh=False, claims=None):
        raise Unreachable("no such host").about("r-1")

    async def close(self):
        pass


def test_a_call_that_nobody_answers_is_told_too(tmp_path):
    path = tmp_path / "log.ndjson"
    observer = Observer(log=Log(path, note=print))
    sender = Observed(Silent(), observer)
    with pytest.raises(Unreachable, match="no such host"):
        asyncio.run(sender.send(Call(method="GET", url="https://x.example/a?sig=abc")))
    observer.close()
    (told,) = lines(path)
    assert (told["event"], told["request"]) == ("lost", "r-1")
    assert told["url"] == "https://x.example/a?sig=***"


def test_where_nobody_is_told_nothing_is_in_the_way(tmp_path):
    async def job():
        link = in_process("sentinel", tmp_path / "world.db", sample=5)
        sender = link.driver.sender
        link.observed(Observer())
        kept = link.driver.sender is sender
        await link.close()
        return kept

    assert Observer().is_idle
    assert run(job())


def test_an_error_names_the_call_it_is_about():
    reply = Reply(status=403, body=b'{"error":{"code":"AuthorizationFailed"}}', request="abc-1")
    error = problem(reply, "soc-eu#1")
    assert error.request == "abc-1"
    assert "abc-1" not in error.message
    assert error.told == f"{error.message} (request abc-1)"
    assert without_request(error.told) == (error.message, "abc-1")
    assert error.about("another").request == "abc-1"
    assert problem(msgspec.structs.replace(reply, request=None), "x").request is None


def test_the_command_line_logs_where_it_is_told_to(tmp_path):
    here = Shell(tmp_path)
    ended = here.process("list", "--count", "--log-file", "log.ndjson")
    assert ended.returncode == 0, ended.stderr
    assert {one["event"] for one in lines(tmp_path / "log.ndjson")} == {"call"}
    refused = here.process("show", "soc-eu#99999", "--log-file", "log.ndjson")
    assert refused.returncode == 2
    assert lines(tmp_path / "log.ndjson")[-1]["event"] == "error"
    assert here.process("list", "--log-file", "none/log").returncode == 2


def test_the_environment_names_the_log_and_the_incident_to_tell_of(tmp_path):
    here = Shell(tmp_path)
    here.env |= {"VEDETTE_LOG_FILE": "log.ndjson", "VEDETTE_TRACE": "soc-eu#12"}
    ended = here.process("update", "soc-eu#12", "--add-tag", "night", "--yes")
    assert ended.returncode == 0, ended.stderr
    assert "soc-eu#12 → PUT https://localhost/" in ended.stderr
    assert "soc-eu#12 written" in ended.stderr
    assert any(one["event"] == "step" for one in lines(tmp_path / "log.ndjson"))
