"""Searching text: terms, phrases, cases; a table that anybody who writes KQL can check."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.kql import condition
from vedette.kql.literals import quoted
from vedette.kql.words import folded, has
from vedette.model import Incident

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


def found(title, operator, sought):
    text = f"Title {operator} {sought if sought.startswith('(') else quoted(sought)}"
    incident = Incident(
        key="a#1", id="1", plane="sentinel", title=title, severity="High", status="New"
    )
    return condition(text, now=NOW).holds(incident)


@pytest.mark.parametrize(
    ("title", "term", "wanted"),
    [
        ("Brute force attack", "brute", True),
        ("Brute force attack", "force", True),
        ("Brute force attack", "BRUTE FORCE", True),
        ("Brute force attack", "bru", False),
        ("Brute force attack", "rute force", False),
        ("Brute force attack", "brute forc", False),
        ("Brute-force attack", "brute force", False),
        ("Brute-force attack", "brute-force", True),
        ("Brute-force attack", "force", True),
        ("Bruteforce attack", "force", False),
        ("Bruteforce, then force", "force", True),
        ("brute_force", "force", True),
        ("attack v2", "v2", True),
        ("attack v22", "v2", False),
        ("attack", "attack", True),
        ("attack", "attack ", False),
        ("attack!", "attack!", True),
        ("attack!s", "attack!", True),
        ("attack", "", True),
        ("", "attack", False),
        ("C2: beacon", "c2:", True),
        ("Größe", "gr", False),
        ("Größe", "GRÖSSE", False),
        ("GRÖßE", "grÖßE".lower(), False),
        ("Größe", "gRöße", True),
        ("10.0.0.1 seen", "10.0.0.1", True),
        ("110.0.0.1 seen", "10.0.0.1", False),
        ("a" * 50 + " aa", "aa", True),
    ],
)
def test_has_finds_whole_terms_and_phrases(title, term, wanted):
    assert found(title, "has", term) is wanted
    assert found(title, "!has", term) is not wanted


@pytest.mark.parametrize(
    ("operator", "sought", "wanted"),
    [
        ("has_cs", "Brute", True),
        ("has_cs", "brute", False),
        ("!has_cs", "brute", True),
        ("contains", "RUTE-F", True),
        ("!contains", "rute-f", False),
        ("contains_cs", "rute-f", True),
        ("contains_cs", "RUTE-F", False),
        ("!contains_cs", "RUTE-F", True),
        ("contains", "", True),
        ("startswith", "brute", True),
        ("!startswith", "brute", False),
        ("startswith_cs", "brute", False),
        ("!startswith_cs", "brute", True),
        ("endswith", "ATTACK", True),
        ("!endswith", "ATTACK", False),
        ("endswith_cs", "ATTACK", False),
        ("!endswith_cs", "attack", False),
        ("==", "brute-force ATTACK", False),
        ("=~", "brute-force ATTACK", True),
        ("!~", "brute-force ATTACK", False),
        ("!=", "Brute-force attack", False),
        ("has_any", '("x", "FORCE")', True),
        ("has_any", '("x", "forc")', False),
        ("has_any", '(dynamic(["x", "attack"]))', True),
        ("has_all", '("force", "attack")', True),
        ("has_all", '("force", "attacks")', False),
        ("in", '("x", "Brute-force attack")', True),
        ("in", '("brute-force attack")', False),
        ("in~", '("brute-force attack")', True),
        ("!in", '("brute-force attack")', True),
        ("!in~", '("brute-force attack")', False),
    ],
)
def test_each_operator_treats_case_as_kql_does(operator, sought, wanted):
    assert found("Brute-force attack", operator, sought) is wanted


@pytest.mark.parametrize("operator", ["=~", "contains", "has", "startswith", "endswith"])
def test_letters_beyond_ascii_never_fold(operator):
    """KQL folds ASCII only; Python's casefold would find all of these."""
    assert found("Ä", operator, "Ä")
    assert not found("Ä", operator, "ä")
    assert not found("straße", operator, "STRASSE")
    assert not found("\u212a", operator, "k")  # the Kelvin sign lowers to k in Unicode
    assert not found("İ", operator, "i")


def test_a_term_may_come_from_a_column():
    incident = Incident(
        key="a#1",
        id="1",
        plane="sentinel",
        title="Seen in ACME again",
        severity="High",
        status="New",
        tenant="acme",
        workspace="Seen",
    )
    for text, wanted in [
        ("Title has Tenant", True),
        ("Title has_cs Tenant", False),
        ("Title startswith Workspace", True),
        ("Title has_any (Tenant, 'x')", True),
        ("Title has_all (Tenant, 'x')", False),
        ("Title in (Tenant, Title)", True),
        ("Tenant =~ tolower(Tenant)", True),
        ("Tenant == toupper(Tenant)", False),
    ]:
        assert condition(text, now=NOW).holds(incident) is wanted


def test_a_dynamic_is_searched_as_compact_json():
    incident = Incident(
        key="a#1",
        id="1",
        plane="sentinel",
        severity="High",
        status="New",
        tags=("fp-candidate",),
        auto_tags=("Redirected",),
    )
    for text, wanted in [
        ('Labels has "fp"', True),
        ('Labels has "User"', True),
        ("""Labels has '"labelName":"fp-candidate"'""", True),
        ("""Labels has '"labelName":"fp"'""", False),
        ("""Labels contains '[{"labelName":"fp-candidate","labelType":"User"},'""", True),
        ('Labels[0].labelName == "fp-candidate"', True),
        ('Labels[-1].labelType == "AutoAssigned"', True),
        ('Labels[1].labelName == "Redirected"', True),
        ("isnull(Labels[2])", True),
        ('set_has_element(Tags, "fp-candidate")', True),
        ('set_has_element(Tags, "fp")', False),
        ('set_has_element(Tags, "FP-candidate")', False),
        ('set_has_element(AutoTags, "Redirected")', True),
        ("set_has_element(Tags, 3)", False),
        ("""tostring(Tags) == '["fp-candidate"]'""", True),
    ]:
        assert condition(text, now=NOW).holds(incident) is wanted


@given(st.text(), st.text(min_size=1))
def test_what_has_finds_contains_finds_too(text, term):
    if has(text, term):
        assert term in text


@given(st.lists(st.text("abc1", min_size=1), min_size=1), st.text("abc1", min_size=1))
def test_a_term_of_letters_is_found_exactly_when_it_is_one_of_the_terms(terms, term):
    assert has("-".join(terms), term) is (term in terms)


@given(st.text())
def test_folding_touches_ascii_letters_only_and_once(text):
    assert folded(folded(text)) == folded(text)
    assert len(folded(text)) == len(text)
    for before, after in zip(text, folded(text), strict=True):
        assert after == (before.lower() if "A" <= before <= "Z" else before)
