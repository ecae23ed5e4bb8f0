"""Spans of OpenTelemetry, in a process where somebody set it up, and nothing where nobody did."""

from __future__ import annotations

import subprocess
import sys

import pytest

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


REFUSED = """
import asyncio, sys
sys.path[:0] = {path!r}
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode
kept = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(kept))
trace.set_tracer_provider(provider)
from vedette.errors import Unreachable
from vedette.run.observe import Observed, Observer
from vedette.wire.http import Call, Reply

class Sender:
    async def send(self, call, **_):
        if call.method == "GET":
            return Reply(status=403, request="r-1")
        raise Unreachable("no such host")

call = Call(method="GET", url="https://me:you@x.example:8443/a?sig=S", operation="incident")
sender = Observed(Sender(), Observer())
asyncio.run(sender.send(call))
try:
    asyncio.run(sender.send(Call(method="PUT", url="https://x.example/a")))
except Unreachable:
    pass
refused, lost = kept.get_finished_spans()
assert refused.kind is SpanKind.CLIENT and refused.name == "GET incident"
assert refused.attributes == {{
    "http.request.method": "GET", "server.address": "x.example", "server.port": 8443,
    "url.full": "https://x.example:8443/a?sig=***", "vedette.operation": "incident",
    "http.response.status_code": 403, "az.client_request_id": "r-1", "error.type": "403",
}}, refused.attributes
assert refused.status.status_code is StatusCode.ERROR
assert lost.name == "PUT" and lost.status.status_code is StatusCode.ERROR
assert lost.attributes["server.port"] == 443
"""


def test_a_refused_call_and_one_without_an_answer_are_errors_by_the_conventions():
    pytest.importorskip("opentelemetry.sdk")
    program = REFUSED.format(path=sys.path)
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr


def test_where_nobody_set_it_up_nothing_of_it_is_imported():
    program = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from vedette.run.observe import Observer\n"
        "assert Observer().is_idle\n"
        "assert not [name for name in sys.modules if name.startswith('opentelemetry')]\n"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
