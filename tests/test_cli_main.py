"""The top of the command line: help, choice of profile, errors, exit codes, streams."""

from __future__ import annotations

import inspect
import json
import subprocess

import click
import pytest

from shell import SAMPLE, Shell
from vedette import __version__, cli
from vedette.cli import verdict
from vedette.cli.main import main
from vedette.errors import Denied, Overtaken, Refused, Unknown

COMMANDS = main.list_commands(click.Context(main))


@pytest.fixture
def vedette(tmp_path):
    return Shell(tmp_path)


@pytest.fixture
def nobody(tmp_path):
    """Somebody without any settings."""
    return Shell(tmp_path, profile=None)


def test_without_words_it_helps(vedette):
    told = vedette()
    assert (told.code, told.out) == (0, vedette("--help").out)


def test_help_names_every_command(vedette):
    told = vedette("--help").out
    for name in COMMANDS:
        assert f"  {name} " in told


def test_the_table_of_commands_says_what_the_commands_say():
    """The help is written from a table, so that it need not import what it speaks of."""
    for name, (_, text) in cli.main._COMMANDS.items():
        command = main.get_command(click.Context(main), name)
        assert command is not None
        assert command.name == name
        first = inspect.cleandoc(command.help or "").partition("\n")[0]
        assert first.startswith(text.removesuffix(".")), name


def test_version_is_told(vedette):
    assert vedette("--version").out == f"vedette {__version__}\n"


def test_a_slip_is_understood(vedette):
    ended = vedette("lsit")
    assert ended.code == 2
    assert "Did you mean list?" in ended.err


@pytest.mark.parametrize(
    "words", [("list", "--nonsense"), ("apply",), ("list", "--top", "none"), ("show", "a", "b")]
)
def test_wrong_words_end_with_two_and_say_where_help_is(vedette, words):
    ended = vedette(*words)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith("vedette: ")
    assert f"  see: vedette {words[0]} --help" in ended.err
    told = vedette(*words, "--json")
    assert told.error["code"] == "Usage"


def test_options_of_the_connection_may_come_first(vedette):
    before = vedette("--profile", "local", "--dialect", "cases", "--json", "list", "--top", "1")
    after = vedette("list", "--top", "1", "--profile", "local", "--dialect", "cases", "--json")
    assert before.json == after.json


def test_a_job_without_settings_never_gets_the_sample_world(nobody):
    for words in (("list",), ("plan", "--where", "1 == 1", "--add-tag", "x")):
        ended = nobody(*words, "--json")
        assert (ended.code, ended.out) == (2, "")
        assert ended.error["code"] == "BadSettings"


def test_a_person_at_a_terminal_without_settings_gets_it_and_is_told(nobody):
    code, seen = nobody.terminal("list", "--top", "3")
    assert code == 0
    assert "local sample world" in seen
    assert seen.count("soc-") == 3


def test_a_plan_finds_its_own_profile_again(nobody):
    words = ("-p", "local", "--where", 'Title has "phish"', "--add-tag", "x", "-o", "plan.json")
    assert nobody("plan", *words).code == 10
    assert nobody("apply", "plan.json", "--allow", "merged").code == 0
    assert nobody("undo", "last").code == 0


def test_a_plan_for_another_dialect_is_refused_where_the_profile_has_no_such_place(nobody):
    """Unsafe, and not a mistake in the settings: the plan is from somewhere else."""
    words = ("-p", "local", "--where", 'Title has "phish"', "--add-tag", "x", "-o", "plan.json")
    assert nobody("plan", "--dialect", "graph", *words).code == 10
    (nobody.folder / "vedette.toml").write_text(SETTINGS)
    ended = nobody("apply", "plan.json", "-p", "soc", "--json")
    assert (ended.code, ended.error["code"]) == (3, "Refused")
    assert "made elsewhere" in ended.error["message"]
    assert "--profile" in ended.error["hint"]


def test_a_profile_nobody_configured_is_refused(nobody):
    ended = nobody("list", "-p", "mssp")
    assert ended.code == 2
    assert "mssp" in ended.err


def test_settings_say_what_is_configured_and_where(nobody):
    told = nobody("settings", "--json").json
    assert (told["file"], told["used"]) == (None, None)
    (nobody.folder / "vedette.toml").write_text(SETTINGS)
    told = nobody("settings", "--json").json
    assert told["file"] == str(nobody.folder / "vedette.toml")
    assert told["used"]["name"] == "soc"
    assert told["used"]["identity"] == "az"
    assert list(told["used"]["workspaces"]) == ["soc-eu"]
    assert "soc-eu" in nobody("settings").out


def test_settings_of_the_local_world_name_its_workspaces(vedette):
    told = vedette("settings", "--json").json
    assert list(told["used"]["workspaces"]) == ["soc-eu", "soc-us"]
    assert [
        *{one["workspace"] for one in vedette("list", "--json").json} ^ {"soc-eu", "soc-us"}
    ] == []
    assert "soc-us" in vedette("settings").out


def test_words_that_are_no_text_are_refused_before_anything_happens(vedette):
    for words in (
        ("update", "soc-eu#1", "--yes", "--comment", "a\udcff"),
        ("update", "soc-eu#1", "--yes", "--add-tag", "a\udcff"),
        ("create", "-w", "soc-eu", "--severity", "Low", "--yes", "--title", "a\udcff"),
        ("show", "a\udcff"),
        ("show-run", "a\udcff"),
        ("list", "--where", 'Title == "\udcff"'),
    ):
        ended = vedette(*words)
        assert ended.code == 2, words
        assert "no text in UTF-8" in ended.err


