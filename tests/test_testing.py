"""The plugin, used as its readers would: their own automation, against a world of a test's own."""

import ssl
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPSConnection
from urllib.parse import urlsplit

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential
from azure.mgmt.securityinsight import SecurityInsights

from vedette.testing import Refused

pytest_plugins = ["pytester"]

SCRIPT = """
import os
from azure.core.exceptions import HttpResponseError
from azure.identity import DefaultAzureCredential
from azure.mgmt.securityinsight import SecurityInsights

client = SecurityInsights(
    DefaultAzureCredential(), os.environ["AZURE_SUBSCRIPTION_ID"], base_url=os.environ["VEDETTE_ARM"]
)
where = os.environ["VEDETTE_RESOURCE_GROUP"], os.environ["VEDETTE_WORKSPACE"]
for one in client.incidents.list(*where, filter="properties/status eq 'New'"):
    if one.title.startswith("Port scan"):
        one.status, one.classification = "Closed", "BenignPositive"
        one.classification_reason = "SuspiciousButExpected"
        client.incidents.create_or_update(*where, one.name, one)
"""


def client(environ):
    return SecurityInsights(
        DefaultAzureCredential(), environ["AZURE_SUBSCRIPTION_ID"], base_url=environ["VEDETTE_ARM"]
    ).incidents


@pytest.fixture
def where(vedette_environment):
    return vedette_environment["VEDETTE_RESOURCE_GROUP"], vedette_environment["VEDETTE_WORKSPACE"]


def test_a_world_begins_empty_and_holds_what_a_test_makes(vedette_service):
    assert vedette_service.incidents() == []
    made = vedette_service.make(title="Port scan", severity="Low")
    assert vedette_service.incidents() == [made]
    assert vedette_service.incident(made["name"])["properties"]["severity"] == "Low"


def test_the_next_world_knows_nothing_of_the_last(vedette_service):
    assert vedette_service.incidents() == []
    assert vedette_service.changes() == []


@pytest.mark.vedette(sample=30, seed=3)
def test_a_mark_says_what_it_begins_with(vedette_service):
    found = vedette_service.incidents()
    assert len(found) > 10
    assert len(vedette_service.incidents("properties/status eq 'New'")) < len(found)
    vedette_service.sample(30, seed=4)
    assert len(vedette_service.incidents()) > len(found)


def test_an_unmodified_script_works_on_it_and_is_judged(vedette_service, vedette_environment):
    noise = vedette_service.make("noise", title="Port scan from the scanner")
    vedette_service.make("other", title="Brute force")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert vedette_service.incident(noise["name"])["properties"]["status"] == "Closed"
    assert vedette_service.incident("other")["properties"]["status"] == "New"
    vedette_service.check("no-lost-update,no-double-effect")
    assert [one["verb"] for one in vedette_service.changes(name="noise")] == ["create", "update"]
    with pytest.raises(AssertionError, match="only"):
        vedette_service.check("only=severity")


def test_calls_over_the_socket_are_seen_beside_those_made_here(vedette_service, where, request):
    environ = request.getfixturevalue("vedette_environment")
    vedette_service.make("one")
    assert client(environ).get(*where, "one").title == "An incident"
    assert "GET" in [one["method"] for one in vedette_service.calls()]
    client(environ).delete(*where, "one")
    with pytest.raises(Refused):
        vedette_service.incident("one")
    with pytest.raises(AssertionError, match="no-errors"):
        vedette_service.check("no-errors")


def test_a_fault_meets_the_calls_it_names(vedette_service, where, vedette_environment):
    vedette_service.make("one")
    vedette_service.fail({"path": "incidents/*", "method": "GET", "what": "refuse", "status": 418})
    with pytest.raises(HttpResponseError) as told:
        client(vedette_environment).get(*where, "one")
    assert told.value.status_code == 418
    assert client(vedette_environment).list(*where).next().name == "one"


@pytest.mark.vedette(limits="sentinel-min", faults="lossy")
def test_limits_and_a_named_script_come_by_the_mark(vedette_service):
    state = vedette_service._control("GET", "state")
    assert state["limits"] == "sentinel-min"
    assert state["faults"]


@pytest.mark.vedette(now="2026-03-01T00:00Z")
def test_time_is_the_tests_own(vedette_service):
    before = vedette_service.make("one")["properties"]["createdTimeUtc"]
    vedette_service.advance(3_600)
    after = vedette_service.make("two")["properties"]["createdTimeUtc"]
    assert before.startswith("2026-03-01T00:00")
    assert after.startswith("2026-03-01T01:00")


def test_settings_nobody_knows_are_refused_by_name(vedette_service):
    with pytest.raises(Refused, match="syncDelays"):
        vedette_service.behave(sync_delays=3)


def test_a_refusal_tells_what_was_asked_and_answered(vedette_service):
    with pytest.raises(Refused, match=r"404.*does not exist") as told:
        vedette_service.incident("nowhere")
    assert told.value.status == 404


def test_the_plugin_is_found_and_imports_nothing_heavy_by_itself(pytester):
    pytester.makepyfile(
        """
        import sys

        def test_nothing_is_there_yet():
            heavy = {"aiohttp", "cryptography", "lark", "vedette.service.world"}
            assert not heavy & set(sys.modules)

        def test_it_is_found(vedette_service):
            assert vedette_service.incidents() == []
        """
    )
    pytester.runpytest_subprocess("-p", "no:schemathesis", "-p", "no:xdist").assert_outcomes(
        passed=2
    )


KEPT = {}


def status(url, authority):
    """Ask as whoever still runs when a test has ended."""
    context = ssl.create_default_context(cafile=authority)
    wire = HTTPSConnection("localhost", urlsplit(url).port, context=context, timeout=5)
    try:
        wire.request("GET", "/subscriptions")
        return wire.getresponse().status
    finally:
        wire.close()


def test_a_client_finds_the_authority_where_it_is_told(vedette_service, vedette_environment):
    for file in (vedette_service.ca, vedette_environment["NODE_EXTRA_CA_CERTS"]):
        assert status(vedette_service.url, file) == 401
    KEPT["at"] = vedette_service.url, vedette_service.ca.read_text()


def test_a_call_of_the_last_test_finds_nobody(vedette_service, tmp_path):
    url, authority = KEPT["at"]
    (tmp_path / "ca.pem").write_text(authority)
    assert vedette_service.url != url
    with pytest.raises(OSError, match="refused"):
        status(url, tmp_path / "ca.pem")
    assert vedette_service.calls() == []


def test_threads_may_ask_at_once(vedette_service):
    with ThreadPoolExecutor(8) as threads:
        made = threads.map(lambda number: vedette_service.make(f"n{number}"), range(40))
        assert len([*made]) == len(vedette_service.incidents()) == 40


def test_nothing_is_left_open_where_warnings_are_errors(pytester):
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.vedette(nonsense=1)
        def test_a_mark_that_means_nothing(vedette_service):
            pass

        def test_a_port(vedette_service, vedette_environment):
            vedette_service.make("one")
        """
    )
    told = pytester.run(
        sys.executable, "-X", "dev", "-W", "error", "-m", "pytest",
        "-p", "no:schemathesis", "-p", "no:xdist", "-W", "error",
    )  # fmt: skip
    told.assert_outcomes(passed=1, errors=1)
    assert "unclosed" not in told.stdout.str() + told.stderr.str()


def test_a_property_that_no_incident_has_is_refused_by_name(vedette_service):
    with pytest.raises(TypeError, match="no 'titel'; it has classification"):
        vedette_service.make(titel="x")
