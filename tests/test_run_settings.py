from __future__ import annotations

import os

import pytest

from vedette.errors import BadSettings
from vedette.model import Owner
from vedette.run.profile import Az, Environment, Secret
from vedette.run.settings import load, read

KINDS = "az, environment, managed, federated, certificate, secret, device"
ARM_ID = "/subscriptions/…/resourceGroups/…/providers/Microsoft.OperationalInsights/workspaces/…"
SUBSCRIPTION = "bd794837-4d29-4647-9105-6339bfdb4e6a"


def workspace(name: str, group: str = "soc") -> str:
    return (
        f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}"
        f"/providers/Microsoft.OperationalInsights/workspaces/{name}"
    )


GOOD = f"""
default = "mssp"

[people.linda]
upn = "linda@contoso.example"
objectId = "00000000-0000-4000-8000-000000000001"

[people.linda.tenants.acme]
objectId = "00000000-0000-4000-8000-00000000000a"

[profiles.mssp]
cloud = "public"
identity = {{kind = "az"}}

[profiles.mssp.workspaces.soc-eu]
id = "{workspace("soc-eu")}"
groups = ["tier1"]

[profiles.mssp.workspaces.acme]
id = "{workspace("sentinel", "acme")}"
tenant = "acme"

[profiles.mssp.tenants.acme]
id = "11111111-1111-4111-8111-111111111111"
defender = true
identity = {{kind = "secret", client_id = "app", secret_file = "secrets/acme"}}

[profiles.mssp.people.soc]
type = "Group"
objectId = "00000000-0000-4000-8000-000000000002"
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "vedette.toml"


@pytest.fixture
def settings(file):
    """Return the settings in this text, as the user's own file unless said otherwise."""

    def written(text: str, *, trusted: bool = True, **environ: str):
        file.write_text(text, encoding="utf-8")
        return read(file, trusted=trusted, environ=environ)

    return written


@pytest.fixture
def complaints(settings, file):
    """Return what is wrong with a text, a line each, without the file's name."""

    def told(text: str, *, trusted: bool = True, **environ: str) -> list[str]:
        with pytest.raises(BadSettings) as error:
            settings(text, trusted=trusted, **environ)
        lines = error.value.message.splitlines()
        assert all(line.startswith(f"{file}: ") for line in lines)
        return [line.removeprefix(f"{file}: ") for line in lines]

    return told


def test_a_whole_file_is_understood(settings, file):
    read = settings(GOOD)
    assert (read.path, read.default) == (file, "mssp")
    one = read.profiles["mssp"]
    assert (one.name, one.origin, one.identity) == ("mssp", str(file), Az())
    assert (one.arm, one.graph) == ("https://management.azure.com", "https://graph.microsoft.com")
    assert (one.login, one.arm_scope) == (
        "https://login.microsoftonline.com",
        "https://management.azure.com/.default",
    )
    assert (one.dialect, one.api_version, one.update) == ("sentinel", "2025-09-01", "put")
    assert one.workspaces["soc-eu"].subscription == SUBSCRIPTION
    assert one.workspaces["soc-eu"].groups == ("tier1",)
    assert one.workspaces["acme"].tenant == one.workspaces["acme"].opened_by == "acme"
    assert one.tenants["acme"].defender


def test_paths_are_counted_from_the_file(settings, file):
    identity = settings(GOOD).profiles["mssp"].tenants["acme"].identity
    assert identity == Secret(client_id="app", secret_file=str(file.parent / "secrets" / "acme"))


def test_people_differ_between_tenants(settings):
    one = settings(GOOD).profiles["mssp"]
    here, there = one.owners()["linda"], one.owners("acme")["linda"]
    assert here == Owner(
        upn="linda@contoso.example",
        object_id="00000000-0000-4000-8000-000000000001",
        kind="User",
    )
    assert there.object_id == "00000000-0000-4000-8000-00000000000a"
    assert there.upn == "linda@contoso.example"
    assert one.owners()["soc"].kind == "Group"


def test_each_dialect_has_its_own_version(settings):
    text = '[profiles.x]\ncloud = "public"\ndialect = "{}"\nidentity = {{kind = "az"}}'
    for dialect, version in (("cases", "2019-01-01-preview"), ("graph", "v1.0")):
        assert settings(text.format(dialect)).profiles["x"].api_version == version


