"""`serve` with faults, checks, and the log of what happened."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from served import Clock, Memory, inhabited
from shell import Shell

ERRAND = """
import json, os, ssl, sys, urllib.error, urllib.request
from urllib.parse import urlencode
env = os.environ
url = env["AZURE_AUTHORITY_HOST"]
form = {"grant_type": "client_credentials", "client_id": env["AZURE_CLIENT_ID"],
        "client_secret": env["AZURE_CLIENT_SECRET"], "scope": env["VEDETTE_ARM"] + "/.default"}
token = json.load(urllib.request.urlopen(f"{url}/{env['AZURE_TENANT_ID']}/oauth2/v2.0/token",
                                         urlencode(form).encode()))["access_token"]
path = (f"{env['VEDETTE_ARM']}/subscriptions/{env['AZURE_SUBSCRIPTION_ID']}/resourceGroups/"
        f"{env['VEDETTE_RESOURCE_GROUP']}/providers/Microsoft.OperationalInsights/workspaces/"
        f"{env['VEDETTE_WORKSPACE']}/providers/Microsoft.SecurityInsights/incidents/one"
        "?api-version=2025-09-01")
body = {"properties": {"title": "t", "severity": "Low", "status": "New"}}
for _ in range(int(sys.argv[1])):
    asked = urllib.request.Request(path, json.dumps(body).encode(), method="PUT")
    asked.add_header("Authorization", f"Bearer {token}")
    asked.add_header("Content-Type", "application/json")
    try:
        print(urllib.request.urlopen(asked).status)
    except urllib.error.HTTPError as error:
        print(error.code)
