"""The pages on the service: its table of routes is whole, and its example of a test runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import msgspec

from vedette.service.route import INSIGHTS, WORKSPACE
from vedette.service.routes import answers
from vedette.service.state.settings import PROFILES, Settings

DOCS = Path(__file__).parents[1] / "docs"
PAGE = (DOCS / "service.md").read_text(encoding="utf-8")
FILE = re.compile(r"^```python file=(\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_table_of_routes_is_what_is_answered():
    rows = re.findall(r"^\| `(\S+)` \| ([A-Z ]+) \|", PAGE, re.MULTILINE)
    told = {spelled(path): tuple(methods.split()) for path, methods in rows}
    assert told == {
        path: methods for path, methods in answers().items() if not path.startswith("_vedette")
    }


def spelled(path):
    whole = path.replace("…!", f"/{INSIGHTS}").replace("…", f"/{WORKSPACE}")
    return re.sub("/+", "/", whole).removeprefix("/")


def test_every_profile_of_limits_and_every_setting_is_told():
    table = re.findall(r"^\| ((?:`[\w-]+`(?:, )?)+) \|", PAGE, re.MULTILINE)
    named = {name for cell in table for name in re.findall(r"`([\w-]+)`", cell)}
    assert named >= {*PROFILES} - {"off"}
    assert named >= {field.name for field in msgspec.structs.fields(Settings)}


def test_the_worked_example_runs_and_finds_what_is_wrong_with_the_script(tmp_path):
    files = FILE.findall((DOCS / "testing.md").read_text(encoding="utf-8"))
    assert [name for name, _ in files] == ["close_noise.py", "test_close_noise.py"]
    for name, text in files:
        (tmp_path / name).write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:schemathesis", "-p", "no:xdist"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    done = subprocess.run(
        command, cwd=tmp_path, env=environ, check=False, capture_output=True, text=True, timeout=60
    )
    assert "3 passed" in done.stdout, done.stdout[-3000:]