def test_settings_with_mistakes_name_every_one(nobody):
    (nobody.folder / "vedette.toml").write_text(SETTINGS + '\ncloud = "moon"\nnonsense = 1\n')
    ended = nobody("settings")
    assert ended.code == 2
    assert "vedette.toml" in ended.err
    (nobody.folder / "other.toml").write_text("default = [")
    assert nobody("settings", "--settings", "other.toml").code == 2
    assert nobody("settings", "--settings", "none.toml").code == 2


SETTINGS = """
[profiles.soc]
cloud = "public"
identity = {kind = "az"}
[profiles.soc.workspaces.soc-eu]
id = "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/soc/providers/\
Microsoft.OperationalInsights/workspaces/soc-eu"
"""


def test_a_reader_who_leaves_early_is_no_error(vedette):
    ran = subprocess.run(
        f"{' '.join(vedette.command('list', '--json'))} | head -c 10",
        shell=True,
        cwd=vedette.folder,
        env=vedette.env,
        capture_output=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert len(ran.stdout) == 10


def test_a_process_gives_the_same_as_a_call(vedette):
    ran = vedette.process("list", "--json")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(json.loads(ran.stdout)) == SAMPLE
    ran = vedette.process("list", "--where", "Severity ==")
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert "Traceback" not in ran.stderr


def test_a_narrow_character_set_is_no_error(vedette):
    vedette.env["PYTHONIOENCODING"] = "ascii"
    ran = vedette.process("list")
    assert ran.returncode == 0
    assert len(ran.stdout.splitlines()) == SAMPLE + 1


# How commands end.


def ended_by(error, capsys, *, as_json=False):
    def run():
        raise error

    code = verdict.verdict(run, as_json=as_json)
    said = capsys.readouterr()
    assert said.out == ""
    return code, said.err


@pytest.mark.parametrize(
    ("error", "code"), [(Unknown, 2), (Refused, 3), (Overtaken, 4), (Denied, 5)]
)
def test_every_error_has_its_code_and_its_hint(error, code, capsys):
    assert ended_by(error("what", hint="way out"), capsys) == (
        code,
        "vedette: what\n  way out\n",
    )


def test_the_worst_of_several_errors_decides(capsys):
    group = ExceptionGroup("several", [Refused("held"), Denied("no role"), Overtaken("late")])
    assert ended_by(group, capsys) == (5, "vedette: no role\n")


def test_an_error_as_json_has_code_message_hint_and_the_calls_id(capsys):
    error = Denied("no role", hint="ask").about("8d3f")
    code, said = ended_by(error, capsys, as_json=True)
    assert code == 5
    told = {"code": "Denied", "message": "no role", "hint": "ask", "requestId": "8d3f"}
    assert json.loads(said) == {"error": told}
    _, said = ended_by(Denied("no role"), capsys, as_json=True)
    assert json.loads(said)["error"]["requestId"] is None


def test_an_error_names_the_call_on_a_line_of_its_own(capsys):
    _, said = ended_by(Denied("no role", hint="ask").about("8d3f\n9"), capsys)
    assert said == "vedette: no role\n  ask\n  request id 8d3f 9\n"


def test_an_errors_text_is_harmless_and_cannot_pretend_to_be_another(capsys):
    _, said = ended_by(Denied("a\x1b[2Jb\nvedette: all is well"), capsys)
    assert "\x1b" not in said
    assert said.splitlines()[1:] == ["  vedette: all is well"]


def test_a_bug_is_told_in_one_line_and_keeps_what_it_quotes_to_itself(capsys):
    code, said = ended_by(ValueError("a secret title"), capsys)
    assert code == 1
    assert "bug in vedette" in said
    assert "ValueError" in said
    assert "secret" not in said
    assert "Traceback" not in said


def test_a_bug_among_errors_is_a_bug(capsys):
    code, said = ended_by(ExceptionGroup("both", [Denied("no"), KeyError("x")]), capsys)
    assert code == 1
    assert "KeyError" in said


def test_ctrl_c_names_the_run_that_goes_on(capsys):
    code, said = ended_by(verdict.Stopped("r-1"), capsys)
    assert code == 130
    assert "go on with: vedette resume r-1" in said
    assert ended_by(KeyboardInterrupt(), capsys) == (130, "vedette: stopped\n")


def test_the_traceback_is_there_for_who_asks(vedette):
    """A world that is no database is a bug only to those who damaged it: told, not shown."""
    broken = "import vedette.cli.columns as c\nc.COLUMNS = None\n"
    program = f"{broken}from vedette.cli.main import main\nmain(['columns'])"
    words = [vedette.command()[0], "-c", program]
    plain = subprocess.run(words, env=vedette.env, capture_output=True, check=False, text=True)
    assert (plain.returncode, "Traceback" in plain.stderr) == (1, False)
    env = vedette.env | {"VEDETTE_TRACEBACK": "1"}
    told = subprocess.run(words, env=env, capture_output=True, check=False, text=True)
    assert (told.returncode, "Traceback" in told.stderr) == (1, True)
