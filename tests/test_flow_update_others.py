"""
A safe write beside other people, in every dialect: whose write is it that stands there, and
what becomes of ours. `--on-conflict` decides where both meant the same field.
"""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dialogue import Dialogue, asks, writes
from test_flow_update import DIALECT, GRAPH, defender, document
from vedette.flow.talk import Ask, Tell
from vedette.flow.update import Wish, update
from vedette.model import AddTags, Assign, Close, Owner, SetSeverity
from vedette.model.change import values
from vedette.wire.cases import Cases
from vedette.wire.http import Reply
from vedette.wire.incidents import Incidents

PATCHED = Incidents(DIALECT.place, update="patch")
CASES = Cases(DIALECT.place)
EDITS = (AddTags(tags=("detection",)), SetSeverity(severity="Low"))
LINDA = Owner(object_id="8b3c7f4e", upn="linda@contoso.example", email="linda@contoso.example")


class Tongue:
    """A dialect, and one incident as it would be told there."""

    def __init__(self, dialect, kind):
        self.dialect = dialect
        self.kind = kind

    def tells(self, version=1, *, severity="High", tags=("vip",), **more: Any) -> dict[str, Any]:
        """The document of this version; words are Sentinel's."""
        if self.kind == "graph":
            at = f"2026-02-25T16:29:33.{version}Z"
            told = {"customTags": list(tags), "lastUpdateDateTime": at, "id": "73e01a99"}
            return defender(severity.lower(), **(told | _on_graph(more)))
        if self.kind == "cases":
            return _case(version, severity=severity, labels=list(tags), **_on_cases(more))
        labels = [{"labelName": tag, "labelType": "User"} for tag in tags]
        return document(str(version), severity=severity, labels=labels, **more)

    def wish(self, edits=EDITS, **more: Any) -> Wish:
        body = msgspec.json.encode(self.tells())
        planned = self.dialect.seen(Reply(status=200, body=body)).incident
        before = values(planned, ("tags", "owner", "severity", "status", "classification"))
        told = {"before": before, "version": planned.etag or planned.modified} | more
        return Wish(id="73e01a99", key="k", edits=edits, **told)

    def talks(self, edits=EDITS, again=None, **more: Any) -> Dialogue:
        return Dialogue(update(self.dialect, self.wish(edits, **more), again or (lambda _: edits)))


def _on_graph(more):
    told = dict(more)
    if "owner" in told:
        told["assignedTo"] = told.pop("owner")["userPrincipalName"]
    if "status" in told:
        told["status"] = {"Closed": "resolved", "New": "active"}[told["status"]]
    if "classification" in told:
        told["classification"] = told["classification"][:1].lower() + told["classification"][1:]
    told.pop("classificationReason", None)
    if "title" in told:
        told["displayName"] = told.pop("title")
    return told


def _on_cases(more):
    told = dict(more)
    told.pop("classificationReason", None)
    if "classification" in told:
        told["closeReason"] = told.pop("classification")
    if "owner" in told:
        told["owner"] = {"objectId": told["owner"]["objectId"], "email": None, "name": None}
    return told


def _case(version, **changed):
    told = document(str(version))
    nobody = {"objectId": None, "email": None, "name": None}
    kept = {"title": "Brute force", "status": "New", "caseNumber": 4711, "owner": nobody}
    return told | {"properties": kept | changed}


TONGUES = {
    "sentinel": Tongue(DIALECT, "sentinel"),
    "patch": Tongue(PATCHED, "sentinel"),
    "cases": Tongue(CASES, "cases"),
    "graph": Tongue(GRAPH, "graph"),
}


@pytest.fixture(params=TONGUES)
def tongue(request):
    return TONGUES[request.param]


OURS: dict[str, Any] = {"severity": "Low", "tags": ("vip", "detection")}
BEFORE = {"severity": "High", "tags": ["vip"]}


@pytest.fixture
def lost(tongue):
    """A write that was sent and never answered; somebody is about to look."""
    talk = tongue.talks().hears(200, tongue.tells())
    assert isinstance(talk.says, Tell)
    talk.loses_the_reply()
    assert "73e01a99" in asks(talk)
    return talk


@pytest.mark.parametrize(
    ("stands", "theirs"),
    [
        ({}, {}),
        ({"title": "Brute force, second wave"}, {}),
        ({"severity": "Medium"}, {"severity": "Medium"}),
        ({"severity": "High"}, {"severity": "High"}),
        ({"tags": ("vip", "shift-b", "detection")}, {}),
    ],
    ids=["nobody", "another field", "the same field", "put back", "a tag"],
)
def test_a_lost_reply_is_ours_whatever_others_did_since(tongue, lost, stands, theirs):
    """One of our values is left, and a write lands whole: so the rest of it was ours too."""
    lost.hears(200, tongue.tells(3, **(OURS | stands)))
    assert lost.result.outcome == "written"
    assert lost.result.before == BEFORE
    assert lost.result.theirs == theirs
    assert lost.result.is_overtaken is False


def test_a_lost_write_that_did_not_land_is_made_on_what_others_wrote(tongue, lost):
    lost.hears(200, tongue.tells(2, title="Second wave", tags=("vip", "shift-b")))
    assert isinstance(lost.says, Tell)
    assert lost.says.intent.before == {"severity": "High", "tags": ["vip", "shift-b"]}
    lost.hears(200, tongue.tells(3, **(OURS | {"tags": ("vip", "shift-b", "detection")})))
    assert lost.result.outcome == "written"


def test_a_lost_write_wholly_put_back_looks_as_if_it_never_landed(tongue, lost):
    """Nothing tells the two apart, so the condition decides, as on any newer version."""
    lost.hears(200, tongue.tells(3))
    assert isinstance(lost.says, Tell)
    assert lost.says.attempt == 2


