"""The pages: every command has help with an example, is on a page, and the blocks run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from shell import Shell
from vedette.cli.main import main
from vedette.run.choice import choose
from vedette.run.connect import _Authorizer
from vedette.run.profile import chosen
from vedette.run.settings import load
from vedette.run.tokens import Given

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w+) (run|served)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
CONTEXT = click.Context(main, info_name="vedette")
COMMANDS = main.list_commands(CONTEXT)


def blocks(page: Path, kind: str) -> list[tuple[str, str]]:
    found = BLOCK.findall(page.read_text(encoding="utf-8"))
    return [(language, text) for language, how, text in found if how == kind]


def helped(name: str) -> tuple[click.Command, str]:
    command = main.get_command(CONTEXT, name)
    assert command is not None
    return command, command.get_help(click.Context(command, info_name=name, parent=CONTEXT))


@pytest.fixture
def here(tmp_path):
    """A folder where `vedette` is a word of the shell."""
    shell = Shell(tmp_path)
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "vedette"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m vedette "$@"\n')
    script.chmod(0o700)
    shell.env["PATH"] = f"{tmp_path / 'bin'}:{Path(sys.executable).parent}:{os.environ['PATH']}"
    return shell


@pytest.mark.parametrize("name", COMMANDS)
def test_help_starts_with_an_example(name):
    command, text = helped(name)
    lines = text.splitlines()
    sentence, example = 2, 4
    assert lines[sentence].strip().endswith((".", ",")) or lines[sentence + 1].strip()
    assert any(line.startswith(f"    vedette {name}") for line in lines[example : example + 2])
    for option in command.params:
        if isinstance(option, click.Option):
            assert option.help, f"{name} {option.opts}"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_takes_json(name):
    command, _ = helped(name)
    assert "--json" in [spelled for option in command.params for spelled in option.opts]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_place_on_the_page_of_commands(name):
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", page, re.MULTILINE)
    assert name in [word.strip() for heading in headings for word in heading.split(",")]
    assert f"vedette {name}" in page


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_on_a_page(name):
    told = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    command, _ = helped(name)
    long = [s for option in command.params for s in option.opts if s.startswith("--")]
    assert [option for option in long if not re.search(rf"{option}\b", told)] in ([], ["--output"])


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "run")], ids=lambda p: p.name
)
def test_the_blocks_of_a_page_run_from_top_to_bottom(here, page):
    """A line is held to exit code 0; `plan`, and an undo that only plans, to 0 or 10."""
    for _, text in blocks(page, "run"):
        for line in text.strip().splitlines():
            ran = subprocess.run(
                ["sh", "-c", line],
                cwd=here.folder,
                env=here.env,
                capture_output=True,
                check=False,
                text=True,
                timeout=60,
            )
            plans = re.match(r"vedette (plan|undo .*--plan)\b", line)
            assert ran.returncode in ((0, 10) if plans else (0,)), f"{line}\n{ran.stderr}"
            assert "Traceback" not in ran.stderr


@pytest.mark.parametrize(
    "page", [page for page in PAGES if blocks(page, "served")], ids=lambda p: p.name
)
def test_the_blocks_for_the_service_run_against_it(here, page):
    del here.env["VEDETTE_PROFILE"]
    for language, text in blocks(page, "served"):
        program = {"sh": ["sh", "-eu"], "python": [sys.executable]}[language]
        (here.folder / "block").write_text(text, encoding="utf-8")
        words = ("serve", "--data", "world", "--port", "0", "--sample", "60")
        ran = here.process(*words, "--", *program, "block")
        assert ran.returncode == 0, f"{text}\n{ran.stdout}\n{ran.stderr}"
        assert ran.stdout.strip()


def test_the_settings_on_the_page_work_with_the_commands_on_the_page(tmp_path):
    """As far as nobody has to sign in: they are read, and every place and sign-in is found."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    first = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[0]
    (tmp_path / "vedette.toml").write_text(first, encoding="utf-8")
    known = load(explicit=None, folder=tmp_path, config=tmp_path / "none", environ={})
    profile = choose(known, environ={}, terminal=False).profile
    signed = _Authorizer(profile, lambda _: Given("token"))
    for words, meant in (
        ({}, ["soc-eu", "acme-01"]),
        ({"patterns": ("acme-*", "@tier1")}, ["soc-eu", "acme-01"]),
        ({"tenants": ("acme",)}, ["acme-01"]),
    ):
        selection = chosen(profile, **words)
        assert [one.alias for one in selection.workspaces] == meant
        signed.send_on(profile, selection)
    for line in ("vedette list -w 'acme-*' -w @tier1", "vedette list --tenant acme"):
        assert line in page


def test_the_session_of_the_readme_is_what_vedette_says(here):
    """Times, names of runs and what was left out apart, the words are the program's own."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    session = re.search(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert session is not None
    said = re.split(r"^\$ ", session[1].replace("\\\n", ""), flags=re.MULTILINE)[1:]
    for command, _, output in (one.partition("\n") for one in said):
        if command.startswith("export"):
            continue
        ran = subprocess.run(
            ["sh", "-c", command],
            cwd=here.folder,
            env=here.env,
            capture_output=True,
            check=False,
            text=True,
            timeout=60,
        )
        assert ran.returncode in (0, 10), ran.stderr
        printed = [blurred(line) for line in ran.stdout.splitlines()]
        for line in output.splitlines():
            assert line == "..." or blurred(line) in printed, line


def blurred(line: str) -> str:
    line = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "TIME", line)
    return re.sub(r"r-\d{4}-\d{4}-\w{3}", "RUN", line)
