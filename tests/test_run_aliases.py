"""Short names for what was found: each its own, and the same whatever the order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from vedette.run.aliases import tenant_names, workspace_names
from vedette.wire.management import Tenant

ONE, TWO = ("00000000-0000-0000-0000-00000000000" + digit for digit in "12")


def path(name, group="soc", subscription=ONE):
    return (
        f"/subscriptions/{subscription}/resourceGroups/{group}"
        f"/providers/Microsoft.OperationalInsights/workspaces/{name}"
    )


def names(*found, known=None):
    told = {one: (one.split("/")[4], subscription) for one, subscription in found}
    return [*workspace_names(told, known or {}).items()]


def test_a_workspace_is_called_by_its_name():
    assert names((path("SOC-EU"), "Acme")) == [(path("SOC-EU"), "soc-eu")]


def test_the_group_tells_two_of_a_name_apart_and_else_the_subscription():
    first, second = path("sentinel", "eu"), path("sentinel", "us")
    assert dict(names((first, "Acme"), (second, "Acme"))) == {
        first: "sentinel-eu",
        second: "sentinel-us",
    }
    first, second = path("sentinel"), path("sentinel", subscription=TWO)
    assert dict(names((first, "Acme Ltd."), (second, "Globex"))) == {
        first: "sentinel-acme-ltd",
        second: "sentinel-globex",
    }
    assert {alias for _, alias in names((first, "Same"), (second, "Same"))} == {
        "sentinel-00000000-0000-0000-0000-000000000001-soc",
        "sentinel-00000000-0000-0000-0000-000000000002-soc",
    }


def test_a_name_that_means_something_else_is_not_given():
    assert names((path("xdr"), "Acme")) == [(path("xdr"), "xdr-soc")]


def test_names_that_somebody_chose_are_kept_and_given_to_nobody_else():
    first, second = path("sentinel", "eu"), path("europe")
    found = dict(names((first, "a"), (second, "a"), known={first.lower(): "europe"}))
    assert found == {first: "europe", second: "europe-soc"}


def test_a_tenant_is_called_by_its_domain_or_its_name_or_its_id():
    told = {
        "a" * 8: Tenant(id="a", name="Contoso Ltd.", domain="contoso.onmicrosoft.com"),
        "b" * 8: Tenant(id="b", name="Fabrikam, Inc."),
    }
    ids = ["a" * 8, "b" * 8, "c" * 36]
    assert [*tenant_names(ids, told, {}).values()] == ["contoso", "fabrikam-inc", "tenant-cccccccc"]
    assert tenant_names(ids[:1], told, {"a" * 8: "home"}) == {"a" * 8: "home"}


def test_tenants_of_one_name_are_told_apart_by_their_ids():
    told = {one: Tenant(id=one, name="Acme") for one in ("aaaaaaaa-1", "bbbbbbbb-2")}
    assert [*tenant_names(told, told, {}).values()] == ["acme-aaaaaaaa", "acme-bbbbbbbb"]


def same(one):
    return path(*one).lower()


SOME = some.lists(
    some.tuples(
        some.sampled_from(["soc", "SOC-a", "soc-a", "xdr", "soc-a-b"]),
        some.sampled_from(["a", "A.b", "a_b", "b", "(ü)"]),
        some.sampled_from([ONE, TWO]),
    ),
    unique_by=same,
    max_size=12,
)


@given(SOME, some.sampled_from(["a", "", "b", "ü"]), some.data())
def test_every_workspace_gets_a_name_of_its_own_whatever_the_order(found, subscription, drawn):
    told = [(path(*one), subscription) for one in found]
    once = dict(names(*told))
    assert dict(names(*drawn.draw(some.permutations(told)))) == once
    assert len({alias.casefold() for alias in once.values()}) == len(found)
    assert all(alias and alias != "xdr" for alias in once.values())
