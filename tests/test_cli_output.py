"""The streams: closed ones, full ones, and what the caller's own machine lacks."""

from __future__ import annotations

import subprocess
import sys

import pytest

from shell import Shell

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="a POSIX shell is needed")


@pytest.fixture
def vedette(tmp_path):
    return Shell(tmp_path)


def sh(vedette, line):
    """Run a line of the shell in which `vedette` is a word."""
    words = " ".join(vedette.command())
    return subprocess.run(
        ["sh", "-c", f'vedette() {{ {words} "$@"; }}; {line}'],
        cwd=vedette.folder,
        env=vedette.env,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("vedette list", 0),
        ("vedette plan --where 'Title has \"phish\"' --add-tag x -o p.json", 10),
        ("vedette list --where Severity", 2),
        ("vedette --help", 0),
        ("vedette --version", 0),
    ],
)
@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_change_no_verdict(vedette, line, code, closed):
    ran = sh(vedette, f"{line} {closed}")
    assert ran.returncode == code
    assert "Traceback" not in ran.stderr


def test_a_world_that_is_opened_while_streams_are_closed_stays_a_world(vedette):
    """The first file opened would take the number of stderr, and be written complaints to."""
    where = "--where 'Title has \"phish\"'"
    update = f"vedette update {where} --add-tag x --allow merged --yes"
    assert sh(vedette, f"{update} <&- >&- 2>&-").returncode == 0
    ran = sh(vedette, "vedette list --where 'Tags has \"x\"' --count --format csv")
    assert int(ran.stdout.splitlines()[1]) > 0


@pytest.mark.parametrize("how", ["", "--json", "--format csv", "--format ndjson"])
def test_an_answer_that_cannot_be_written_is_said_in_a_line(vedette, how):
    ran = sh(vedette, f"vedette list {how} >/dev/full")
    assert ran.returncode == 5
    assert "the answer cannot be written: No space left on device" in ran.stderr
    assert "bug" not in ran.stderr
    assert "Exception" not in ran.stderr


def test_help_that_cannot_be_written_is_no_bug_either(vedette):
    ran = sh(vedette, "vedette --help >/dev/full")
    assert ran.returncode == 5
    assert "No space left on device" in ran.stderr
    assert "bug" not in ran.stderr


def test_a_talk_that_nobody_can_hear_leaves_the_verdict(vedette):
    assert sh(vedette, "vedette list --where Severity 2>/dev/full").returncode == 2


def test_nobody_is_asked_where_the_input_is_closed(vedette):
    ran = sh(vedette, "vedette delete soc-eu#1 <&-")
    assert (ran.returncode, "say --yes" in ran.stderr) == (2, True)
    ran = sh(vedette, "vedette list --where-file - <&-")
    assert (ran.returncode, "standard input is closed" in ran.stderr) == (2, True)


def test_a_current_folder_that_is_gone_is_named(vedette):
    ran = sh(vedette, "mkdir gone && cd gone && rmdir ../gone && vedette list")
    assert ran.returncode == 2
    assert ran.stderr.startswith("vedette: the current folder: ")


@pytest.mark.parametrize("kind", ["STATE", "DATA"])
def test_a_folder_that_cannot_be_made_is_named_with_the_way_out(vedette, kind):
    vedette.env[f"XDG_{kind}_HOME"] = "/dev/null/nowhere"
    ran = vedette.process("update", "soc-eu#1", "--add-tag", "x", "--yes")
    assert ran.returncode == 2
    assert "/dev/null/nowhere/vedette cannot be made" in ran.stderr
    assert f"XDG_{kind}_HOME" in ran.stderr
