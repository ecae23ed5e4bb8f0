"""The edge: files, certificates, batches, lost replies, and the command it runs."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import json
import os
import signal
import sqlite3
import ssl
import stat
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import aiohttp
import pytest
from cryptography import x509

from served import EU, INSIGHTS, NOW, VERSION, Socket, edge, inhabited
from vedette.errors import Asked, Failed, Overtaken
from vedette.service.app import Service, run
from vedette.service.edge import shapes
from vedette.service.edge.authority import NAMES, authority, is_good, leaf
from vedette.service.edge.folder import claim
from vedette.service.edge.listen import is_loopback
from vedette.service.edge.trust import trusted
from vedette.service.world import Trouble, World
from vedette.wire.http import Delivery

PATH = f"{EU}{INSIGHTS}/incidents/one?api-version={VERSION}"
BODY = {"properties": {"title": "t", "severity": "Low", "status": "New"}}


@pytest.fixture
def it(tmp_path):
    made = edge("socket", tmp_path)
    yield made
    made.close()


def served(folder, *command, **options):
    out, err = io.StringIO(), io.StringIO()
    code = run(folder, command=command, out=out, err=err, port=0, count=20, **options)
    return code, out.getvalue(), err.getvalue()


LOOK = (
    "import os, ssl, json, urllib.request as u, urllib.parse as p; e = os.environ;"
    "form = dict(grant_type='client_credentials', client_id=e['AZURE_CLIENT_ID'],"
    " client_secret=e['AZURE_CLIENT_SECRET'], scope='https://management.azure.com/.default');"
    "token = json.load(u.urlopen(e['AZURE_AUTHORITY_HOST'] + '/' + e['AZURE_TENANT_ID'] +"
    " '/oauth2/v2.0/token', p.urlencode(form).encode()))['access_token'];"
    "ask = u.Request(e['VEDETTE_ARM'] + '/subscriptions/' + e['AZURE_SUBSCRIPTION_ID'] +"
    " '/resourceGroups/' + e['VEDETTE_RESOURCE_GROUP'] + '/providers/Microsoft."
    "OperationalInsights/workspaces/' + e['VEDETTE_WORKSPACE'] + '/providers/Microsoft."
    "SecurityInsights/incidents?api-version=2025-09-01', headers={'Authorization': 'Bearer ' +"
    " token}); told = u.urlopen(ask); print(len(json.load(told)['value']), told.headers['date']);"
    "raise SystemExit(7)"
)


def test_a_command_runs_in_the_services_environment_and_gives_its_exit_code(tmp_path, capfd):
    """Nothing but the environment tells it where to go and whom to trust."""
    code, out, err = served(tmp_path / "w", sys.executable, "-c", LOOK, now=NOW)
    assert code == 7
    assert out == "", "what the command says is the answer"
    ready = json.loads(err)
    assert ready["ready"] is True
    count, _, date = capfd.readouterr().out.partition(" ")
    assert 0 < int(count) <= 20
    assert date.startswith("Sun, 22 Nov 2026 07:0"), "the service's clock follows --now"


SHOWN = "import os; print(*(n for n in os.environ if n.startswith('VEDETTE_')), sep='\\n')"


def test_what_was_set_outside_leads_no_command_elsewhere(tmp_path, capfd, monkeypatch):
    monkeypatch.setenv("VEDETTE_PROFILE", "production")
    monkeypatch.setenv("VEDETTE_DIALECT", "graph")
    monkeypatch.setenv("VEDETTE_ARM", "https://management.azure.com")
    program = f"{SHOWN}; print(os.environ['VEDETTE_PROFILE'], os.environ['VEDETTE_ARM'])"
    code, _, err = served(tmp_path / "w", sys.executable, "-c", program)
    *names, said = capfd.readouterr().out.splitlines()
    assert code == 0
    assert "VEDETTE_DIALECT" not in names
    assert said == f"environment {json.loads(err)['url']}", "no settings file comes first"


@pytest.mark.skipif(os.name != "posix", reason="sh is needed")
def test_reading_service_env_leads_to_the_service_whatever_the_shell_had_chosen(tmp_path):
    assert served(tmp_path / "w", "true")[0] == 0
    told = subprocess.run(
        ["sh", "-c", '. ./service.env; echo "$VEDETTE_PROFILE"'],
        cwd=tmp_path / "w",
        env={**os.environ, "VEDETTE_PROFILE": "local"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "environment\n"


def world(folder):
    """Everything in a world but its secrets, which are drawn by lot."""
    with contextlib.closing(sqlite3.connect(folder / "world.sqlite")) as connection:
        drawn = "'identity_header', 'control_key', 'device_codes'"
        connection.execute(f"DELETE FROM setting WHERE name IN ({drawn})")
        drawn = ('INSERT INTO "app"', 'INSERT INTO "signing"')
        return "\n".join(one for one in connection.iterdump() if not one.startswith(drawn))


def test_the_same_time_and_seed_make_the_same_world_to_the_byte(tmp_path):
    """The clock runs on from the time that is stated; the world is made at that very time."""
    for name in ("one", "other"):
        assert served(tmp_path / name, "true", now=NOW, seed=9)[0] == 0
    assert world(tmp_path / "one") == world(tmp_path / "other")


def test_a_command_that_cannot_run_is_the_callers_mistake(tmp_path):
    with pytest.raises(Asked, match="cannot run"):
        served(tmp_path / "w", "/no/such/program")


def test_the_folder_is_its_owners_alone_and_everything_is_told_in_it(tmp_path):
    folder = tmp_path / "w"
    program = (
        "import os, stat, sys, json; d = sys.argv[1]; told = json.load(open(d + '/service.json'));"
        "told['modes'] = {n: oct(stat.S_IMODE(os.stat(d + '/' + n).st_mode)) for n in"
        " os.listdir(d)}; print(json.dumps(told))"
    )
    out = subprocess.run(
        [sys.executable, "-c", _RUN, str(folder), sys.executable, "-c", program, str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    told = json.loads(out.stdout)
    assert set(told["modes"].values()) == {"0o600"}
    assert {"world.sqlite", "service.json", "service.env", "authority.key"} <= {*told["modes"]}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert told["url"].startswith("https://localhost:")
    assert [one["name"] for one in told["workspaces"]] == ["soc-eu", "soc-us"]
    assert len({one["secret"] for one in told["applications"]}) == 2
    spelled = (folder / "service.env").read_text()
    assert spelled == shapes.spelled(told["environment"], "sh")
    assert not (folder / "service.json").exists(), "a service that ended is nowhere"


_RUN = (
    "import sys; from pathlib import Path; from vedette.service.app import run;"
    "sys.exit(run(Path(sys.argv[1]), command=sys.argv[2:], port=0, count=5))"
)


def test_a_world_is_served_until_it_is_told_to_stop_and_goes_on_next_time(tmp_path):
    secrets, marks = [], []
    for _ in range(2):
        with subprocess.Popen(
            [sys.executable, "-c", _RUN, str(tmp_path / "w")], stdout=subprocess.PIPE, text=True
        ) as service:
            ready = json.loads(service.stdout.readline())
            told = json.loads((tmp_path / "w" / "service.json").read_text())
            assert told["process"] == ready["process"] == service.pid
            with pytest.raises(Overtaken, match="another process holds the world"):
                claim(tmp_path / "w")
            secrets.append(told["environment"]["AZURE_CLIENT_SECRET"])
            marks.append((tmp_path / "w" / "authority.pem").read_bytes())
            service.send_signal(signal.SIGTERM)
            assert service.wait(20) == 0
    assert secrets[0] == secrets[1]
    assert marks[0] == marks[1]
    claim(tmp_path / "w").release()


def test_what_ends_the_service_ends_its_command(tmp_path):
    sleeper = "import time; print('up', flush=True); time.sleep(60)"
    command = [sys.executable, "-c", _RUN, str(tmp_path / "w"), sys.executable, "-c", sleeper]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as service:
        assert service.stdout.readline() == "up\n"
        service.send_signal(signal.SIGTERM)
        assert service.wait(20) == 128 + signal.SIGTERM


def test_only_this_machine_can_reach_it_unless_that_is_asked_for(tmp_path):
    with pytest.raises(Asked, match="can be reached from other machines"):
        served(tmp_path / "w", "true", host="0.0.0.0")
    assert served(tmp_path / "w", "true", host="0.0.0.0", anywhere=True)[0] == 0
    assert [is_loopback(host) for host in ("127.0.0.9", "::1", "localhost", "example.com")] == [
        True,
        True,
        True,
        False,
    ]


def test_a_port_that_is_taken_is_named(it, tmp_path):
    other = Service(
        World(inhabited()), trusted(tmp_path, datetime.now(UTC)), clock=it.clock,
        port=it.service.port,
    )  # fmt: skip

    async def start():
        try:
            await other.start()
        finally:
            await other.stop()

    with pytest.raises(Failed, match=f"cannot listen on 127.0.0.1 port {it.service.port}"):
        asyncio.run(start())


def test_calls_of_one_turn_share_one_commit_and_none_is_lost(it):
    commits = []
    token = it._token("b7a1efb4-dfb6-5c30-bc92-a6f2e6c8a105", it.url)
    it.connection.set_trace_callback(lambda text: commits.append(text) if "COMMIT" in text else 0)

    async def many():
        connector = aiohttp.TCPConnector(ssl=it.context, limit=40)
        headers = {"Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(it.url, connector=connector, headers=headers) as session:

            async def one(number):
                path = PATH.replace("/one?", f"/n{number}?")
                async with session.put(path, json=BODY) as told:
                    return told.status, (await told.json())["properties"]["incidentNumber"]

            return await asyncio.gather(*(one(number) for number in range(200)))

    told = asyncio.run(many())
    it.connection.set_trace_callback(None)
    assert {status for status, _ in told} == {201}
    assert sorted(number for _, number in told) == [*range(1, 201)]
    assert len(commits) < 150


def test_a_reply_leaves_only_after_its_change_is_on_disk(tmp_path):
    """Whoever heard 201 finds the incident through another connection."""
    served_ = Socket(inhabited(path=tmp_path / "world.db"), lambda: NOW, tmp_path)
    served_.make("one")
    other = inhabited_reader(tmp_path / "world.db")
    assert other.execute("SELECT name FROM incident").fetchall() == [("one",)]
    other.close()
    served_.close()


def inhabited_reader(path):
    return sqlite3.connect(f"file:{path}?mode=ro", uri=True)


@pytest.mark.parametrize(("close", "done"), [("before", False), ("after", True)])
def test_a_connection_closes_before_or_after_the_deed(it, close, done):
    it.arm("GET", "/incidents")
    it.cause(Trouble(method="PUT", delivery=Delivery(close=close)))
    with pytest.raises((ConnectionError, http.client.HTTPException, ssl.SSLError)):
        it.arm("PUT", "/incidents/one", BODY)
    it._wire.close()
    assert it.arm("GET", "/incidents/one").status == (200 if done else 404)


def test_a_reply_can_be_cut_short(it):
    it.make("one")
    it.cause(Trouble(delivery=Delivery(cut_at=10)))
    with pytest.raises((http.client.IncompleteRead, ConnectionError, ssl.SSLError)) as caught:
        it.arm("GET", "/incidents/one")
    if isinstance(caught.value, http.client.IncompleteRead):
        assert len(caught.value.partial) == 10
    it._wire.close()
    assert it.arm("GET", "/incidents/one").status == 200


def test_a_reply_can_be_late(it):
    it.cause(Trouble(delivery=Delivery(after=0.2)))
    began = time.monotonic()
    assert it.arm("GET", "/incidents").status == 200
    assert time.monotonic() - began >= 0.2


PLAIN = "2023-01-01"


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (429, "Rate limit exceeded. Retry after the value in Retry-After header."),
        (500, "Unexpected server error."),
    ],
)
def test_one_version_says_what_is_wrong_in_its_own_words(it, status, said):
    it.arm("GET", "/incidents")
    it.cause(Trouble(status=status, headers={"retry-after": "3"}))
    told = it.arm("GET", "/incidents", version=PLAIN)
    assert (told.status, told.message) == (status, said)
    assert told.headers["retry-after"] == "3"


def test_a_bug_of_ours_is_told_in_the_words_of_the_version_too(it):
    it.arm("GET", "/incidents")
    it.connection.execute("ALTER TABLE incident RENAME TO lost")
    told = {version: it.arm("GET", "/incidents", version=version) for version in (PLAIN, VERSION)}
    assert {one.status for one in told.values()} == {500}
    assert told[PLAIN].message == "Unexpected server error."
    assert told[VERSION].message == "Internal server error."


def test_a_method_that_nobody_knows_is_not_allowed(it):
    for method in ("TRACE", "QUERY", "POST"):
        assert it.ask(method, PATH).status == 405


def test_a_body_that_is_too_long_is_refused_and_the_service_goes_on(it):
    it.arm("GET", "/incidents")
    # It may hang up while we are still talking.
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        assert it.arm("PUT", "/incidents/one", b"x" * 9_000_000).status == 413
    it._wire.close()
    assert it.arm("GET", "/incidents").status == 200


def test_a_connection_that_was_closed_already_is_no_obstacle_to_stopping(it):
    """Python 3.11.2 trips over a TLS transport that was closed twice."""
    it.arm("GET", "/incidents")
    it._run(_closed_twice(it.service))
    it._wire.close()
    assert it.service.url == it.url


async def _closed_twice(service):
    for one in service._runners[0].server.connections:
        one.transport.close()
        one.transport.close()
    await service.stop()


# ---- certificates


def test_a_leaf_holds_what_strict_verifiers_ask_for():
    above = authority(NOW)
    made = leaf(above, NOW)
    root = x509.load_pem_x509_certificate(above.certificate).extensions
    constraints = root.get_extension_for_class(x509.BasicConstraints)
    assert (constraints.critical, constraints.value.ca) == (True, True)
    assert root.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    subject = root.get_extension_for_class(x509.SubjectKeyIdentifier).value.digest
    shown = x509.load_pem_x509_certificate(made.certificate).extensions
    issuer = shown.get_extension_for_class(x509.AuthorityKeyIdentifier).value
    assert issuer.key_identifier == subject
    names = shown.get_extension_for_class(x509.SubjectAlternativeName).value
    assert tuple(str(name.value) for name in names) == NAMES


def test_a_leaf_is_made_anew_when_it_is_worn_or_of_another_authority(tmp_path):
    now = datetime.now(UTC)
    first = trusted(tmp_path, now).certificate.read_bytes()
    assert trusted(tmp_path, now + timedelta(days=1)).certificate.read_bytes() == first
    assert trusted(tmp_path, now + timedelta(days=380)).certificate.read_bytes() != first
    above = authority(now)
    assert not is_good(leaf(authority(now), now), above, now)
    assert is_good(leaf(above, now), above, now)


def test_the_bundle_holds_the_systems_roots_and_ours_and_does_not_grow(tmp_path, monkeypatch):
    now = datetime.now(UTC)
    trust = trusted(tmp_path, now)
    bundle = trust.bundle.read_bytes()
    assert bundle.endswith(trust.authority.read_bytes())
    # A shell that sourced service.env starts the service again.
    monkeypatch.setenv("SSL_CERT_FILE", str(trust.bundle))
    assert trusted(tmp_path, now).bundle.read_bytes() == bundle