sys.exit(int(sys.argv[2]))
"""


@pytest.fixture
def nobody(tmp_path):
    return Shell(tmp_path, profile=None)


def errand(shell, *options, writes=1, code=0):
    """Serve while a program writes an incident so many times."""
    options = ("--data", "world", "--port", "0", "--sample", "3", *options)
    command = (sys.executable, "-c", ERRAND, str(writes), str(code))
    return shell.process("serve", *options, "--", *command)


def lived(shell, writes=2):
    """Make a world in which this was done already, without a service."""
    folder = shell.folder / "world"
    folder.mkdir(mode=0o700)
    here = Memory(inhabited(path=folder / "world.sqlite"), Clock())
    for _ in range(writes):
        body = {"properties": {"title": "t", "severity": "Low", "status": "New"}}
        assert here.arm("PUT", "/incidents/one", body).status in (200, 201)
        here.clock.pass_(seconds=1)
    here.connection.execute("BEGIN")
    here.world.write_calls(anyway=True)
    here.connection.execute("COMMIT")
    here.close()


def rows(shell, *options):
    ran = shell("serve", "--data", "world", "--log", *options)
    assert (ran.code, ran.err) == (0, "")
    return [json.loads(line) for line in ran.out.splitlines()]


def test_faults_of_a_script_are_met_and_end_with_the_service(nobody):
    (nobody.folder / "once.toml").write_text(
        '[[fault]]\nname = "busy"\nwhat = "refuse"\nstatus = 503\nmethod = "PUT"\ntimes = 1\n'
    )
    options = ("--faults", "once.toml", "--log-keep", "4")
    assert errand(nobody, *options, writes=5).stdout == "503\n201\n200\n200\n200\n"
    calls = rows(nobody, "--kind", "call")
    assert [row.get("fault") for row in calls] == [None] * 4, "only so many are remembered"
    with closing(sqlite3.connect(nobody.folder / "world" / "world.sqlite")) as connection:
        assert connection.execute("SELECT count(*) FROM fault").fetchone() == (0,)


def test_a_fault_that_no_call_met_is_told_of_even_if_the_command_failed(nobody):
    (nobody.folder / "some.toml").write_text(
        '[[fault]]\nwhat = "refuse"\nstatus = 503\nmethod = "PUT"\ntimes = 1\n'
        '[[fault]]\nwhat = "refuse"\nstatus = 503\npath = "incident/*"\n'
        '[[fault]]\nname = "later"\nwhat = "drop"\nafter = 9\n'
    )
    for code in (0, 3):
        ran = errand(nobody, "--faults", "some.toml", writes=3, code=code)
        assert ran.returncode == code
        told = [line for line in ran.stderr.splitlines() if line.startswith("fault ")]
        assert told == [
            "fault 2 (refuse incident/*) met no call",
            "fault 3 (later) struck none of the 2 calls it was meant for",
        ]
    assert "fault " not in errand(nobody).stderr
    with closing(sqlite3.connect(nobody.folder / "world" / "world.sqlite")) as connection:
        query = "SELECT count(*) FROM setting WHERE name = 'unmet'"
        assert connection.execute(query).fetchone() == (0,)


def test_checks_that_pass_say_what_they_looked_at(nobody):
    lived(nobody, writes=2)
    ran = errand(nobody, "--check", "no-errors,linear-etags,only=", writes=1)
    assert ran.returncode == 2
    ran = errand(nobody, "--check", "no-errors,linear-etags,only=status", writes=1)
    (line,) = [line for line in ran.stderr.splitlines() if line.startswith("checked")]
    assert line == "checked 3: nothing found in 1 change and 2 calls"
    ran = nobody("serve", "--data", "world", "--check", "linear-etags")
    assert (ran.code, ran.err) == (0, "checked 1: nothing found in 3 changes and 4 calls\n")
    assert "checked" not in nobody("serve", "--data", "world", "--check", "no-double-effect").err


def test_a_kind_that_nothing_can_have_is_refused_with_those_there_are(nobody):
    lived(nobody)
    ran = nobody("serve", "--data", "world", "--log", "--kind", "incidents")
    assert (ran.code, ran.out) == (2, "")
    assert "--kind 'incidents': no such kind; there are call, alert, " in ran.err
    assert rows(nobody, "--kind", "watchlistItem") == []


def test_a_script_that_is_wrong_is_named_and_nothing_is_served(nobody):
    (nobody.folder / "odd.toml").write_text('[[fault]]\nwhat = "drop"\nevry = 2\nevery = 0\n')
    ran = nobody("serve", "--data", "world", "--faults", "odd.toml")
    assert ran.code == 2
    assert "odd.toml: fault 1, evry: no such key" in ran.err
    assert "odd.toml: fault 1, every: " in ran.err
    assert not (nobody.folder / "world").exists()
    assert nobody("serve", "--data", "world", "--faults", "nowhere").code == 2


def test_a_check_that_fails_ends_with_five_unless_the_command_failed(nobody):
    lived(nobody)
    options = ("serve", "--data", "world", "--port", "0", "--check")
    assert nobody(*options, "no-errors,only=", "--", "true").code == 2
    assert nobody(*options, "no-double-effect", "--", "true").code == 0, "since it began"
    ran = errand(nobody, "--check", "no-double-effect", writes=2)
    assert ran.returncode == 5, ran.stderr
    (finding,) = [line for line in ran.stderr.splitlines() if "twice" in line]
    assert finding.startswith("no-double-effect: incident one: vedette operator made the same")
    assert errand(nobody, "--check", "no-double-effect", writes=2, code=7).returncode == 7


def test_a_world_can_be_checked_afterwards(nobody):
    lived(nobody, writes=3)
    assert nobody("serve", "--data", "world", "--check", "linear-etags").code == 0
    ran = nobody("serve", "--data", "world", "--check", "no-double-effect,linear-etags")
    assert (ran.code, ran.out) == (5, "")
    assert len(ran.err.splitlines()) == 2
    assert nobody("serve", "--data", "world", "--check", "no-such").code == 2
    assert nobody("serve", "--data", "elsewhere", "--check", "no-errors").code == 2
    assert not (nobody.folder / "elsewhere").exists()


def test_the_log_is_what_happened_in_order_and_joins(nobody):
    lived(nobody)
    every = rows(nobody)
    calls = {row["request"]: row for row in every if row["kind"] == "call"}
    made = [row for row in every if row.get("name") == "one"]
    assert [row["verb"] for row in made] == ["create", "update"]
    assert all(calls[row["request"]]["method"] == "PUT" for row in made)
    assert [row["at"] for row in every] == sorted(row["at"] for row in every)
    assert rows(nobody, "--name", "one", "--kind", "incident") == made
    assert len(rows(nobody, "--name", "one")) == 4, "changes and calls"
    assert rows(nobody, "--name", "on") == []
    assert rows(nobody, "--after", made[0]["at"], "--kind", "incident") == made[1:]
    assert rows(nobody, "--after", "2999-01-01") == []


def test_a_world_that_is_served_is_asked(nobody):
    lived(nobody)
    before = rows(nobody)
    child = subprocess.Popen(
        nobody.command("serve", "--data", "world", "--port", "0"),
        cwd=nobody.folder,
        env=nobody.env,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert json.loads(child.stdout.readline())["ready"]
    try:
        assert rows(nobody) == before
        ran = nobody("serve", "--data", "world", "--check", "no-double-effect")
        assert ran.code == 5
        assert "made the same update twice" in ran.err
    finally:
        child.send_signal(signal.SIGTERM)
        assert child.wait(30) == 0
        child.stdout.close()


@pytest.mark.parametrize(
    "options",
    [
        ("--after", "2026-11-22"),
        ("--log", "--after", "soon"),
        ("--log", "--", "true"),
        ("--log-keep", "-1"),
        ("--log", "--check", "no-errors"),
        ("--log", "--export", "there"),
        ("--log", "--faults", "storm"),
        ("--log", "--limits", "arm-2024"),
        ("--log", "--port", "0"),
        ("--check", "no-errors", "--faults", "storm"),
        ("--check", "no-errors", "--sample", "3"),
        ("--check", "no-errors", "--export", "there"),
        ("--check", "only=stauts"),
        ("--export", "there", "--limits", "off"),
        ("--import", "there", "--now", "2026-11-22"),
        ("--limits", "arm-2025"),
    ],
)
def test_options_that_make_no_sense_are_refused(nobody, options):
    lived(nobody)
    errand_ = nobody("serve", "--data", "world", *options)
    assert (errand_.code, errand_.out) == (2, "")
