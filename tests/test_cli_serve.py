"""`serve`, with a command and without."""

from __future__ import annotations

import json
import signal
import subprocess
import sys

import pytest

from shell import Shell
from vedette.service.state.schema import connect


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
    (nobody.folder / "night.toml").write_text(WORLD)
    for place in ("letter", "letter/below", "/dev/null/world", "/proc/world", "w" * 300):
        ran = nobody("serve", "--data", place, "--port", "0", "--world", "night.toml")
        assert ran.code == 2, ran.err
        assert "no world can be kept in" in ran.err


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
    names = ("HTTPS_PROXY", "HTTP_PROXY", "http_proxy", "NO_PROXY")
    program = f"import os; print(*(os.environ[name] for name in {names}))"
    ran = served(nobody, sys.executable, "-c", program, options=("--proxy", "0", "--sample", "5"))
    assert ran.returncode == 0, ran.stderr
    proxy = json.loads(ran.stderr.splitlines()[0])["proxy"]
    assert proxy.startswith("http://127.0.0.1:")
    assert ran.stdout == f"{proxy} {proxy} {proxy} localhost,127.0.0.1,::1\n"
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


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('secret_env = "NIGHT_SECRET"', "NIGHT_SECRET is not set"),
        ('certificate = "night.toml"', "night.toml is no certificate"),
    ],
)
@pytest.mark.parametrize("before", [None, "empty", "letter"])
def test_a_world_that_cannot_be_made_leaves_nothing_behind(nobody, line, said, before):
    world = nobody.folder / "deep" / "world"
    if before:
        world.mkdir(parents=True)
        if before == "letter":
            (world / "letter").write_text("dear friend")
    words = ("serve", "--data", "deep/world", "--port", "0", "--world", "night.toml")
    (nobody.folder / "night.toml").write_text(WORLD.replace('"nightly"\n[', f'"n"\n{line}\n['))
    ran = nobody(*words, "--", "true")
    assert (ran.code, said in ran.err) == (2, True), ran.err
    assert world.exists() == bool(before)
    assert world.parent.exists() == bool(before)
    assert [one.name for one in world.glob("*")] == (["letter"] if before == "letter" else [])


def test_the_next_good_file_makes_the_world_and_no_other_asks_for_what_it_needed(nobody):
    bad = WORLD.replace('"nightly"\n[', '"n"\nsecret_env = "NIGHT_SECRET"\n[')
    (nobody.folder / "bad.toml").write_text(bad)
    (nobody.folder / "night.toml").write_text(WORLD)
    assert served(nobody, "true", options=("--world", "bad.toml")).returncode == 2
    words = nobody.command("list", "--count", "--json")
    ran = served(nobody, *words, options=("--world", "night.toml"))
    assert json.loads(ran.stdout)[0]["count"] == 7
    assert "kept as it is" not in ran.stderr
    ran = served(nobody, "true", options=("--world", "bad.toml"))
    assert ran.returncode == 0, "the world is there, and the file is not asked"
    assert "kept as it is: --world" in ran.stderr


def test_a_folder_whose_world_was_never_made_is_not_said_to_be_kept(nobody):
    (nobody.folder / "world").mkdir()
    connect(nobody.folder / "world" / "world.sqlite").close()
    ran = served(nobody, "true", options=("--sample", "5"))
    assert (ran.returncode, "kept as it is" in ran.stderr) == (0, False)


def test_a_time_for_a_world_that_is_there_moves_the_clock_of_that_run_only(nobody):
    time = ("--now", "2026-11-22T07:00Z", "--sample", "5")
    assert "--now" not in served(nobody, "true", options=time).stderr
    ran = served(nobody, "true", options=time[:2])
    assert "--now moves the clock of this run; the world in world is not made" in ran.stderr
    assert "kept as it is" not in ran.stderr


def test_a_damaged_certificate_is_named_and_a_new_one_is_made_where_it_was_removed(nobody):
    served(nobody, "true", options=("--sample", "5"))
    path = nobody.folder / "world" / "service.pem"
    path.write_text("no certificate, however one looks at it")
    ran = served(nobody, "true")
    assert ran.returncode == 5
    assert f"{path} is damaged" in ran.stderr
    assert "remove it; a new one is made" in ran.stderr
    path.unlink()
    assert served(nobody, "true").returncode == 0


def test_two_dashes_with_no_command_after_them_are_a_slip(nobody):
    ran = nobody("serve", "--data", "none", "--port", "0", "--")
    assert (ran.code, "there is no command after --" in ran.err) == (2, True)
    assert not (nobody.folder / "none").exists()
    assert served(nobody, "sh", "-c", 'test "$1" = --', "sh", "--").returncode == 0


def test_a_file_that_is_there_is_not_written_over_by_an_export(nobody):
    served(nobody, "true", options=("--sample", "5"))
    (nobody.folder / "w.ndjson").write_text("dear friend")
    ran = nobody("serve", "--data", "world", "--export", "w.ndjson")
    assert (ran.code, "w.ndjson is there already" in ran.err) == (2, True)
    assert "remove it first" in ran.err
    assert (nobody.folder / "w.ndjson").read_text() == "dear friend"


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
