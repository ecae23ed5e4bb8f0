from __future__ import annotations

import pytest
from msgspec.structs import replace

from vedette.errors import Unknown
from vedette.run.choice import local
from vedette.run.profile import Az, Managed, Tenant, Workspace, chosen

PLACES = {
    "soc-eu": ("tier1", "eu"),
    "soc-us": ("tier1",),
    "acme": (),
}
PROFILE = replace(
    local(),
    name="mssp",
    identity=Az(),
    workspaces={
        alias: Workspace(
            alias=alias,
            id=f"/subscriptions/{alias}",
            groups=groups,
            tenant="acme" if alias == "acme" else None,
        )
        for alias, groups in PLACES.items()
    },
    tenants={
        "acme": Tenant(alias="acme", id="1111", defender=True, identity=Managed()),
        "home": Tenant(alias="home", id="2222", defender=True),
        "none": Tenant(alias="none", id="3333"),
    },
)


def names(*patterns: str, tenants: tuple[str, ...] = (), profile=PROFILE) -> list[str]:
    selection = chosen(profile, patterns, tenants)
    planes = [profile.plane_name(one) for one in selection.tenants]
    return [one.alias for one in selection.workspaces] + planes


@pytest.mark.parametrize(
    ("patterns", "tenants", "meant"),
    [
        ((), (), ["soc-eu", "soc-us", "acme", "acme/xdr", "home/xdr"]),
        (("soc-*",), (), ["soc-eu", "soc-us"]),
        (("SOC-EU",), (), ["soc-eu"]),
        (("@tier1",), (), ["soc-eu", "soc-us"]),
        (("@EU", "acme"), (), ["soc-eu", "acme"]),
        ((), ("acme",), ["acme", "acme/xdr"]),
        ((), ("1111", "HOME"), ["acme", "acme/xdr", "home/xdr"]),
        (("acme",), ("acme",), ["acme"]),
    ],
)
def test_places_are_chosen_by_alias_group_and_tenant(patterns, tenants, meant):
    assert names(*patterns, tenants=tenants) == meant


def test_the_only_defender_is_called_xdr():
    one = replace(PROFILE, tenants={"acme": PROFILE.tenants["acme"]})
    assert names("xdr", profile=replace(one, dialect="graph")) == ["xdr"]


def test_a_place_of_the_other_plane_is_told_where_it_is():
    graph = replace(PROFILE, dialect="graph")
    assert names("*/xdr", profile=graph) == ["acme/xdr", "home/xdr"]
    assert names("acme*") == ["acme", "acme/xdr"], "what the dialect has no words for is left out"
    with pytest.raises(Unknown, match="home/xdr is Defender's") as error:
        names("home/xdr")
    assert "--dialect graph" in (error.value.hint or "")
    with pytest.raises(Unknown, match="soc-eu, soc-us are Sentinel's") as error:
        names("soc-*", profile=graph)
    assert "--dialect sentinel" in (error.value.hint or "")


@pytest.mark.parametrize(
    ("patterns", "tenants", "said", "hint"),
    [
        (("soc-jp",), (), "no workspace is meant by 'soc-jp'", "soc-eu, soc-us, acme"),
        (("@tier9",), (), "no workspace is meant by '@tier9'", "@eu, @tier1"),
        (("soc-eu", "nope*"), (), "'nope*'", "there are:"),
        ((), ("umbrella",), "has no tenant 'umbrella'", "acme, home, none"),
        ((), ("none",), "has no workspace in none", "tenant ="),
        (("soc-eu",), ("acme",), "no workspace is meant by 'soc-eu'", "there are: acme"),
    ],
)
def test_what_means_nothing_is_an_error_and_never_an_empty_list(patterns, tenants, said, hint):
    with pytest.raises(Unknown) as error:
        names(*patterns, tenants=tenants)
    assert said in error.value.message
    assert hint in (error.value.hint or "")


def test_a_long_list_of_candidates_says_how_many_more_there_are():
    many = {f"w{n}": Workspace(alias=f"w{n}", id=f"/subscriptions/{n}") for n in range(200)}
    with pytest.raises(Unknown) as error:
        names("x", profile=replace(PROFILE, workspaces=many, tenants={}))
    assert (error.value.hint or "").endswith("w11 and 188 more")


def test_a_tenant_is_spoken_to_as_itself_or_as_the_profile_says():
    assert PROFILE.identity_of(None) == (Az(), None)
    assert PROFILE.identity_of("acme") == (Managed(), "1111")
    assert PROFILE.identity_of("home") == (Az(), "2222")


def test_a_profile_knows_whether_its_dialect_leads_anywhere():
    bare = replace(PROFILE, workspaces={}, tenants={"none": PROFILE.tenants["none"]})
    for dialect in ("sentinel", "cases", "graph"):
        assert replace(PROFILE, dialect=dialect).has_places
        assert not replace(bare, dialect=dialect).has_places
        assert replace(local(), dialect=dialect).has_places, "the world tells its own"
