"""The vendor's SDK in its three generations, each unmodified and in a process of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from served import edge
from vedette.service.state import cast

BESIDE = Path(sys.prefix) / "sdk"
GENERATIONS = ("1.0.0", "2.0.0b2", "2.0.0b4")
SEEN = {
    "incidents": {
        "number": True,
        "severity": "Low",
        "labels": ["vip"],
        "etag moved": True,
        "all": True,
        "filtered": True,
        "listed": 31,
    },
    "beneath": {
        "comment": ["hello", ["hello"]],
        "relation": ["Microsoft.SecurityInsights/Bookmarks", 1],
        "bookmark": ["b", 1],
        "alerts": True,
        "alert": "SecurityAlert",
        "entities": True,
        "bookmarks": 1,
    },
    "rules": {"rule": ["tag high", ["r1"]], "ran": ["ruled"]},
    "watchlists": {
        "name": "scanners",
        "items": ["192.0.2.1", "192.0.2.2", "192.0.2.3"],
        "left": 2,
        "gone": [],
    },
    "indicators": {
        "kind": "indicator",
        "queried": 4,
        "tags": ["seen"],
        "listed": 5,
        "metrics": True,
        "left": 0,
    },
    "around": {"operations": True, "onboarded": ["default"], "rules": True},
}


@pytest.fixture(scope="module")
def it(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    made = edge("socket", folder, 60)
    made.bundle = folder / "bundle.pem"
    yield made
    made.close()


@pytest.mark.parametrize("generation", GENERATIONS)
def test_a_generation_finds_everything_as_on_the_real_service(it, generation):
    beside = BESIDE / generation
    if generation != "1.0.0" and not beside.is_dir():
        pytest.skip(f"azure-mgmt-securityinsight {generation} is not in {BESIDE}")
    (secret,) = it.connection.execute(
        "SELECT secret FROM app WHERE id = ?", (cast.OPERATOR,)
    ).fetchone()
    environ = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(beside),
        "REQUESTS_CA_BUNDLE": str(it.bundle),
        "VEDETTE_TENANT": cast.TENANT,
        "AZURE_CLIENT_ID": cast.OPERATOR,
        "AZURE_CLIENT_SECRET": secret,
        "AZURE_AUTHORITY_HOST": it.url,
        "AZURE_SUBSCRIPTION_ID": cast.SUBSCRIPTION,
        "VEDETTE_ARM": it.url,
        "VEDETTE_RESOURCE_GROUP": cast.RESOURCE_GROUP,
        "VEDETTE_WORKSPACE": "soc-eu",
    }
    program = Path(__file__).with_name("generation.py")
    done = subprocess.run(
        [sys.executable, program],
        check=False,
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout)
    assert seen.pop("generation") == generation
    if generation != "1.0.0":
        assert seen["beneath"].pop("task") == ["look", 1]
    (count,) = it.connection.execute(
        "SELECT count(*) + 1 FROM incident WHERE workspace = 1"
    ).fetchone()
    assert seen == {**SEEN, "incidents": {**SEEN["incidents"], "listed": count}}
