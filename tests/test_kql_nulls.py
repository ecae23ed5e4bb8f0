"""
KQL's nulls, cell by cell, written by hand from its documentation and not from our code:
https://learn.microsoft.com/kusto/query/scalar-data-types/null-values
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from vedette.kql import condition
from vedette.model import Incident, Owner

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)
NOBODYS = Incident(key="a#1", id="1", plane="defender", severity="High", status="New")
HERS = Incident(
    key="a#2",
    id="2",
    number=5,
    plane="sentinel",
    severity="Low",
    status="Active",
    owner=Owner(upn="linda@contoso.example", kind="User"),
    alerts=3,
)


def holds(text, incident=NOBODYS):
    return condition(text, now=NOW).holds(incident)


def truth(text, incident=NOBODYS):
    """True, False or None: null is what neither a condition nor its opposite holds for."""
    yes, no = holds(text, incident), holds(f"not({text})", incident)
    assert not (yes and no)
    return None if yes == no else yes


CELLS = [
    ("int(null) == 5", False),
    ("int(null) != 5", True),
    ("5 == int(null)", False),
    ("5 != int(null)", True),
    ("int(null) == int(null)", None),
    ("int(null) != int(null)", None),
    ("int(null) < 5", False),
    ("int(null) > 5", False),
    ("int(null) <= int(null)", False),
    ("int(null) >= int(null)", False),
    ("datetime(null) < now()", False),
    ("datetime(null) == now()", False),
    ("datetime(null) != now()", True),
    ("int(null) in (5)", False),
    ("int(null) !in (5)", True),
    ("int(null) between (1 .. 9)", False),
    ("int(null) !between (1 .. 9)", False),
    ("int(null) + 1 == 5", False),
    ("int(null) + 1 != 5", True),
    ("1 / 0 == 1", False),
    ("isnull(1 / 0)", True),
    ("isnull(1.0 / 0)", True),
    ("isnull(7 % 0)", True),
    ("isnull(-int(null))", True),
    ("isnull(int(null))", True),
    ("isnotnull(int(null))", False),
    ("isempty(int(null))", True),
    ("isnotempty(int(null))", False),
    ('isnull("")', False),
    ('isempty("")', True),
    ('isempty("x")', False),
    ('tostring(int(null)) == ""', True),
    ("strlen(tostring(int(null))) == 0", True),
    ("not(bool(null))", None),
    ("bool(null) and true", None),
    ("bool(null) and false", False),
    ("false and bool(null)", False),
    ("bool(null) or true", True),
    ("true or bool(null)", True),
    ("bool(null) or false", None),
    ("bool(null) or bool(null)", None),
    ("bool(null) and bool(null)", None),
    ("bool(null) == true", False),
    ("bool(null) != true", True),
    # members nobody filled
    ('Owner.userPrincipalName == ""', False),
    ('Owner.userPrincipalName != ""', True),
    ('Owner.userPrincipalName == "x"', False),
    ('Owner.userPrincipalName =~ ""', False),
    ('Owner.userPrincipalName in ("")', False),
    ('Owner.userPrincipalName !in ("")', True),
    ('tostring(Owner.userPrincipalName) == ""', True),
    ("isempty(Owner.userPrincipalName)", True),
    ("isnull(Owner.userPrincipalName)", True),
    ("isempty(Owner)", False),
    ("isnull(Owner)", False),
    ('Owner == ""', False),
    ('Owner.userPrincipalName has "x"', False),
    ('Owner.userPrincipalName !has "x"', True),
    ("AdditionalData.alertsCount < 3", False),
    ("AdditionalData.alertsCount > 3", False),
    ("AdditionalData.alertsCount != 3", True),
    ("isnull(AdditionalData)", True),
    ("isnull(AdditionalData.alertsCount)", True),
    ("array_length(AdditionalData.tactics) == 0", False),
    ("isnull(array_length(AdditionalData.tactics))", True),
    ('set_has_element(AdditionalData.tactics, "Impact")', None),
    ("isnull(Labels[0])", True),
    ("isnull(Labels[0].labelName)", True),
    ('Labels.labelName == "x"', False),
    ("array_length(Labels) == 0", True),
    # columns the plane has not
    ("IncidentNumber == 5", False),
    ("IncidentNumber != 5", True),
    ("IncidentNumber < 5", False),
    ("CreatedTime > ago(1d)", False),
    ("CreatedTime - LastModifiedTime < 1h", False),
    ('IncidentName == ""', True),
    ('Description == ""', True),
    ('Classification == ""', True),
    ("Owned", False),
]


@pytest.mark.parametrize(("text", "wanted"), CELLS)
def test_null_is_what_kql_says_it_is(text, wanted):
    assert truth(text) is wanted


def test_a_condition_that_is_null_holds_for_nothing_nor_does_its_opposite():
    assert not holds("int(null) == int(null)")
    assert not holds("not(int(null) == int(null))")


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("IncidentNumber == 5", True),
        ('IncidentNumber == "5"', True),
        ("IncidentNumber != 5", False),
        ("IncidentNumber in (4, 5)", True),
        ("IncidentNumber between (5 .. 5)", True),
        ("IncidentNumber !between (6 .. 9)", True),
        ("IncidentNumber == 5.0", True),
        ("-IncidentNumber == -5", True),
        ("IncidentNumber / 2 == 2", True),
        ("-IncidentNumber / 2 == -2", True),
        ("-IncidentNumber % 2 == -1", True),
        ("IncidentNumber / 2.0 == 2.5", True),
        ("5.5 % IncidentNumber == 0.5", True),
        ("AdditionalData.alertsCount == 3", True),
        ('AdditionalData.alertsCount == "3"', True),
        ("AdditionalData.alertsCount between (1 .. 3)", True),
        ('AdditionalData["alertsCount"] >= 3', True),
        ("Owner.email == 5", False),
        ("Owner.email != 5", True),
        ('Owner.userPrincipalName =~ "LINDA@contoso.example"', True),
        ('Owner.userPrincipalName in~ ("x", "LINDA@contoso.example")', True),
        ('Owner.ownerType == "User"', True),
        ('Owner has "contoso"', True),
        ('tostring(Owner) contains "linda@"', True),
        ("Owned", True),
        ("Owned == true", True),
        ("not(Owned)", False),
        ('toint("5") == IncidentNumber', True),
        ('isnull(toint("x"))', True),
        ('tolong("99999999999") == 99999999999', True),
        ("isnull(toint(99999999999))", True),
        ('toreal("2.5") == 2.5', True),
        ('todouble("1e2") == 100', True),
        ('tobool("TRUE")', True),
        ("tobool(IncidentNumber)", True),
        ('isnull(tobool("maybe"))', True),
        ('todatetime("2026-11-22") == datetime(2026-11-22)', True),
        ('totimespan("1.02:03:04") == 1d + 2h + 3m + 4s', True),
        ("tostring(1.5h) == '01:30:00'", True),
        ("tostring(datetime(2026-11-22)) == '2026-11-22T00:00:00.0000000Z'", True),
        ("tostring(true) == 'true'", True),
        ("1h * 2 == 2h and 2 * 1h == 2h and 3h / 2 == 90m and 3h / 2h == 1.5", True),
        ('strlen("Grüße") == 5', True),
        ('toupper("grüße") == "GRÜßE"', True),
        ("Owner.email == true", False),
        ("Owner.email != true", True),
        ("dynamic({'a': true}).a == true", True),
        ("dynamic({'a': 1}).a == true", False),
        ("dynamic({'a': true}).a == 1", False),
        ("dynamic({'a': [1]}).a == '[1]'", True),
        ("isnull(tobool(Owner))", True),
        ("isnull(toint(Owner))", True),
        ("isnull(toreal(Owner))", True),
        ("todatetime(now()) == now()", True),
        ("isnull(todatetime(Owner))", True),
        ("totimespan(1h) == 1h", True),
        ("isnull(totimespan(Owner))", True),
        ("tostring(1.5) == '1.5'", True),
        ("tostring(IncidentNumber) == '5'", True),
        ("tostring(Title) == Title", True),
        ("tostring(AdditionalData.alertsCount) == '3'", True),
        ("datetime(2026-11-23T07:00:00Z) == now()", True),
        ("now() + 1h == now(1h) and 1h + now() == now(1h)", True),
        ("-(now() - now(1h)) == 1h", True),
        ("CreatedTime between (ago(1h) .. timespan(null))", False),
    ],
)
def test_values_that_are_there_are_compared_as_kql_compares_them(text, wanted):
    assert truth(text, HERS) is wanted


def test_what_does_not_fit_is_null():
    assert holds("isnull(9223372036854775807 + 1)")
    assert holds("isnull(datetime(9999-12-31) + 2d)")
    assert holds("isnull(ago(4000000d))")
    assert holds("isnull(1e308 * 1e308)")
    assert holds("isnull(10675199d * 2)")
