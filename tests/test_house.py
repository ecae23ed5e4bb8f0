"""The rules of the house that a machine can hold, beside the import contracts."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import vedette

ROOT = Path(__file__).parents[1]
OURS = [
    path for room in ("src", "tests", "bench", "scripts") for path in (ROOT / room).rglob("*.py")
]
LOCKS = sorted((ROOT / "requirements").glob("*.txt"))
PINNED = re.compile(r"^([a-z0-9-]+)==", re.MULTILINE)
WORK_PLACES = re.compile(r"(?<![\w.])/(?:work|root|home/\w+|Users/\w+)/")


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tracked() -> Iterator[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, text=True
    )
    if listed.returncode:
        pytest.skip("no git tree here: nothing says which files are ours")
    for name in filter(None, listed.stdout.split("\0")):
        if (ROOT / name).is_file():
            yield ROOT / name


def imported(program: str, env: dict[str, str]) -> set[str]:
    """The modules that a fresh interpreter holds after running the program."""
    said = "import sys; print('\\n' + ' '.join(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", f"{program}\n{said}"],
        env={"PATH": "/usr/bin:/bin", **env},
        capture_output=True,
        check=False,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return {module.partition(".")[0] for module in ran.stdout.splitlines()[-1].split()}


def told(long: dict[str, int]) -> str:
    return "".join(f"\n{lines} lines: {name}" for name, lines in sorted(long.items()))


def run(*words: str) -> str:
    return f"""
import sys
sys.argv = {["vedette", *words]!r}
from vedette.__main__ import main
try:
    main()
except SystemExit as ended:
    assert not ended.code, ended.code
"""


def test_a_file_fits_in_400_lines():
    long = {
        named(path): lines
        for path in OURS
        if (lines := path.read_text(encoding="utf-8").count("\n")) > 400
    }
    assert not long, told(long)


def test_a_function_fits_in_40_lines():
    long = {
        f"{named(path)}:{node.lineno} {node.name}": lines
        for path in OURS
        # a test that shows a whole page of output is as long as the page
        if path.parent.name != "tests"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (lines := (node.end_lineno or 0) - node.lineno + 1) > 40
    }
    assert not long, told(long)


def test_a_room_says_what_it_does():
    silent = [
        named(path)
        for path in (ROOT / "src").rglob("*.py")
        if ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) is None
    ]
    assert silent == []


def test_no_file_names_the_machine_it_was_written_on():
    found = [
        f"{named(path)}: {place[0]}"
        for path in tracked()
        if (place := WORK_PLACES.search(path.read_text(encoding="utf-8", errors="replace")))
    ]
    assert found == []


EXCEPTION = re.compile(r"# (?:noqa|type: ignore)\b(?P<rest>.*)")
GIVEN = re.compile(r"(?:: [A-Z]+[0-9]+(?:, [A-Z]+[0-9]+)*|\[[a-z-]+\])  ?(?:--?|#) \S.*")


def test_every_exception_from_a_rule_says_which_and_why():
    bare = [
        f"{named(path)}:{number}"
        for path in (ROOT / "src").rglob("*.py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if (found := EXCEPTION.search(line)) and not GIVEN.fullmatch(found["rest"])
    ]
    assert bare == []


@pytest.mark.parametrize(
    "asks",
    [
        "datetime.datetime.now()",
        "datetime.datetime.today()",
        "datetime.date.today()",
        "time.time()",
        "random.random()",
        "uuid.uuid4()",
    ],
)
def test_the_core_cannot_ask_for_the_time_or_for_chance(asks):
    """It is ruff that refuses: this says that it still does."""
    program = f"import {asks.partition('.')[0]}\n\nx = {asks}\n"
    ruff = [sys.executable, "-m", "ruff", "check", "--select", "TID251", "--no-cache"]
    ran = subprocess.run(
        [*ruff, "--stdin-filename", "src/vedette/model/x.py", "-"],
        cwd=ROOT,
        input=program,
        capture_output=True,
        check=False,
        text=True,
    )
    assert "TID251" in ran.stdout, ran.stderr


def test_lock_files_name_no_registry():
    """Where packages come from is the installer's to say; what they are is ours."""
    addresses = re.compile(r"://|--(?:index|extra-index|find-links|trusted)|\s@\s")
    assert [named(lock) for lock in LOCKS if addresses.search(lock.read_text())] == []


def test_every_pin_carries_hashes():
    for lock in LOCKS:
        for block in re.split(r"\n(?=[a-z])", lock.read_text().strip()):
            assert re.match(r"[a-z0-9.-]+==\S+ .*\\\n +--hash=sha256:[0-9a-f]{64}", block), block


def test_the_locks_agree_with_one_another():
    # other generations of one package stand in folders of their own
    ours = [lock for lock in LOCKS if not lock.name.startswith("sdk-")]
    pinned = [
        set(re.findall(r"^[a-z0-9.-]+==\S+", lock.read_text(), re.MULTILINE)) for lock in ours
    ]
    names = [{pin.partition("==")[0] for pin in pins} for pins in pinned]
    for mine, my_names in zip(pinned, names, strict=True):
        for theirs, their_names in zip(pinned, names, strict=True):
            shared = my_names & their_names
            assert {p for p in mine ^ theirs if p.partition("==")[0] in shared} == set()


def test_everything_that_pyproject_asks_for_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    asked = {
        "runtime": project["project"]["dependencies"],
        "build": project["dependency-groups"]["build"],
        "dev": [x for x in project["dependency-groups"]["dev"] if isinstance(x, str)],
    }
    for lock, needs in asked.items():
        pinned = set(PINNED.findall((ROOT / f"requirements/{lock}.txt").read_text()))
        assert {re.split(r"[<>=!~\[; ]", need)[0].lower() for need in needs} <= pinned


def test_the_changelog_knows_this_version():
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] in ("Unreleased", vedette.__version__)


def test_help_imports_nothing_that_a_command_will_want_later():
    """Start-up is a feature: 60 ms over an empty interpreter."""
    pytest.importorskip("vedette.cli.main", reason="there is no command line yet")
    held = imported(run("--help"), {})
    heavy = {"aiohttp", "asyncio", "azure", "cryptography", "jwt", "lark", "rich", "sqlite3", "ssl"}
    assert held & heavy == set()


def test_a_list_of_the_local_world_needs_no_network_and_no_grammar(tmp_path):
    pytest.importorskip("vedette.cli.main", reason="there is no command line yet")
    folders = {f"XDG_{kind}_HOME": str(tmp_path) for kind in ("DATA", "CONFIG", "STATE", "CACHE")}
    env = {"HOME": str(tmp_path), "VEDETTE_PROFILE": "local", **folders}
    held = imported(run("list", "--top", "1"), env)
    assert held & {"aiohttp", "azure", "cryptography", "jwt", "lark", "rich"} == set()
