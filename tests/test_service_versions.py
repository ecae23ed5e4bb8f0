"""Which api-version has what: one table, and how what is missing is refused."""

from __future__ import annotations

import pytest

from served import edge
from vedette.service.arm.versions import PREVIEW, STABLE

FIRST = "2020-01-01"
CASES = "2019-01-01-preview"


@pytest.fixture(scope="module")
def it(tmp_path_factory):
    made = edge("memory", tmp_path_factory.mktemp("edge"))
    made.make("one")
    yield made
    made.close()


# What is asked, in which version, and whether the version has it.
ASKED = [
    ("GET", "/incidents/one/relations", FIRST, False),
    ("GET", "/incidents/one/relations", "2021-04-01", True),
    ("GET", "/incidents/one/relations", CASES, True),
    ("GET", "/incidents/one/relations", "2020-04-01", True),
    ("POST", "/incidents/one/alerts", FIRST, False),
    ("POST", "/incidents/one/alerts", "2021-03-01-preview", True),
    ("POST", "/incidents/one/entities", "2021-04-01", True),
    ("POST", "/incidents/one/bookmarks", "2021-12-01", True),
    ("GET", "/incidents/one/tasks", "2023-11-01", False),
    ("GET", "/incidents/one/tasks", "2024-03-01", True),
    ("GET", "/incidents/one/tasks", "2022-11-01-preview", False),
    ("GET", "/incidents/one/tasks", "2022-12-01-preview", True),
    ("GET", "/incidents/one/tasks", "2021-12-01", False),
    ("GET", "/bookmarks", FIRST, True),
    ("GET", "/bookmarks", "2021-04-01", False),
    ("GET", "/bookmarks", "2021-10-01", True),
    ("GET", "/bookmarks", "2020-08-01", True),
    ("GET", "/entities", "2025-09-01", False),
    ("GET", "/entities", "2025-07-01-preview", True),
    ("GET", "/alertRules", FIRST, True),
    ("GET", "/incidents", "2023-01-01", True),
    ("GET", "/alertRules", "2023-01-01", False),
    ("GET", "/cases/one/relations", "2025-09-01", False),
    ("GET", "/cases/one/relations", CASES, True),
]


@pytest.mark.parametrize(("method", "path", "version", "has_it"), ASKED)
def test_a_kind_is_refused_in_the_versions_that_lack_it(it, method, path, version, has_it):
    told = it.arm(method, path, version=version)
    assert told.status == (200 if has_it else 400), told.body
    if not has_it and version != "2023-01-01":
        assert told.code == "UnsupportedApiVersion"
        assert path in told.message


@pytest.mark.parametrize("version", [*STABLE, *PREVIEW, "2020-04-01", "2023-01-01"])
def test_every_version_has_incidents(it, version):
    assert it.arm("GET", "/incidents/one", version=version).status == 200


@pytest.mark.parametrize(
    ("path", "version"),
    [("/incidents/one/comments/c", FIRST), ("/cases/one/comments/c", CASES)],
)
def test_a_method_that_a_version_lacks_is_refused_as_a_method(it, path, version):
    told = it.arm("DELETE", path, version=version)
    assert (told.status, told.code) == (405, "UnsupportedApiVersion")
    assert told.headers["allow"] == "GET, PUT"


def test_the_version_is_looked_at_before_place_and_roles(it):
    told = it.arm("GET", "/incidents/one/tasks", version="2031-01-01", app=None)
    assert told.status in (400, 401)
    told = it.arm("GET", "/incidents/none/tasks", version=FIRST)
    assert told.code == "UnsupportedApiVersion"


def test_teams_are_made_in_previews_and_playbooks_run_since_2024(it):
    body = {"teamName": "t"}
    assert it.arm("POST", "/incidents/none/createTeam", body).code == "UnsupportedApiVersion"
    told = it.arm("POST", "/incidents/none/createTeam", body, version="2021-09-01-preview")
    assert told.code == "NotFound"
    run = it.arm("POST", "/incidents/none/runPlaybook", {}, version="2023-11-01")
    assert run.code == "UnsupportedApiVersion"
    run = it.arm("POST", "/incidents/none/runPlaybook", {}, version="2021-10-01-preview")
    assert run.code == "BadRequest"
