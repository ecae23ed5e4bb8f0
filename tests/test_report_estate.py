"""The settings that `init` writes, and how it tells of what it found."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as some

from vedette.model.estate import Estate, HeldTenant, HeldWorkspace
from vedette.report import estate as report
from vedette.run.settings import read

HOME, ACME = ("00000000-0000-0000-0000-00000000000" + digit for digit in "ab")
PATH = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/soc"
    "/providers/Microsoft.OperationalInsights/workspaces/"
)
FOUND = Estate(
    profile="main",
    endpoints={"cloud": "public"},
    identity={"kind": "az"},
    tenants=(
        HeldTenant(alias="contoso", id=HOME, name="Contoso", defender=True),
        HeldTenant(alias="acme", id=ACME, why="reached by delegation only"),
    ),
    workspaces=(
        HeldWorkspace(
            alias="soc-eu",
            id=f"{PATH}soc-eu",
            tenant="contoso",
            subscription="Security",
            location="westeurope",
            groups=("tier1",),
        ),
        HeldWorkspace(
            alias="sentinel",
            id=f"{PATH}sentinel",
            tenant="acme",
            via="contoso",
            subscription="Acme\nSecurity\x1b[2J",
        ),
    ),
    bare=3,
)
PAGE = f"""\
# Written by `vedette init`. Aliases, groups and people are yours to change:
# `vedette list -w ALIAS`, `-w '@GROUP'` and `--tenant ALIAS` choose by them.
# `vedette doctor` says what works with these settings.

default = "main"

[profiles.main]
cloud = "public"
identity = {{kind = "az"}}

# Contoso
[profiles.main.tenants.contoso]
id = "{HOME}"
defender = true

# Security, westeurope
[profiles.main.workspaces.soc-eu]
id = "{PATH}soc-eu"
tenant = "contoso"
groups = ["tier1"]

[profiles.main.tenants.acme]
id = "{ACME}"
# defender = true  # reached by delegation only

# Acme Security␛[2J
[profiles.main.workspaces.sentinel]
id = "{PATH}sentinel"
tenant = "acme"
via = "contoso"  # delegated: Azure Lighthouse
"""


def test_the_settings_are_there_to_be_read_by_people():
    assert report.settings(FOUND) == PAGE


def test_the_settings_mean_what_was_found(tmp_path):
    path = tmp_path / "vedette.toml"
    path.write_text(report.settings(FOUND), encoding="utf-8")
    profile = read(path, trusted=False, environ={}).profiles["main"]
    assert [*profile.workspaces] == ["soc-eu", "sentinel"]
    delegated = profile.workspaces["sentinel"]
    assert (delegated.tenant, delegated.opened_by) == ("acme", "contoso")
    assert profile.workspaces["soc-eu"].opened_by == "contoso"
    assert [one.alias for one in profile.tenants.values() if one.defender] == ["contoso"]


@given(some.text(max_size=30))
def test_no_name_of_a_stranger_becomes_a_setting(name):
    tenant = HeldTenant(alias="a", id=HOME, name=name, why=name)
    found = HeldWorkspace(alias="w", id=f"{PATH}w", tenant="a", subscription=name, location=name)
    made = Estate(
        profile="main",
        endpoints={"cloud": "public"},
        identity={"kind": "az"},
        tenants=(tenant,),
        workspaces=(found,),
    )
    told = tomllib.loads(report.settings(made))["profiles"]["main"]
    assert told["tenants"] == {"a": {"id": HOME}}
    assert told["workspaces"] == {"w": {"id": f"{PATH}w", "tenant": "a"}}


@given(some.text(some.characters(codec="utf-8"), max_size=30))
def test_whatever_is_written_as_a_value_reads_back(value):
    made = Estate(profile=value, endpoints={"ca": value}, identity={"kind": value})
    told = tomllib.loads(report.settings(made))
    assert told["default"] == value
    assert told["profiles"][value] == {"ca": value, "identity": {"kind": value}}


def test_a_person_is_told_by_tenant():
    assert (
        report.text(FOUND, "vedette.toml")
        == f"""\
tenant contoso  {HOME}  Contoso
  Defender XDR: yes
  soc-eu  Security, westeurope
tenant acme  {ACME}
  Defender XDR: reached by delegation only
  sentinel  Acme Security␛[2J, by way of contoso

2 workspaces with Sentinel, and 3 without, in 2 tenants
written to vedette.toml; next: vedette doctor
"""
    )


@pytest.mark.parametrize("file", [None, "vedette.toml"])
def test_a_program_is_told_the_same(file):
    told = report.document(FOUND, file, {"subscription X": {"code": "Denied"}})
    assert told["file"] == file
    assert told["failed"] == [{"what": "subscription X", "code": "Denied"}]
    assert [one["alias"] for one in told["workspaces"]] == ["soc-eu", "sentinel"]
    assert told["workspaces"][1]["via"] == "contoso"
    assert [one["defender"] for one in told["tenants"]] == [True, False]
    assert told["withoutSentinel"] == 3
