"""`doctor`, on the command line: the verdict is the exit code."""

from __future__ import annotations

import pytest

from fleet import Fleet, tenant, workspace
from shell import Shell


@pytest.fixture
def fleet(tmp_path):
    made = Fleet(tmp_path, tenants=2, each=2, sample=1)
    yield made
    made.close()


@pytest.fixture
def somebody(tmp_path, fleet):
    folder = tmp_path / "somebody"
    folder.mkdir()
    shell = Shell(folder, profile="mssp")
    shell.env |= fleet.environ
    return lambda *words: shell("doctor", "--settings", str(fleet.settings), *words)


def test_all_is_well_on_the_local_world(tmp_path):
    ended = Shell(tmp_path)("doctor")
    assert ended.code == 0, ended.out
    assert ended.out.startswith("profile local\n")
    assert ended.out.endswith("all is well\n")


def test_it_says_so_where_all_is_well(somebody):
    ended = somebody()
    assert ended.code == 0, ended.out
    assert "signed" not in ended.err
    assert "4 workspaces answered in the dialect sentinel, api-version 2025-09-01" in ended.out


def test_what_is_missing_for_what_is_meant_is_exit_code_5(fleet, somebody):
    fleet.may_only_read(workspace(1, 0))
    ended = somebody("--json")
    assert ended.code == 5
    assert ended.json["verdict"] == "failing"
    failing = [one for one in ended.json["findings"] if one["word"] == "failing"]
    assert all(one["places"] == [workspace(1, 0)] for one in failing)
    assert somebody("--for", "list").code == 0
    assert somebody("-w", "t00-*").code == 0
    assert somebody("--tenant", tenant(1)).code == 5


def test_no_secret_is_told(fleet, somebody):
    fleet.environ["SECRET_T00"] = "not this one"
    ended = somebody("--json")
    assert "drawn" not in ended.out + ended.err


def test_settings_that_name_no_place_are_exit_code_2(tmp_path):
    (tmp_path / "vedette.toml").write_text(
        '[profiles.mssp]\ncloud = "public"\nidentity = {kind = "az"}\n'
    )
    ended = Shell(tmp_path, profile=None)("doctor")
    assert ended.code == 2
    assert "vedette init" in ended.err


def test_without_settings_it_says_what_to_do(tmp_path):
    ended = Shell(tmp_path, profile=None)("doctor")
    assert ended.code == 2
    assert "vedette init" in ended.err
