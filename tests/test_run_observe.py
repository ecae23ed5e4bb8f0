"""What is told of a run: to a log, to a person who looks for a mistake, and as spans."""

from __future__ import annotations

import asyncio
import json
import stat
import subprocess
import sys

import msgspec
import pytest

from acceptance import EVERYTHING, Desk, in_process, run
from shell import Shell
from vedette.errors import Asked, Unreachable, without_request
from vedette.run.edits import Wanted
from vedette.run.logfile import Log
from vedette.run.observe import Observed, Observer
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
    assert [one["event"] for one in told if one["event"] in ("run", "ended")] == ["run", "ended"]


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


def test_hostile_text_cannot_forge_a_line_or_steer_a_terminal(tmp_path):
    path = tmp_path / "log.ndjson"
    log = Log(path, note=print)
    log.write("error", message='a\n{"event":"step"}\x1b[2J\u202e\x9b', other="\ud800")
    log.write("error", message='a\n{"event":"step"}\x1b[2J\u202e\x9b')
    log.close()
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") == 2
    assert text.isascii()
    assert "\x1b" not in text


def test_a_log_is_appended_to(tmp_path):
    path = tmp_path / "log.ndjson"
    for number in range(2):
        log = Log(path, note=print)
        log.write("error", code=str(number))
        log.close()
        log.close()
        log.write("error", code="after it was closed")
    assert [one["code"] for one in lines(path)] == ["0", "1"]


def test_a_log_that_cannot_be_written_any_more_says_so_once():
    said = []
    log = Log("/dev/full", note=said.append)
    log.write("error")
    log.flush()
    log.write("error")
    log.close()
    assert said == ["the log /dev/full ends here: No space left on device"]


def test_a_log_that_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(Asked, match="No such file or directory"):
        Log(tmp_path / "none" / "log", note=print)


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


SPANS = """
import asyncio, sys
sys.path[:0] = {path!r}
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
from pathlib import Path
from vedette.run.observe import Observer
from test_run_observe import applied
done = applied(Path({folder!r}), Observer())
spans = kept.get_finished_spans()
by_id = {{span.context.span_id: span for span in spans}}
runs = [span for span in spans if span.name == "vedette.run"]
steps = [span for span in spans if span.name == "vedette.step"]
puts = [span for span in spans if span.name == "PUT incident"]
assert len(runs) == 1 and runs[0].attributes["vedette.run"] == done.run
assert len(steps) == len(puts) == len(done.steps)
assert all(by_id[span.parent.span_id] is runs[0] for span in steps)
assert all(by_id[span.parent.span_id].name == "vedette.step" for span in puts)
assert all(span.attributes["http.response.status_code"] == 200 for span in puts)
assert not any("night" in str(span.attributes) for span in spans)
"""


def test_runs_steps_and_calls_are_spans_where_somebody_listens(tmp_path):
    pytest.importorskip("opentelemetry.sdk")
    program = SPANS.format(path=sys.path, folder=str(tmp_path))
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


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
