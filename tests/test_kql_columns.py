"""The columns: one table for conditions, sorting, columns and groups."""

from __future__ import annotations

import pytest

from vedette.errors import Asked, Unknown
from vedette.kql import COLUMNS, column, order, shown, value
from vedette.kql.reads import ARRAYS, MEMBERS, READS
from vedette.model import Incident, Moment, Owner

# https://learn.microsoft.com/azure/azure-monitor/reference/tables/securityincident
MICROSOFTS = """
    AdditionalData AlertIds BookmarkIds Classification ClassificationComment ClassificationReason
    ClosedTime Comments CreatedTime Description FirstActivityTime FirstModifiedTime IncidentName
    IncidentNumber IncidentUrl Labels LastActivityTime LastModifiedTime ModifiedBy Owner
    ProviderIncidentId ProviderName RelatedAnalyticRuleIds Severity SourceSystem Status Tasks
    TenantId TimeGenerated Title Type
""".split()  # noqa: SIM905 -- a list of words reads best as words

FULL = Incident(
    key="soc-eu#7",
    id="73e01a99",
    number=7,
    plane="sentinel",
    workspace="soc-eu",
    title="Brute force",
    description="many",
    severity="High",
    status="New",
    classification="TruePositive",
    reason="SuspiciousActivity",
    note="seen",
    tags=("b", "a"),
    auto_tags=("x",),
    owner=Owner(object_id="1", email="linda@contoso.example", name="Linda"),
    tenant="contoso",
    created=Moment("2026-11-20T07:00:00.1234567Z"),
    modified=Moment("2026-11-20T08:00:00Z"),
    alerts=2,
    comments=0,
    products=("MDE",),
    tactics=("Impact",),
    techniques=("T1110",),
    rules=("/subscriptions/1/providers/Microsoft.SecurityInsights/alertRules/BuiltInFusion",),
    provider="Azure Sentinel",
    provider_id="7",
    url="https://portal.example/7",
    etag='"1"',
)
BARE = Incident(key="xdr#8", id="8", plane="defender", severity="Low", status="Active")


def test_every_column_of_microsofts_table_is_here_and_no_other_is_called_theirs():
    assert sorted(name for name, one in COLUMNS.items() if not one.ours) == sorted(MICROSOFTS)


def test_every_key_of_our_json_is_some_column():
    keys = set(Incident.__struct_encode_fields__)
    assert {one.json for one in COLUMNS.values() if one.json} == keys


def test_what_costs_nothing_can_be_read_and_what_costs_a_call_cannot():
    for name, one in COLUMNS.items():
        if one.cost == "list":
            assert name in READS
        elif one.cost == "call":
            assert name not in READS
        assert (one.instead is None) == (one.cost == "list")


def test_what_is_read_is_of_the_kind_that_is_promised():
    kinds = {"string": str, "int": int, "bool": bool, "datetime": int, "dynamic": (list, dict)}
    for name, read in READS.items():
        for incident in (FULL, BARE):
            held = read(incident)
            if COLUMNS[name].type == "string":
                assert isinstance(held, str), name
            elif held is not None:
                assert isinstance(held, kinds[COLUMNS[name].type]), name


def test_bags_and_arrays_hold_what_they_are_said_to_hold():
    assert set(READS["Owner"](BARE)) < set(MEMBERS["Owner"])
    assert set(READS["AdditionalData"](FULL)) == set(MEMBERS["AdditionalData"])
    for name in ARRAYS:
        assert isinstance(READS[name](FULL), list)


def test_rules_are_named_by_the_last_part_of_their_id():
    assert READS["RelatedAnalyticRuleIds"](FULL) == ["BuiltInFusion"]


