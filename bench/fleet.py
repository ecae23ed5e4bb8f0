"""
200 workspaces in 20 tenants, an identity in each, every answer about incidents delayed by two
seconds: how much longer a command takes over all of them than over one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import NamedTuple

from tables import aim, section, table

from vedette.service.state.worldfile import WorldFile, read

TENANTS, EACH, DELAY = 20, 10, 2.0
_SECRET = "FLEET_SECRET"
_ONE = "t00-w00"


class There(NamedTuple):
    """The running service: the settings for it, and the variables that its identities need."""

    settings: Path
    environ: dict[str, str]


def _world() -> str:
    out = []
    for of in range(TENANTS):
        name = f"t{of:02}"
        out += [
            f'[tenants.{name}]\nname = "Customer {of}"\nfirst_incident = {1_000_000 * (of + 1)}',
            f'[subscriptions.{name}-security]\ntenant = "{name}"\nname = "Security {of}"',
            f'[applications.{name}-triage]\ntenant = "{name}"\nname = "triage"',
            f'secret_env = "{_SECRET}"\ngraph = ["SecurityIncident.ReadWrite.All"]',
            f'[[assignments]]\nwho = ["{name}-triage"]\nscope = "{name}-security"',
            'role = "Microsoft Sentinel Responder"',
        ]
        for number in range(EACH):
            out += [
                f'[workspaces.{name}-w{number:02}]\nsubscription = "{name}-security"',
                'resource_group = "soc"\nsample = 1',
            ]
    return "\n".join(out)


def _identity(client: str, tenant: str) -> str:
    return (
        f'kind = "secret", client_id = "{client}", tenant_id = "{tenant}", secret_env = "{_SECRET}"'
    )


def _settings(file: WorldFile, url: str, ca: Path) -> str:
    out = [
        f'[profiles.mssp]\narm = "{url}"\ngraph = "{url}"\nlogin = "{url}"\nca = "{ca}"',
        'identity = {kind = "az"}',
    ]
    for alias, one in file.tenants.items():
        client = file.applications[f"{alias}-triage"].id
        out += [
            f'[profiles.mssp.tenants.{alias}]\nid = "{one.id}"',
            f"identity = {{{_identity(client, one.id)}}}",
        ]
    for alias, place in file.workspaces.items():
        out += [
            f'[profiles.mssp.workspaces.{alias}]\nid = "{file.workspace_path(alias)}"',
            f'tenant = "{file.tenant_of(place)}"',
        ]
    return "\n".join(out) + "\n"


@contextmanager
def there() -> Iterator[There]:
    """Run the service over such a world."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "world.toml").write_text(_world())
        late = f'[[fault]]\nwhat = "late"\nseconds = {DELAY}\npath = "incidents"\n'
        (folder / "late.toml").write_text(late)
        environ = {
            "PATH": os.environ["PATH"],
            "HOME": name,
            _SECRET: "of a world that ends with its measurement",
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }
        command = [*_vedette(), "serve", "--port", "0", "--data", str(folder / "data")]
        command += ["--world", str(folder / "world.toml"), "--faults", str(folder / "late.toml")]
        with subprocess.Popen(command, stdout=-1, env=environ) as process:
            assert process.stdout is not None
            try:
                ready = json.loads(process.stdout.readline())
                file, settings = read(folder / "world.toml"), folder / "vedette.toml"
                settings.write_text(
                    _settings(file, ready["url"], folder / "data" / "authority.pem")
                )
                yield There(settings, environ)
            finally:
                process.terminate()
                process.wait()


def _vedette() -> list[str]:
    return [sys.executable, "-m", "vedette"]


def timed(at: There, *words: str, ends: int = 0) -> float:
    """Run a command and return the seconds it took."""
    command = [*_vedette(), words[0], "--settings", str(at.settings), *words[1:]]
    began = time.perf_counter()
    ran = subprocess.run(
        command, env=at.environ, cwd=at.settings.parent, capture_output=True, check=False, text=True
    )
    took = time.perf_counter() - began
    assert ran.returncode == ends, ran.stderr
    return took


def _round(at: There, turn: int) -> dict[str, tuple[float, float]]:
    """One workspace, then all of them, for each command: list, plan, apply, undo."""
    found: dict[str, tuple[float, float]] = {}
    narrow = ("-w", _ONE)
    found["list"] = (timed(at, "list", "--count", *narrow), timed(at, "list", "--count"))
    tag = f"--add-tag=fleet-{turn}"
    every = ("--where", "IncidentNumber > 0", tag)
    both = []
    for name, where in (("one", narrow), ("all", ())):
        file = f"{name}-{turn}.json"
        planned = timed(at, "plan", *every, "-o", file, *where, ends=10)
        applied = timed(at, "apply", file)
        undone = timed(at, "undo", "last")
        both.append((planned, applied, undone))
    one, all_ = both
    for number, word in enumerate(("plan", "apply", "undo")):
        found[word] = (one[number], all_[number])
    return found


def measure(rounds: int = 3) -> str:
    """Return the section of the report."""
    with there() as at:
        taken = [_round(at, turn) for turn in range(rounds)]
    rows, aims = [], []
    for word in taken[0]:
        one = median(each[word][0] for each in taken)
        all_ = median(each[word][1] for each in taken)
        rows.append([word, f"{one:.2f}", f"{all_:.2f}", f"{all_ / one:.2f}"])
        aims.append(aim(f"{word}, 200 workspaces over one", all_ / one, most=1.3))
    how = (
        f"{TENANTS * EACH} workspaces in {TENANTS} tenants, an identity in each, one incident in"
        f" each; every answer about incidents comes {DELAY:g} s late. Seconds of whole commands,"
        f" sign-in included, service and client on this machine. {rounds} rounds, medians."
    )
    head = ["", "one workspace, s", "all, s", "times"]
    return section(
        "Many workspaces", how, table(head, rows), table(["figure", "is", "aim", ""], aims)
    )


if __name__ == "__main__":
    print(measure(*map(int, sys.argv[1:])))
