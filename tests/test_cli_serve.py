"""`serve`, with a command and without."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from shell import Shell


@pytest.fixture
def nobody(tmp_path):
    return Shell(tmp_path, profile=None)


def served(shell, *command, options=()):
    return shell.process("serve", "--data", "world", "--port", "0", *options, "--", *command)


def test_a_command_runs_in_the_services_environment_and_its_code_is_ours(nobody):
    ran = served(
        nobody, sys.executable, "-c", "import os; print(os.environ['VEDETTE_ARM']); exit(7)"
    )
    assert ran.returncode == 7, ran.stderr
    ready = json.loads(ran.stderr.splitlines()[0])
    assert ready["ready"] is True
    assert ran.stdout == f"{ready['url']}\n"
    env = nobody.folder / "world" / "service.env"
    assert env.stat().st_mode & 0o777 == 0o600


def test_vedette_itself_works_against_it_with_nothing_but_the_environment(nobody):
    words = ("list", "--count", "--json")
    ran = served(nobody, *nobody.command(*words), options=("--sample", "120"))
    assert ran.returncode == 0, ran.stderr
    (group,) = json.loads(ran.stdout)
    assert 60 < group["count"] < 120, "one of the two workspaces"


def test_plan_apply_and_undo_over_https(nobody):
    line = (
        "vedette plan --where 'Status == \"New\" and not(Owned)' --add-tag x -o plan.json; "
        "test $? -eq 10 && vedette apply plan.json && vedette undo last && "
        "vedette list --where 'Tags has \"x\"' --count --json"
    ).replace("vedette", " ".join(nobody.command()))
    ran = served(nobody, "sh", "-c", line, options=("--sample", "120"))
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.rstrip().endswith('"count": 0\n  }\n]')


def test_without_a_command_it_runs_until_it_is_stopped(nobody):
    child = subprocess.Popen(
        nobody.command("serve", "--data", "world", "--port", "0", "--sample", "5"),
        cwd=nobody.folder,
        env=nobody.env,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert json.loads(child.stdout.readline())["ready"] is True
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=30)
    assert (child.returncode, out, err) == (0, "", "")


def test_a_time_that_is_none_and_a_host_that_others_reach_are_refused(nobody):
    assert nobody.process("serve", "--data", "w", "--now", "soon").returncode == 2
    assert nobody.process("serve", "--data", "w", "--host", "0.0.0.0").returncode == 2


@pytest.mark.parametrize("port", ["99999", "-1", "soon"])
def test_a_port_that_there_is_not_is_a_usage_error(nobody, port):
    ran = nobody.process("serve", "--data", "w", "--port", port)
    assert ran.returncode == 2
    assert "--port" in ran.stderr


def test_a_world_is_not_kept_where_a_file_is_or_nobody_may_write(nobody):
    (nobody.folder / "letter").write_text("dear friend")
    for place in ("letter", "letter/below", "/dev/null/world", "/proc/world"):
        ran = nobody.process("serve", "--data", place, "--port", "0")
        assert ran.returncode == 2, ran.stderr
        assert "no world can be kept in" in ran.stderr


def test_a_damaged_world_is_refused_by_name(nobody):
    world = nobody.folder / "world"
    world.mkdir()
    (world / "world.sqlite").write_text("no database, however one looks at it")
    ran = nobody.process("serve", "--data", "world", "--port", "0")
    assert ran.returncode == 5
    assert "world.sqlite: file is not a database" in ran.stderr


def test_a_world_that_is_there_is_kept_and_that_is_said_where_another_was_asked_for(nobody):
    assert "kept as it is" not in served(nobody, "true", options=("--sample", "5")).stderr
    ran = served(nobody, "true", options=("--sample", "9"))
    assert (ran.returncode, "the world in world is kept as it is: --sample" in ran.stderr) == (
        0,
        True,
    )
    assert "kept as it is" not in served(nobody, "true").stderr


# ---- the proxy, and worlds from files and to them

WORLD = """
[tenants.contoso]
name = "Contoso"
[subscriptions.security]
name = "Contoso Security"
[workspaces.night-soc]
resource_group = "soc"
sample = 7
[people.linda]
name = "Linda Okafor"
[applications.nightly]
name = "nightly"
[[assignments]]
who = ["nightly"]
role = "Microsoft Sentinel Contributor"
scope = "night-soc"
"""


def test_with_a_proxy_the_ready_line_and_the_variables_name_it(nobody):
    program = "import os; print(os.environ['HTTPS_PROXY'], os.environ['NO_PROXY'])"
    ran = served(nobody, sys.executable, "-c", program, options=("--proxy", "0", "--sample", "5"))
    assert ran.returncode == 0, ran.stderr
    proxy = json.loads(ran.stderr.splitlines()[0])["proxy"]
    assert proxy.startswith("http://127.0.0.1:")
    assert ran.stdout == f"{proxy} localhost,127.0.0.1,::1\n"
    assert f"HTTPS_PROXY={proxy}\n" in (nobody.folder / "world" / "service.env").read_text()


def test_a_world_of_a_file_is_served_and_vedette_works_on_it(nobody):
    (nobody.folder / "night.toml").write_text(WORLD)
    words = ("list", "--count", "--json")
    ran = served(nobody, *nobody.command(*words), options=("--world", "night.toml"))
    assert ran.returncode == 0, ran.stderr
    (group,) = json.loads(ran.stdout)
    assert group["count"] == 7
    ran = served(nobody, "true", options=("--world", "night.toml"))
    assert "the world in world is kept as it is: --world" in ran.stderr


def test_a_file_that_is_wrong_is_refused_before_anything_is_made(nobody):
    (nobody.folder / "night.toml").write_text(WORLD.replace("sample", "samples"))
    ran = nobody("serve", "--data", "world", "--world", "night.toml")
    assert ran.code == 2
    assert "night.toml: workspaces.night-soc: " in ran.err
    assert "it may say subscription, resource_group" in ran.err
    assert not (nobody.folder / "world").exists()


def test_a_world_is_carried_from_one_folder_to_another(nobody):
    served(nobody, "true", options=("--sample", "5"))
    ran = nobody("serve", "--data", "world", "--export", "w.ndjson")
    assert ran.code == 0, ran.err
    rows = ran.json["exported"]
    ran = nobody("serve", "--data", "other", "--import", "w.ndjson")
    assert (ran.code, ran.json["imported"]) == (0, rows)
    ran = nobody("serve", "--data", "other", "--export", "-")
    assert ran.out == (nobody.folder / "w.ndjson").read_text()
    secret = nobody("serve", "--data", "world", "--export", "-", "--with-secrets").out
    assert len(secret.splitlines()) > rows
    ran = nobody("serve", "--data", "other", "--import", "w.ndjson")
    assert ran.code == 2
    assert "there is a world in this folder already" in ran.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--export", "x", "--import", "y"), "three things"),
        (("--with-secrets",), "belongs to --export"),
        (("--export", "x", "--", "true"), "run no command"),
        (("--world", "none.toml"), "cannot read none.toml"),
        (("--export", "x"), "there is no world in"),
        (("--import", "none"), "cannot read none"),
    ],
)
def test_what_cannot_be_done_together_or_at_all_is_a_usage_error(nobody, words, said):
    ran = nobody("serve", "--data", "none", *words)
    assert ran.code == 2
    assert said in ran.err
    assert not (nobody.folder / "none").exists()