def test_and_where_the_condition_no_longer_holds_it_stays_put_back(tongue):
    talk = tongue.talks(again=lambda _: None).hears(200, tongue.tells()).loses_the_reply()
    talk.hears(200, tongue.tells(3, title="Second wave"))
    assert talk.result.outcome == "skipped"


def test_where_as_much_is_as_before_as_is_ours_it_never_landed(tongue, lost):
    """Somebody may have set the same severity; what is missing is written."""
    lost.hears(200, tongue.tells(3, **(OURS | {"tags": ("vip",)})))
    assert isinstance(lost.says, Tell)
    assert set(lost.says.intent.after) == {"tags"}


def test_all_of_a_write_that_was_refused_as_stale_shows_that_it_came_twice(tongue):
    """The first of two deliveries landed, and the 409 answered the second: undo must know."""
    talk = tongue.talks().hears(200, tongue.tells())
    talk.hears(409)
    talk.hears(200, tongue.tells(2, **OURS))
    assert (talk.result.outcome, talk.result.before) == ("written", BEFORE)


def test_the_very_same_change_beside_a_lost_reply_is_taken_for_ours(tongue, lost):
    """Whose it was nothing tells; what was sent and stands there is ours."""
    lost.hears(200, tongue.tells(2, **OURS))
    assert (lost.result.outcome, lost.result.before) == ("written", BEFORE)


# ---- the same field


BOB = {"objectId": "b0b", "userPrincipalName": "bob@contoso.example", "email": None}
CLOSE = (Close(classification="FalsePositive", note="CHG-1182"),)
SAME_FIELD = [
    ((Assign(owner=LINDA),), {"owner": BOB}, "owner"),
    ((SetSeverity(severity="Low"),), {"severity": "Medium"}, "severity"),
    (CLOSE, {"status": "Closed", "classification": "TruePositive"}, "classification"),
]
IDS = ["owner", "severity", "close"]


@pytest.mark.parametrize(("edits", "theirs", "field"), SAME_FIELD, ids=IDS)
@pytest.mark.parametrize("way", ["skip", "stop"])
def test_what_somebody_else_set_stands_and_is_told(tongue, edits, theirs, field, way):
    talk = tongue.talks(edits, on_conflict=way).hears(200, tongue.tells(2, **theirs))
    assert talk.result.outcome == "conflict"
    assert talk.result.is_overtaken
    assert field in talk.result.theirs


@pytest.mark.parametrize(("edits", "theirs", "field"), SAME_FIELD, ids=IDS)
def test_what_somebody_else_set_is_replaced_where_that_was_asked(tongue, edits, theirs, field):
    talk = tongue.talks(edits, on_conflict="mine").hears(200, tongue.tells(2, **theirs))
    assert isinstance(talk.says, Tell)
    assert field in talk.says.intent.after
    assert talk.says.intent.before[field] != talk.says.intent.after[field]


def test_half_a_decision_is_never_written(tongue):
    """They closed it as something else: the note must not go beside their classification."""
    theirs = {"status": "Closed", "classification": "TruePositive"}
    talk = tongue.talks(CLOSE).hears(200, tongue.tells(2, **theirs))
    assert talk.result.outcome == "conflict"
    assert "note" not in talk.result.after


@pytest.mark.parametrize("way", ["skip", "mine", "stop"])
def test_tags_never_conflict_and_both_win(tongue, way):
    edits = (AddTags(tags=("detection",)),)
    talk = tongue.talks(edits, on_conflict=way)
    talk.hears(200, tongue.tells(2, tags=("shift-b",)))
    assert talk.says.intent.after == {"tags": ["shift-b", "detection"]}


def test_a_field_that_comes_back_the_same_is_left_as_it_is_spelled(tongue):
    """Assigned to the same person by another spelling, beside a tag: the tag alone is written."""
    linda = {"objectId": "8b3c7f4e", "userPrincipalName": "Linda@Contoso.example", "email": None}
    edits = (AddTags(tags=("detection",)), Assign(owner=LINDA))
    talk = tongue.talks(edits).hears(200, tongue.tells(1, owner=linda))
    assert isinstance(talk.says, Tell)
    assert talk.says.intent.after == {"tags": ["vip", "detection"]}
    sent = writes(talk)
    if tongue.kind == "graph":
        assert set(sent) == {"customTags"}
    else:
        assert "linda@contoso.example" not in str(sent)


def test_an_incident_deleted_meanwhile_is_gone(tongue, lost):
    assert lost.hears(404).result.outcome == "gone"


def test_an_incident_deleted_and_made_anew_by_our_write_is_no_success(tongue):
    """Between our look and our PUT it went; the new one has another number."""
    if tongue.kind == "graph":
        pytest.skip("a PATCH makes nothing")
    talk = tongue.talks().hears(200, tongue.tells())
    made = tongue.tells(2, **OURS)
    number = "caseNumber" if tongue.kind == "cases" else "incidentNumber"
    made["properties"][number] = 4712
    talk.hears(201, made)
    assert talk.result.outcome == "failed"
    assert "made it anew" in talk.result.error


def test_an_update_may_be_answered_with_201_all_the_same(tongue):
    talk = tongue.talks().hears(200, tongue.tells())
    assert talk.hears(201, tongue.tells(2, **OURS)).result.outcome == "written"


def test_every_try_looks_first(tongue):
    talk = tongue.talks()
    for version in range(1, 6):
        assert isinstance(talk.says, Ask)
        talk.hears(200, tongue.tells(version)).hears(412)
    talk.hears(200, tongue.tells(6))
    assert talk.result.outcome == "failed"