def test_what_a_plane_has_not_is_null_or_empty():
    assert READS["AdditionalData"](BARE) is None
    assert READS["RelatedAnalyticRuleIds"](BARE) is None
    assert READS["IncidentNumber"](BARE) is None
    assert READS["IncidentName"](BARE) == ""
    assert READS["ProviderIncidentId"](BARE) == "8"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Title", "Title"),
        ("title", "Title"),
        ("TITLE", "Title"),
        ("createdtime", "CreatedTime"),
        ("created", "CreatedTime"),
        ("firstactivity", "FirstActivityTime"),
        ("number", "IncidentNumber"),
        ("rules", "RelatedAnalyticRuleIds"),
        ("comments", "CommentsCount"),
        ("Comments", "Comments"),
        ("closed", "ClosedTime"),
    ],
)
def test_a_column_answers_to_kqls_name_and_to_its_json_key(name, found):
    assert column(name).name == found


def test_an_unknown_column_is_named_with_the_nearest():
    with pytest.raises(Unknown, match="no column is called 'severty'") as caught:
        column("severty")
    assert caught.value.hint == "did you mean Severity?"
    with pytest.raises(Unknown) as caught:
        column("zzz")
    assert caught.value.hint == "`vedette columns` lists them"


@pytest.mark.parametrize(
    ("name", "held"),
    [
        ("title", "Brute force"),
        ("created", "2026-11-20T07:00:00.1234567Z"),
        ("tags", ["b", "a"]),
        ("number", 7),
        ("comments", 0),
        ("twin", None),
        ("Owned", True),
        ("Labels", [
            {"labelName": "b", "labelType": "User"},
            {"labelName": "a", "labelType": "User"},
            {"labelName": "x", "labelType": "AutoAssigned"},
        ]),
        ("closed", None),
    ],
)  # fmt: skip
def test_a_value_is_what_our_json_says(name, held):
    got = value(name, FULL)
    assert (list(got) if isinstance(got, tuple) else got) == held


def test_an_owner_is_given_by_its_json_and_shown_by_its_best_name():
    assert value("owner", FULL) == {
        "objectId": "1",
        "upn": None,
        "email": "linda@contoso.example",
        "name": "Linda",
        "type": None,
    }
    assert shown("owner", FULL) == "linda@contoso.example"
    assert value("owner", BARE) is None
    assert shown("owner", BARE) == ""


def test_a_column_is_shown_as_one_line():
    assert shown("Tags", FULL) == "b, a"
    assert shown("Owned", FULL) == "true"
    assert shown("IncidentNumber", FULL) == "7"
    assert shown("created", BARE) == ""


@pytest.mark.parametrize("name", ["AlertIds", "TimeGenerated", "EntityIPs"])
def test_what_does_not_come_with_a_list_is_refused_with_a_way_out(name):
    with pytest.raises(Asked, match=f"{name} does not come with a list") as caught:
        value(name, FULL)
    assert caught.value.hint == COLUMNS[name].instead


def changed(**fields):
    return Incident(
        **{"key": "a#1", "id": "1", "plane": "sentinel", "severity": "Low", "status": "New"}
        | fields
    )


def test_times_sort_by_the_instant_and_not_by_their_text():
    earlier = changed(created="2026-11-20T07:00:00Z")
    later = changed(created="2026-11-20T07:00:00.5Z")
    never = changed()
    latest = changed(created="2026-11-20T08:00:00+00:30")
    several = [latest, later, never, earlier]
    assert sorted(several, key=lambda one: order("created", one)) == [
        never, earlier, later, latest
    ]  # fmt: skip


def test_severity_sorts_by_how_bad_it_is_and_unknown_words_come_last():
    words = ["Odd", "Critical", "Informational", "High", "Low", "Medium", "Even"]
    several = sorted((changed(severity=word) for word in words), key=lambda i: order("severity", i))
    assert [one.severity for one in several] == [
        "Informational", "Low", "Medium", "High", "Critical", "Even", "Odd"
    ]  # fmt: skip


def test_every_column_that_can_be_read_can_be_sorted():
    for name, one in COLUMNS.items():
        if one.json or name in READS:
            keys = [order(name, incident) for incident in (FULL, BARE, changed())]
            assert len(sorted(keys)) == 3


def test_numbers_sort_by_size():
    several = [changed(number=10), changed(number=9), changed()]
    several.sort(key=lambda one: order("number", one))
    assert [one.number for one in several] == [None, 9, 10]
