from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from vedette.errors import BadSettings, Unknown
from vedette.run.choice import choose, environment, local
from vedette.run.profile import Environment, Local, Tenant
from vedette.run.settings import Settings

SERVED = {
    "VEDETTE_ARM": "https://localhost:8443",
    "VEDETTE_GRAPH": "https://localhost:8443",
    "AZURE_AUTHORITY_HOST": "https://localhost:8443",
    "AZURE_SUBSCRIPTION_ID": "bd794837-4d29-4647-9105-6339bfdb4e6a",
    "AZURE_TENANT_ID": "11111111-1111-4111-8111-111111111111",
    "VEDETTE_RESOURCE_GROUP": "soc",
    "VEDETTE_WORKSPACE": "soc-eu",
    "SSL_CERT_FILE": "/ca.pem",
}
FILE = Path("/etc/vedette.toml")


def configured(*names: str, default: str | None = None) -> Settings:
    profiles = {name: replace(local(), name=name) for name in names}
    return Settings(path=FILE, default=default, profiles=profiles)


def chosen(settings, *, name=None, dialect=None, environ=None, terminal=False):
    return choose(settings, name=name, dialect=dialect, environ=environ or {}, terminal=terminal)


def test_a_named_profile_beats_everything():
    settings = configured("a", "b", default="a")
    environ = {"VEDETTE_PROFILE": "a", **SERVED}
    assert chosen(settings, name="b", environ=environ).profile.name == "b"
    assert chosen(settings, environ={"VEDETTE_PROFILE": "b"}).profile.name == "b"


def test_the_default_or_the_only_one_is_used():
    assert chosen(configured("a", "b", default="b")).profile.name == "b"
    assert chosen(configured("a")).profile.name == "a"


def test_a_sourced_environment_beside_settings_is_not_used_and_that_is_said():
    choice = chosen(configured("a"), environ=SERVED)
    assert choice.profile.name == "a"
    assert choice.note == "profile a of /etc/vedette.toml; VEDETTE_ARM is not used"
    assert chosen(configured("a")).note is None


def test_without_a_default_the_environment_serves():
    for settings in (Settings(), configured("a", "b")):
        choice = chosen(settings, environ=SERVED)
        assert (choice.profile.name, choice.profile.arm) == ("environment", SERVED["VEDETTE_ARM"])


def test_several_profiles_without_a_default_are_refused_with_their_names():
    with pytest.raises(BadSettings, match="several profiles and no default") as error:
        chosen(configured("a", "b"), terminal=True)
    assert "there are a, b" in (error.value.hint or "")


def test_a_person_without_settings_gets_the_sample_world_and_is_told():
    choice = chosen(Settings(), terminal=True)
    assert (choice.profile.name, choice.profile.identity) == ("local", Local())
    assert "sample world" in (choice.note or "")


def test_a_job_without_settings_never_succeeds_on_a_sample():
    with pytest.raises(BadSettings, match="no settings found") as error:
        chosen(Settings())
    assert error.value.exit_code == 2
    with pytest.raises(BadSettings, match="no profile to use"):
        chosen(Settings(path=FILE), terminal=True)


def test_a_job_may_ask_for_the_sample_world_by_name():
    assert chosen(Settings(), name="local").profile.name == "local"
    assert chosen(configured("a"), environ={"VEDETTE_PROFILE": "local"}).note is None


def test_a_profile_that_is_not_there_is_unknown_with_a_suggestion():
    with pytest.raises(Unknown, match=r"no profile 'msp' in /etc/vedette\.toml") as error:
        chosen(configured("mssp", "b"), name="msp")
    assert error.value.hint == "did you mean mssp? there are mssp, b, local"
    with pytest.raises(Unknown, match="no settings were found"):
        chosen(Settings(), name="mssp")


def test_a_dialect_is_overridden_together_with_its_version():
    settings = configured("a")
    assert chosen(settings, dialect="cases").profile.api_version == "2019-01-01-preview"
    by_variable = chosen(settings, environ={"VEDETTE_DIALECT": "cases"}).profile
    assert by_variable.dialect == "cases"
    named = chosen(settings, dialect="sentinel", environ={"VEDETTE_DIALECT": "cases"}).profile
    assert (named.dialect, named.api_version) == ("sentinel", "2025-09-01")
    with pytest.raises(BadSettings, match="there is no dialect 'xdr'"):
        chosen(settings, dialect="xdr")


def test_the_graph_dialect_speaks_to_the_tenants_there_are():
    served = chosen(Settings(), environ=SERVED, dialect="graph").profile
    assert [one.defender for one in served.tenants.values()] == [True]
    tenants = {
        "a": Tenant(alias="a", id="1", defender=True),
        "b": Tenant(alias="b", id="2"),
    }
    profile = replace(local(), name="x", tenants=tenants)
    graph = chosen(Settings(profiles={"x": profile}), dialect="graph").profile
    assert [one.defender for one in graph.tenants.values()] == [True, False]


def test_the_environment_of_a_served_world_is_a_whole_connection():
    one = environment(SERVED)
    assert (one.arm, one.graph, one.login) == ("https://localhost:8443",) * 3
    assert (one.ca, one.identity) == ("/ca.pem", Environment())
    assert one.workspaces["soc-eu"].id == (
        "/subscriptions/bd794837-4d29-4647-9105-6339bfdb4e6a/resourceGroups/soc"
        "/providers/Microsoft.OperationalInsights/workspaces/soc-eu"
    )
    assert one.tenants["home"].id == SERVED["AZURE_TENANT_ID"]
    assert one.arm_scope == "https://management.azure.com/.default"


def test_a_named_clouds_arm_brings_its_login_and_graph_along():
    one = environment({"VEDETTE_ARM": "https://management.usgovcloudapi.net/"})
    assert (one.cloud, one.login) == ("usgov", "https://login.microsoftonline.us")
    assert one.graph == "https://graph.microsoft.us"
    assert one.arm_scope == "https://management.core.usgovcloudapi.net/.default"
    assert one.workspaces == {}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"VEDETTE_ARM": ""}, "VEDETTE_ARM is not set"),
        ({"VEDETTE_ARM": "http://localhost"}, "VEDETTE_ARM: must be https"),
        ({"VEDETTE_GRAPH": "https://a:b@localhost"}, "VEDETTE_GRAPH: must have no user part"),
        ({"AZURE_AUTHORITY_HOST": ""}, "AZURE_AUTHORITY_HOST is not set"),
        ({"AZURE_AUTHORITY_HOST": "https://x:99999"}, "AZURE_AUTHORITY_HOST: Port out of range"),
        ({"VEDETTE_WORKSPACE": ""}, "VEDETTE_WORKSPACE must be set too"),
    ],
)
def test_a_variable_that_is_missing_or_unsafe_is_named(change, said):
    with pytest.raises(BadSettings, match=said):
        environment(SERVED | change)


def test_what_nobody_named_is_asked_where_somebody_named():
    """Without VEDETTE_GRAPH a custom ARM host is asked, never Microsoft's."""
    one = environment({name: SERVED[name] for name in SERVED if name != "VEDETTE_GRAPH"})
    assert one.graph == "https://localhost:8443"
