from __future__ import annotations

import pytest

from vedette.run.clouds import CLOUDS, KNOWN, LOGINS, Cloud, endpoint, is_loopback, scope
from vedette.run.settings import read


def test_each_cloud_has_its_own_hosts_and_scopes():
    """https://learn.microsoft.com/graph/deployments, and azure-core's table of clouds."""
    assert CLOUDS["usgov"] == Cloud(
        arm="https://management.usgovcloudapi.net",
        graph="https://graph.microsoft.us",
        login="https://login.microsoftonline.us",
        arm_scope="https://management.core.usgovcloudapi.net/.default",
        graph_scope="https://graph.microsoft.us/.default",
    )
    assert CLOUDS["china"] == Cloud(
        arm="https://management.chinacloudapi.cn",
        graph="https://microsoftgraph.chinacloudapi.cn",
        login="https://login.chinacloudapi.cn",
        arm_scope="https://management.chinacloudapi.cn/.default",
        graph_scope="https://microsoftgraph.chinacloudapi.cn/.default",
    )
    assert CLOUDS["public"].arm_scope == "https://management.azure.com/.default"
    assert LOGINS <= KNOWN


@pytest.mark.parametrize("cloud", CLOUDS)
def test_a_profile_of_a_cloud_speaks_to_that_cloud(tmp_path, cloud):
    file = tmp_path / "vedette.toml"
    file.write_text(f'[profiles.x]\ncloud = "{cloud}"\nidentity = {{kind = "az"}}')
    one = read(file, trusted=False, environ={}).profiles["x"]
    spoken = Cloud(
        arm=one.arm,
        graph=one.graph,
        login=one.login,
        arm_scope=one.arm_scope,
        graph_scope=one.graph_scope,
    )
    assert spoken == CLOUDS[cloud]


def test_the_department_of_defenses_graph_needs_no_trust(tmp_path):
    file = tmp_path / "vedette.toml"
    file.write_text(
        """
        [profiles.x]
        cloud = "usgov"
        graph = "dod-graph.microsoft.us"
        identity = {kind = "az"}
        """
    )
    one = read(file, trusted=False, environ={}).profiles["x"]
    assert one.graph == "https://dod-graph.microsoft.us"
    assert one.graph_scope == "https://dod-graph.microsoft.us/.default"
    assert one.arm_scope == "https://management.core.usgovcloudapi.net/.default"


def test_a_stand_in_is_asked_for_with_the_scope_of_what_it_stands_in_for():
    usgov, public = CLOUDS["usgov"], CLOUDS["public"]
    assert scope(usgov, "arm", "https://localhost:8443") == usgov.arm_scope
    assert scope(public, "graph", "https://localhost:8443") == public.graph_scope
    assert scope(public, "arm", usgov.arm) == usgov.arm_scope


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("https://Management.Azure.com/", "https://management.azure.com"),
        ("management.azure.com:443", "https://management.azure.com"),
        ("https://[::1]:8443", "https://[::1]:8443"),
        ("localhost:8443", "https://localhost:8443"),
    ],
)
def test_an_endpoint_has_one_spelling(text, meant):
    assert endpoint(text) == meant


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http://localhost", "https"),
        ("ftp://localhost", "https"),
        ("https://user@localhost", "user part"),
        ("https://@localhost", "user part"),
        ("https://localhost/path", "only"),
        ("https://localhost?x", "only"),
        ("https://localhost#x", "only"),
        ("https://", "no host"),
        ("https://localhost:99999", "Port"),
        ("https://[::1", "Invalid"),
        ("https://evil.example\\@management.azure.com", "user part"),
    ],
)
def test_what_a_token_cannot_safely_be_sent_to_is_refused(text, said):
    with pytest.raises(ValueError, match=said):
        endpoint(text)


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.8.9.10", "[::1]"])
def test_this_machine_is_known_by_name_and_address(host):
    assert is_loopback(f"https://{host}:8443")


@pytest.mark.parametrize(
    "host", ["localhost.example", "127.0.0.1.example", "0.0.0.0", "10.0.0.1", "[::]", "x"]
)
def test_any_other_machine_is_not_this_one(host):
    assert not is_loopback(f"https://{host}")
