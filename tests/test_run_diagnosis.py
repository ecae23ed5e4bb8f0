"""What was seen, in words: which command lacks what where, and how bad that is."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from vedette.errors import Denied, SignIn, Unreachable
from vedette.model.checkup import Endpoint, Signer
from vedette.run.choice import local
from vedette.run.diagnosis import (
    AZURE_CLI,
    NEEDS,
    Observed,
    Place,
    cannot,
    diagnosis,
    lacking,
    listed,
)
from vedette.service.state.roles import CONTRIBUTOR, READER, RESPONDER
from vedette.wire import dialect
from vedette.wire.cases import Cases
from vedette.wire.graph import Graph
from vedette.wire.incidents import Incidents
from vedette.wire.management import Permission

PATH = (
    "/subscriptions/00000000-0000-0000-0000-000000000001/resourceGroups/soc"
    "/providers/Microsoft.OperationalInsights/workspaces/"
)
ARM = "https://management.azure.com"
PROFILE = replace(local(), name="mssp", dialect="sentinel")
ME = Signer(
    kind="secret", name="triage", tenant="acme", tenant_id="a", life=3600,
    permissions=("SecurityIncident.ReadWrite.All", "User.Read.All"),
)  # fmt: skip


def held(*roles):
    return tuple(Permission(actions=one.actions, not_actions=one.not_actions) for one in roles)


def spoken(name, kind=Incidents):
    place = dialect.Place(endpoint=ARM, path=PATH + name, name=name)
    if kind is Graph:
        return Graph(replace(place, path="/v1.0", tenant_id="a"))
    return Cases(place) if kind is Cases else Incidents(place, api_version="2025-09-01")


def place(name, *roles, **more):
    told = {"alias": name, "kind": "secret", "held": held(*roles), "dialect": spoken(name)}
    return Place(**(told | more))


def seen(*places, signers=((ME, None),), skew=0.0, graph=None, endpoints=()):
    return Observed(
        signers=tuple(signers), graph=graph or {}, places=places, skew=skew, endpoints=endpoints
    )


def said(observed, needs="apply"):
    """Return the checkup, and what it says beside that all is well, by word."""
    made = diagnosis(PROFILE, observed, needs)
    return made, [(one.word, one.what) for one in made.findings if one.word != "ok"]


def test_somebody_who_may_do_everything_hears_so():
    made, wrong = said(seen(place("a", CONTRIBUTOR), place("b", CONTRIBUTOR)), "delete")
    assert wrong == []
    assert made.verdict == "ok"
    assert "you can apply, update and undo on 2 workspaces" in [one.what for one in made.findings]
    assert made.places[0].commands == (
        "list", "show", "plan", "apply", "update", "undo", "comment", "delete",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("needs", "verdict"), [("list", "warning"), ("apply", "failing"), ("delete", "failing")]
)
def test_a_reader_is_told_what_is_missing_for_which_command_and_that_reading_works(needs, verdict):
    made, wrong = said(seen(place("a", READER), place("b", RESPONDER)), needs)
    assert made.verdict == verdict
    write = next(what for _, what in wrong if "apply" in what)
    assert write == (
        "you cannot apply, update and undo on 1 workspace:"
        " Microsoft.SecurityInsights/incidents/write is missing (a)"
    )
    ways = {one.way for one in made.findings if one.about == "permissions" and one.word != "ok"}
    assert any(f"Microsoft Sentinel Responder on {PATH}a, active if" in way for way in ways)
    first = made.places[0]
    assert first.commands == ("list", "show", "plan")
    assert first.missing == (
        "Microsoft.SecurityInsights/incidents/write",
        "Microsoft.SecurityInsights/incidents/comments/write",
        "Microsoft.SecurityInsights/incidents/delete",
    )


def test_a_refused_list_is_told_once_with_the_action_that_is_missing():
    error = Denied("incidents of a: the identity may not perform …/read", hint="a role")
    made, wrong = said(seen(place("a", error=error)))
    assert [what for _, what in wrong if "list, show and plan" in what]
    assert not [one for one in made.findings if one.about == "answer"]
    assert not made.places[0].answers


def test_places_that_fail_alike_are_told_together():
    errors = [Unreachable(f"incidents of {name}: nobody there") for name in "abc"]
    places = [
        place(name, RESPONDER, error=error) for name, error in zip("abc", errors, strict=True)
    ]
    made, wrong = said(seen(*places))
    assert ("failing", "incidents of a: nobody there (and so in b, c)") in wrong
    assert [one.places for one in made.findings if one.about == "answer"] == [("a", "b", "c")]


def test_permissions_that_cannot_be_told_are_a_warning():
    withheld = Denied("permissions in a: refused")
    made, wrong = said(seen(place("a", held=None, withheld=withheld)))
    assert made.verdict == "warning"
    assert wrong[0][1].startswith("what may be done cannot be told on 1 workspace (a): permissions")
    assert made.places[0].missing == ()


def test_a_tenant_without_sign_in_is_named_with_its_places_which_are_not_asked():
    error = SignIn("identity secret in acme: AADSTS7000215", hint="the secret's value")
    nobody = place("a", held=None, error=error, unasked=True)
    made, wrong = said(seen(nobody, signers=[(Signer(kind="secret", tenant="acme"), error)]))
    assert wrong == [("failing", "identity secret in acme: AADSTS7000215")]
    assert made.findings[0].places == ("a",)


@pytest.mark.parametrize(
    ("skew", "word", "which"),
    [
        (0.0, "ok", "agrees"),
        (59.0, "ok", "agrees"),
        (61.0, "warning", "61 s ahead of"),
        (-299.0, "warning", "299 s behind"),
        (301.0, "failing", "301 s ahead of"),
        (-90_000.0, "failing", "90,000 s behind"),
    ],
)
def test_a_clock_that_goes_wrong_is_told_before_tokens_are_refused_for_it(skew, word, which):
    made, _ = said(seen(place("a", RESPONDER), skew=skew))
    (found,) = [one for one in made.findings if one.about == "clock"]
    assert found.word == word
    assert which in found.what
    assert not [one for one in said(seen(skew=None))[0].findings if one.about == "clock"]


def test_a_token_that_hardly_lasts_is_a_warning():
    for life, told in ((299, "299 s only"), (-5, "0 s only")):
        _, wrong = said(seen(signers=[(replace(ME, life=life), None)]))
        assert told in wrong[0][1]


@pytest.mark.parametrize(
    "signer",
    [replace(ME, kind="az", permissions=None), replace(ME, application=AZURE_CLI, permissions=())],
)
def test_the_azure_cli_cannot_read_defenders_incidents_and_that_is_said(signer):
    made, _wrong = said(seen(place("a", RESPONDER), signers=[(signer, None)]))
    assert made.verdict == "warning"
    (found,) = [one for one in made.findings if one.about == "defender"]
    assert "az login cannot read Defender's incidents" in found.what
    assert "AADSTS65002" in found.what
    assert "client_id" in found.way


def test_where_defender_is_wanted_through_the_azure_cli_it_is_failing_with_the_way_out():
    error = Denied("incidents of xdr: the application lacks a permission", hint="grant it")
    graph = place("xdr", kind="az", tenant="acme", dialect=spoken("xdr", Graph), held=None,
                  error=error)  # fmt: skip
    made, _ = said(seen(graph, signers=[(replace(ME, kind="az"), None)]))
    (found,) = [one for one in made.findings if one.about == "answer"]
    assert found.word == "failing"
    assert "az login cannot read" in found.way
    assert "device" in found.way
    assert not [one for one in made.findings if one.about == "defender"], "told once"


@pytest.mark.parametrize(("needs", "word"), [("list", "warning"), ("apply", "failing")])
def test_a_token_that_only_reads_defender_cannot_apply_there(needs, word):
    graph = place("xdr", dialect=spoken("xdr", Graph), held=None,
                  granted=("SecurityIncident.Read.All",), from_defender=True)  # fmt: skip
    made, wrong = said(seen(graph), needs)
    assert (
        word,
        "you cannot apply on xdr: the token lacks SecurityIncident.ReadWrite.All",
    ) in wrong
    assert made.places[0].missing == ("SecurityIncident.ReadWrite.All",)
    assert made.places[0].commands == ("list", "show", "plan")


def test_who_cannot_look_people_up_is_told_of_the_settings_table():
    for signers, graph in (
        ([(replace(ME, permissions=("SecurityIncident.Read.All",)), None)], {}),
        ([(replace(ME, permissions=None), None)], {"acme": SignIn("no token")}),
    ):
        made, wrong = said(seen(place("a", RESPONDER), signers=signers, graph=graph))
        assert made.verdict == "warning"
        assert wrong[0][1].startswith("owners cannot be looked up in tenant acme")


def test_workspaces_on_defender_quotas_and_endpoints_are_told():
    endpoints = (Endpoint(name="arm", url=ARM, seconds=0.012), Endpoint(name="graph", url="x"))
    places = (
        place("a", RESPONDER, from_defender=True, left={"subscription-reads": 90}),
        place("b", RESPONDER, from_defender=False, left={"subscription-reads": 1_199}),
    )
    made, wrong = said(seen(*places, endpoints=endpoints))
    told = [one.what for one in made.findings]
    assert "the least that was left: subscription-reads 90" in told
    assert f"arm at {ARM} answers in 12 ms" in told
    assert any(one.startswith("1 workspace has incidents from Defender") for one in told)
    assert wrong == [("failing", "graph at x gave nothing that could be used")]
    assert [one.defender for one in made.places] == [True, False]


def test_the_actions_of_cases_are_cases():
    assert lacking(held(READER), spoken("a", Cases), "apply") == [
        "Microsoft.SecurityInsights/cases/write",
        "Microsoft.SecurityInsights/cases/comments/write",
    ]
    assert [len(lacking((), spoken("a"), needs)) for needs in NEEDS] == [1, 3, 4]
    one = cannot("apply", {"a": spoken("a", Cases)}, "Microsoft.SecurityInsights/cases/write")
    assert "Responder" in one.way


def test_a_long_list_of_names_says_how_many_more():
    assert listed("abcdefg") == "a, b, c, d, e, f, g"
    assert listed("abcdefgh") == "a, b, c, d, e, f and 2 more"