def test_every_wrong_type_and_name_is_told_at_once(complaints):
    assert complaints(
        """
        defualt = "mssp"
        [profiles.mssp]
        clod = "public"
        cloud = "pubic"
        api_version = 3
        update = "post"
        identity = {kind = "secret", client_id = "x", tenant = "y"}
        [profiles.mssp.workspaces.soc-eu]
        groups = "tier1"
        [profiles.mssp.tenants]
        acme = "11111111-1111-4111-8111-111111111111"
        [profiles.b]
        identity = {kind = "azz"}
        [profiles.c]
        identity = "az"
        [profiles.d]
        """
    ) == [
        "defualt: is no setting; did you mean default?",
        "profiles.mssp.clod: is no setting; did you mean cloud?",
        "profiles.mssp.cloud: must be one of public, usgov, china; did you mean public?",
        "profiles.mssp.api_version: must be str, got int",
        "profiles.mssp.update: must be one of put, patch",
        "profiles.mssp.identity.tenant: is no setting; did you mean tenant_id?",
        "profiles.mssp.workspaces.soc-eu.groups: must be list, got str",
        "profiles.mssp.workspaces.soc-eu.id: is missing",
        "profiles.mssp.tenants.acme: must be a table",
        f"profiles.b.identity.kind: must be one of {KINDS}; did you mean az?",
        'profiles.c.identity: must be a table, such as {kind = "az"}',
        "profiles.d.identity: is missing",
    ]


def test_everything_impossible_is_told_at_once(complaints):
    assert complaints(
        f"""
        default = "nobody"
        [people.linda]
        name = "Linda"
        [people.mario]
        objectId = "mario"
        [profiles.local]
        cloud = "public"
        identity = {{kind = "az"}}
        [profiles.mssp]
        identity = {{kind = "secret", client_id = "x", tenant_id = "a/b"}}
        arm = "http://arm.example"
        graph = "https://user@graph.example/"
        login = "https://login.example/common"
        [profiles.mssp.workspaces.soc-eu]
        id = "soc-eu"
        tenant = "acme"
        via = "home"
        [profiles.mssp.workspaces.xdr]
        id = "{workspace("a")}"
        [profiles.mssp.tenants."a b"]
        id = "?"
        [profiles.mssp.people.p]
        upn = "p@contoso.example"
        tenants.nowhere = {{upn = "q@contoso.example"}}
        """
    ) == [
        "default: there is no profile 'nobody'",
        "people.linda: needs a upn or an objectId",
        "people.mario.objectId: 'mario' is no object id",
        "profiles.local: 'local' is vedette's own; choose another name",
        "profiles.mssp.arm: must be https: a token is sent there",
        "profiles.mssp.graph: must have no user part",
        "profiles.mssp.login: must be scheme, host and port only",
        "profiles.mssp.identity: needs one of secret_env (a variable) and secret_file (a path)",
        "profiles.mssp.identity.tenant_id: 'a/b' is no tenant's id",
        f"profiles.mssp.workspaces.soc-eu.id: 'soc-eu' is no workspace's ARM id ({ARM_ID})",
        "profiles.mssp.workspaces.soc-eu.tenant: there is no tenant 'acme' in this profile",
        "profiles.mssp.workspaces.soc-eu.via: there is no tenant 'home' in this profile",
        "profiles.mssp.workspaces.xdr: an alias has no spaces, #, :, /, @ or *, and is not 'xdr'",
        "profiles.mssp.tenants.a b: an alias has no spaces, #, :, /, @ or *",
        "profiles.mssp.tenants.a b.id: '?' is no tenant's id",
        "profiles.mssp.people.p.tenants.nowhere: there is no such tenant",
    ]


@pytest.mark.parametrize("key", ["secret", "client_secret", "password"])
def test_a_secret_in_the_settings_is_refused_and_never_shown(complaints, key):
    identity = f'{{kind = "secret", client_id = "x", {key} = "hunter2"}}'
    (told,) = complaints(f'[profiles.x]\ncloud = "public"\nidentity = {identity}')
    assert told.startswith(f"profiles.x.identity.{key}: secrets do not belong into settings")
    assert "secret_env" in told
    assert "hunter2" not in told


def test_workspaces_can_be_a_bare_list_of_ids(settings):
    listed = f'["{workspace("soc-eu")}", "{workspace("soc-us")}/"]'
    one = settings(
        f'[profiles.x]\ncloud = "public"\nidentity = {{kind = "az"}}\nworkspaces = {listed}'
    )
    assert {alias: place.id for alias, place in one.profiles["x"].workspaces.items()} == {
        "soc-eu": workspace("soc-eu"),
        "soc-us": workspace("soc-us"),
    }


def test_two_workspaces_of_one_name_are_refused_with_both_ids(complaints):
    ids = (workspace("soc", "one"), workspace("soc", "two"))
    (told,) = complaints(
        f'[profiles.x]\ncloud = "public"\nidentity = {{kind = "az"}}\nworkspaces = {[*ids]}'
    )
    assert told == (
        f"profiles.x.workspaces: 'soc' is two workspaces, {ids[0]} and {ids[1]}: give them aliases"
    )


def test_aliases_that_differ_only_in_case_and_one_workspace_twice_are_refused(complaints):
    told = complaints(
        f"""
        [profiles.x]
        cloud = "public"
        identity = {{kind = "az"}}
        workspaces.soc = {{id = "{workspace("one")}"}}
        workspaces.SOC = {{id = "{workspace("two")}"}}
        workspaces.again = {{id = "{workspace("ONE")}"}}
        """
    )
    ids = f"{workspace('one')} and {workspace('two')}"
    assert told == [
        f"profiles.x.workspaces: 'SOC' is two workspaces, {ids}: give them aliases",
        f"profiles.x.workspaces: 'soc' and 'again' are the same workspace, {workspace('ONE')}",
    ]


