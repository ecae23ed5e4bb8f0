"""The variables, as shells, pipelines and files take them."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

from vedette.errors import Asked
from vedette.service.edge import shapes


@pytest.mark.parametrize(
    ("shape", "line"),
    [
        ("sh", "export AZURE_CLIENT_SECRET='a'\"'\"'b $c'"),
        ("fish", "set -gx AZURE_CLIENT_SECRET 'a\\'b $c'"),
        ("csh", "setenv AZURE_CLIENT_SECRET 'a'\\''b $c'"),
        ("cmd", 'set "AZURE_CLIENT_SECRET=a\'b $c"'),
        ("pwsh", "$env:AZURE_CLIENT_SECRET = 'a''b $c'"),
        ("github", "AZURE_CLIENT_SECRET=a'b $c"),
        ("azdo", "##vso[task.setvariable variable=AZURE_CLIENT_SECRET;issecret=true]a'b $c"),
        ("dotenv", 'AZURE_CLIENT_SECRET="a\'b $c"'),
    ],
)
def test_variables_are_spelled_for_whoever_reads_them(shape, line):
    assert shapes.spelled({"AZURE_CLIENT_SECRET": "a'b $c"}, shape) == f"{line}\n"


@pytest.mark.parametrize(
    ("shape", "spelled"),
    [
        ("sh", "export ONE='a\n%b'\n"),
        ("fish", "set -gx ONE 'a\n%b'\n"),
        ("csh", "setenv ONE 'a\\\n%b'\n"),
        ("pwsh", "$env:ONE = 'a\n%b'\n"),
        ("azdo", "##vso[task.setvariable variable=ONE]a%0A%AZP25b\n"),
        ("dotenv", 'ONE="a\\n%b"\n'),
    ],
)
def test_no_value_ends_its_line_early(shape, spelled):
    assert shapes.spelled({"ONE": "a\n%b"}, shape) == spelled


def test_a_value_of_several_lines_ends_in_github_where_it_does_not_occur():
    first, *lines, last = shapes.spelled({"ONE": "a\nTWO=b"}, "github").splitlines()
    assert lines == ["a", "TWO=b"]
    assert first == f"ONE<<{last}"
    assert shapes.spelled({"ONE": "\u2019"}, "pwsh") == "$env:ONE = '\u2019\u2019'\n"


@pytest.mark.skipif(os.name != "posix", reason="sh is needed")
def test_what_sh_reads_is_what_was_meant():
    values = {"ONE": 'a\'b "$c" `d` \\e', "TWO": "x y"}
    script = shapes.spelled(values, "sh") + 'printf "%s\\n" "$ONE" "$TWO"'
    told = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == [*values.values()]


def test_what_cmd_cannot_spell_is_refused_by_name():
    assert shapes.spelled({"ONE": "50%"}, "cmd") == 'set "ONE=50%%"\n'
    with pytest.raises(Asked, match="ONE"):
        shapes.spelled({"ONE": "a\nb"}, "cmd")
    with pytest.raises(Asked, match="ONE"):
        shapes.spelled({"ONE": 'a" & del'}, "cmd")


@pytest.mark.parametrize("shell", ["fish", "csh"])
def test_what_another_shell_reads_is_what_was_meant(shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here")
    values = {"ONE": "a'b $c\\d!e", "TWO": "x y"}
    script = shapes.spelled(values, shell) + "printenv ONE; printenv TWO"
    told = subprocess.run([shell, "-c", script], capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == [*values.values()]
