"""`init`, on the command line, over TLS."""

from __future__ import annotations

import pytest

from fleet import Fleet, tenant, workspace
from shell import Shell

TENANTS, EACH = 2, 2


@pytest.fixture
def fleet(tmp_path):
    made = Fleet(tmp_path, tenants=TENANTS, each=EACH, sample=1)
    yield made
    made.close()


@pytest.fixture
def somebody(tmp_path, fleet):
    """Somebody in one tenant, who has nothing but what `service.env` would say."""
    folder = tmp_path / "somebody"
    folder.mkdir()
    shell = Shell(folder, profile=None)
    told = fleet.settings.read_text().splitlines()
    hosts = dict(line.split(" = ") for line in told[1:5])
    shell.env |= {
        "VEDETTE_ARM": hosts["arm"].strip('"'),
        "VEDETTE_GRAPH": hosts["graph"].strip('"'),
        "AZURE_AUTHORITY_HOST": hosts["login"].strip('"'),
        "SSL_CERT_FILE": hosts["ca"].strip('"'),
        "AZURE_TENANT_ID": fleet.file.tenants[tenant(0)].id,
        "AZURE_CLIENT_ID": fleet.file.applications[f"{tenant(0)}-triage"].id,
        "AZURE_CLIENT_SECRET": fleet.environ["SECRET_T00"],
        **fleet.environ,
    }
    return shell


def test_it_writes_settings_that_commands_go_by(fleet, somebody):
    ended = somebody("init")
    assert ended.code == 0, ended.err
    file = somebody.folder / "CONFIG" / "vedette" / "vedette.toml"
    assert file.stat().st_mode & 0o777 == 0o600
    assert f"written to {file}" in ended.out
    assert "2 workspaces with Sentinel, in 1 tenant" in ended.out
    told = somebody("list", "-p", "main", "--count", "--by", "Workspace", "--json").json
    assert {one["Workspace" if "Workspace" in one else "workspace"] for one in told} == {
        workspace(0, number) for number in range(EACH)
    }
    assert somebody("list", "-p", "main", "--tenant", "customer-0", "--count").code == 0


def test_what_is_there_stays_unless_told_and_then_lies_beside(somebody):
    file = somebody.folder / "mine.toml"
    file.write_text("# mine\n")
    ended = somebody("init", "-o", "mine.toml")
    assert ended.code == 2
    assert "is there already" in ended.err
    assert "--force" in ended.err
    assert file.read_text() == "# mine\n"
    ended = somebody("init", "-o", "mine.toml", "--force")
    assert ended.code == 0, ended.err
    assert "--settings mine.toml" in ended.err
    assert (somebody.folder / "mine.toml.old").read_text() == "# mine\n"
    assert "[profiles.main]" in file.read_text()
    assert [one.name for one in somebody.folder.glob(".*.new")] == []


def test_settings_of_the_folder_come_first_and_that_is_said(somebody):
    (somebody.folder / "vedette.toml").write_text("")
    ended = somebody("init")
    assert ended.code == 0
    assert "comes first in this folder" in ended.err


def test_a_dry_run_prints_the_settings_and_writes_nothing(somebody):
    ended = somebody("init", "--dry-run")
    assert ended.code == 0, ended.err
    assert ended.out.startswith("# Written by `vedette init`.")
    assert not (somebody.folder / "CONFIG").exists()


def test_a_program_is_told_what_was_found(fleet, somebody):
    told = somebody("init", "-o", "a.toml", "--json").json
    assert told["file"] == str(somebody.folder / "a.toml")
    assert [one["alias"] for one in told["workspaces"]] == [workspace(0, 0), workspace(0, 1)]
    assert told["failed"] == []
    assert told["tenants"][0]["defender"] is True


def test_a_profile_that_is_there_says_where_to_look_and_what_refuses_is_named(fleet, somebody):
    somebody.env["SECRET_T01"] = "not this one"
    ended = somebody(
        "init", "--settings", str(fleet.settings), "-p", "mssp", "-o", "a.toml", "--json"
    )
    assert ended.code == 5
    assert [one["what"] for one in ended.json["failed"]] == ["tenant t01"]
    assert "AADSTS7000215" in ended.err
    assert len(ended.json["workspaces"]) == EACH
    assert "secret_env" in (somebody.folder / "a.toml").read_text()
    assert "not this one" not in (somebody.folder / "a.toml").read_text() + ended.err


def test_where_nothing_is_found_nothing_is_written(fleet, somebody):
    gone = "DELETE FROM assignment"
    fleet.on_the_loop(lambda: fleet.connection.execute(gone))
    fleet.on_the_loop(lambda: fleet.connection.execute("UPDATE app SET roles = '[]'"))
    ended = somebody("init", "-o", "a.toml")
    assert ended.code == 5
    assert "Microsoft Sentinel Reader" in ended.err
    assert not (somebody.folder / "a.toml").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-p", "local"], "no settings to write"),
        (["-p", "x", "--identity", "az"], "says as whom"),
        (["--identity", "az", "--client-id", "x"], "managed or device"),
        (["-o", "no/such/folder"], "no folder"),
        (["-o", "-"], "-o -"),
        (["--identity", "magic"], "magic"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anybody_is_asked(fleet, somebody, words, said):
    before = len(fleet.calls())
    ended = somebody("init", *words)
    assert ended.code == 2, ended.err
    assert said in ended.err
    assert len(fleet.calls()) == before


@pytest.mark.parametrize("identity", ["az", "environment"])
def test_an_identity_that_cannot_sign_in_says_so(somebody, identity):
    """Each kind is tried as it is: no az is here, and no variables."""
    for name in [one for one in somebody.env if one.startswith(("AZURE", "VEDETTE_"))]:
        del somebody.env[name]
    somebody.env["PATH"] = ""
    ended = somebody("init", "--identity", identity, "--cloud", "usgov", "-o", "a.toml")
    assert ended.code in (2, 5)
    assert ("az" if identity == "az" else "AZURE_CLIENT_ID") in ended.err