ELSEWHERE = """
[profiles.x]
arm = "https://arm.example"
graph = "https://graph.microsoft.com"
login = "https://login.microsoftonline.com"
ca = "ca.pem"
identity = {kind = "az"}
"""
LOOPBACK = """
[profiles.x]
arm = "https://localhost:8443"
graph = "https://127.0.0.1:8443/"
login = "https://[::1]:8443"
ca = "ca.pem"
identity = {kind = "az"}
"""


def test_a_file_that_is_not_the_users_own_cannot_send_a_token_elsewhere(complaints):
    arm, ca = complaints(ELSEWHERE, trusted=False)
    assert arm.startswith("profiles.x.arm: https://arm.example belongs to no named cloud")
    assert "--settings FILE" in arm
    assert ca.startswith("profiles.x.ca: only your own settings")


@pytest.mark.parametrize(
    "host",
    [
        "https://management.azure.com.evil.example",
        "https://management.azure.com:8443",
        "https://localhost.evil.example",
        "https://127.0.0.1.evil.example",
        "https://0.0.0.0",
        "https://2130706433",
    ],
)
def test_a_host_that_only_looks_like_a_clouds_or_like_this_machine_is_neither(complaints, host):
    text = f'[profiles.x]\ncloud = "public"\narm = "{host}"\nidentity = {{kind = "az"}}'
    (told,) = complaints(text, trusted=False)
    assert "belongs to no named cloud" in told


def test_the_users_own_file_may_name_any_endpoint(settings, file):
    one = settings(ELSEWHERE).profiles["x"]
    assert (one.arm, one.cloud, one.ca) == (
        "https://arm.example",
        "custom",
        str(file.parent / "ca.pem"),
    )
    assert one.arm_scope == "https://management.azure.com/.default"


def test_any_file_may_name_this_machine(settings):
    one = settings(LOOPBACK, trusted=False).profiles["x"]
    assert (one.arm, one.graph, one.login) == (
        "https://localhost:8443",
        "https://127.0.0.1:8443",
        "https://[::1]:8443",
    )


VARIABLES = {
    "VEDETTE_ARM": "https://localhost:8443",
    "VEDETTE_GRAPH": "https://localhost:8443",
    "AZURE_AUTHORITY_HOST": "https://localhost:8443",
    "SSL_CERT_FILE": "/ca.pem",
}


def test_a_named_profile_ignores_the_environment_unless_it_says_so(settings):
    named = settings(GOOD, **VARIABLES).profiles["mssp"]
    assert (named.arm, named.ca) == ("https://management.azure.com", None)
    text = '[profiles.x]\nidentity = {kind = "environment"}'
    one = settings(text, trusted=False, **VARIABLES).profiles["x"]
    assert one.identity == Environment()
    assert (one.arm, one.login, one.ca) == (
        "https://localhost:8443",
        "https://localhost:8443",
        "/ca.pem",
    )


def test_a_profile_names_a_cloud_or_all_endpoints(complaints):
    (told,) = complaints('[profiles.x]\narm = "https://localhost"\nidentity = {kind = "az"}')
    assert told == (
        "profiles.x: names neither a cloud (public, usgov, china) nor all endpoints: "
        "graph, login missing"
    )


@pytest.mark.parametrize("text", ["a = ", "a = 1\na = 2", "\x00", "[profiles"])
def test_what_is_no_toml_is_told_with_its_line(complaints, text):
    (told,) = complaints(text)
    assert "line 1" in told or "line 2" in told or "end of document" in told


@pytest.mark.parametrize(
    "text", ["profiles = 3", "people = []", "profiles = {x = 1}", "default = {}"]
)
def test_a_file_of_another_shape_is_no_bug_of_ours(complaints, text):
    assert complaints(text)


def test_a_byte_that_is_no_utf8_is_told(file):
    file.write_bytes(b'default = "\xff"')
    with pytest.raises(BadSettings, match="utf-8"):
        read(file, trusted=True, environ={})


def test_the_current_folder_comes_before_the_users_own(tmp_path):
    here, own = tmp_path / "here", tmp_path / "own"
    here.mkdir()
    own.mkdir()
    found = {"explicit": None, "folder": here, "config": own, "environ": {}}
    assert load(**found).path is None
    (own / "vedette.toml").write_text(ELSEWHERE)
    assert load(**found).path == own / "vedette.toml"
    (here / "vedette.toml").write_text(ELSEWHERE)
    with pytest.raises(BadSettings, match="belongs to no named cloud"):
        load(**found)
    explicit = here / "vedette.toml"
    assert load(**(found | {"explicit": explicit})).profiles["x"].arm == "https://arm.example"
    assert load(**(found | {"folder": own})).profiles["x"].arm == "https://arm.example"
    with pytest.raises(BadSettings, match=os.strerror(2)):
        load(**(found | {"explicit": tmp_path / "nowhere.toml"}))
