"""Conditions that KQL takes and that mean something else than they say."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from vedette.kql import condition

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


def warned(text):
    return condition(text, now=NOW).warnings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('Owner.userPrincipalName == ""', "is never true: an owner that is not set is null"),
        ('Owner["email"] =~ ""', "is never true: an owner that is not set is null"),
        ('"" == Owner.email', "is never true: an owner that is not set is null"),
        ('Owner.email in ("", "x")', "is never true: an owner that is not set is null"),
        ('Owner.email != ""', "is true even where it is unset"),
        ('Owner.email !in ("")', "is true even where it is unset"),
        ('Owner == ""', "write not(Owned)"),
        ("isempty(Owner)", "is always false: the owner is a bag even when nobody is in it"),
        ("isnull(Owner)", "is always false"),
        ("isnotempty(Owner)", "is always true"),
        ('Owner == "linda@contoso.example"', "name a member, such as Owner.userPrincipalName"),
        ('Labels has "fp"', '"fp" is also found in "fp-candidate" (and "User" is in every one)'),
        ('Labels contains "fp"', 'write set_has_element(Tags, "fp")'),
        ('Tags has "brute"', '"brute" is also found in "brute-candidate"; for one tag'),
        ('Tags has "brute"', 'write set_has_element(Tags, "brute")'),
        ('Labels has_any ("vip", "x")', '"vip" is also found in "vip-candidate" (and "User"'),
        ("AutoTags has 'a\"b'", 'write set_has_element(AutoTags, "a\\"b")'),
        ("Tags has tolower(Title)", '"fp" is also found in "fp-candidate"; for one tag'),
        ('Labels has_any ("fp", "x")', 'write set_has_element(Tags, "…")'),
        ('tostring(Labels) has "fp"', 'write set_has_element(Tags, "fp")'),
        ('Tags has "fp"', '"fp" is also found in "fp-candidate"; for one tag'),
        ('not(Tags !has "fp")', '"fp" is also found in "fp-candidate"; for one tag'),
        ('Labels.labelName == "x"', "is always null: Labels is an array"),
        ('Tags.name == "x"', "is always null: Tags is an array"),
        ('Tags == "x"', "compares the whole list as JSON text"),
        ('set_has_element(Labels, "x")', "is never true: the elements of Labels are bags"),
        ('Labels[0].name == "x"', "an element of Labels has labelName, labelType"),
        ('Owner.upn == "x"', "is always null here; Owner has objectId, email, assignedTo"),
        ("AdditionalData.alertCount > 1", "AdditionalData has alertsCount, commentsCount"),
        ("isempty(Tags)", "write array_length(Tags) == 0"),
        ("isnull(Title)", "texts are never null in KQL; write isempty(…)"),
    ],
)
def test_a_trap_is_named_with_its_way_out(text, said):
    (warning,) = warned(text)
    assert said in warning


@pytest.mark.parametrize(
    "text",
    [
        "not(Owned)",
        "isempty(Owner.userPrincipalName)",
        'tostring(Owner.assignedTo) == ""',
        'Owner.userPrincipalName == "linda@contoso.example"',
        'Owner has "contoso"',
        'set_has_element(Tags, "fp")',
        "array_length(Tags) == 0",
        """Labels has '"labelName":"fp"'""",
        'Labels[0].labelName == "fp"',
        "AdditionalData.alertsCount < 3",
        'isempty(Title) and Title == ""',
    ],
)
def test_what_means_what_it_says_is_not_warned_about(text):
    assert warned(text) == ()


def test_each_trap_is_named_once():
    assert len(warned('Owner.email == "" or Owner.email == ""')) == 1
    assert len(warned('Owner.email == "" or Owner.userPrincipalName == ""')) == 2


def test_the_latest_row_of_every_incident_is_what_vedette_lists_anyway():
    text = """
        SecurityIncident
        | summarize arg_max(TimeGenerated, *) by IncidentNumber // as everybody writes it
        | where Status != "Closed"
        | where not(Owned)
    """
    asked = condition(text, now=NOW)
    assert asked.text == 'Status != "Closed" and not(Owned)'
    assert asked.warnings == ("summarize arg_max is not needed: vedette lists the current state",)


@pytest.mark.parametrize("newest", ["TimeGenerated", "LastModifiedTime"])
@pytest.mark.parametrize("key", ["IncidentNumber", "IncidentName"])
def test_what_stands_before_the_latest_row_is_said_to_ask_something_else(newest, key):
    text = f"where Owned | summarize arg_max({newest}, *) by {key}"
    (warning,) = warned(text)
    assert "asked older versions in the log" in warning


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("SecurityIncident", "true"),
        ("SecurityIncident;", "true"),
        ("SecurityIncident | where Owned", "Owned"),
        ("| where Owned", "Owned"),
        ("where Owned", "Owned"),
        ("filter Owned", "Owned"),
        ("Owned | where Owned or Owned", "Owned and (Owned or Owned)"),
        ("\ufeffSecurityIncident\r\n| where Owned // x\r\n| where Owned\r\n", "Owned and Owned"),
        ("// first\nOwned // 'last", "Owned"),
        ('Title == "a // b"', 'Title == "a // b"'),
        ('let who = "linda";\nSecurityIncident | where Owner has who', 'Owner has "linda"'),
        ("let recent = ago(1d); CreatedTime > recent", "CreatedTime > ago(1d)"),
    ],
)
def test_what_people_paste_is_understood(text, canonical):
    assert condition(text, now=NOW).text == canonical
