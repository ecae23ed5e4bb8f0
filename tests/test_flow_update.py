"""A safe write, read aloud: what is said, what is heard, how it ends."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dialogue import Dialogue, asks, writes
from vedette.errors import Denied, Unsettled
from vedette.flow.talk import Ask, Intent, Tell
from vedette.flow.update import Wish, update
from vedette.model import AddComment, AddTags, Assign, Close, Owner, SetSeverity
from vedette.model.change import values
from vedette.wire.dialect import Place
from vedette.wire.graph import Graph
from vedette.wire.http import Reply
from vedette.wire.incidents import Incidents

DIALECT = Incidents(
    Place(
        endpoint="https://management.azure.com",
        path="/subscriptions/d0cfe6b2-9ac0-4464-9919-dccaee2e48c0/resourceGroups/soc/providers"
        "/Microsoft.OperationalInsights/workspaces/soc-eu",
        name="soc-eu",
    )
)
LINDA = Owner(object_id="8b3c7f4e", upn="linda@contoso.example")
EDITS = (AddTags(tags=("detection",)), Assign(owner=LINDA))


def document(etag: str = "1", **changed: Any) -> dict[str, Any]:
    """An incident as the service sends it (the order of a recording of 2026-03-25)."""
    nobody = {"objectId": None, "email": None, "assignedTo": None, "userPrincipalName": None}
    properties = {
        "title": "Brute force against a domain controller",
        "severity": "High",
        "status": "New",
        "owner": nobody,
        "labels": [{"labelName": "vip", "labelType": "User"}],
        "lastModifiedTimeUtc": "2026-03-25T07:43:56.7204744Z",
        "createdTimeUtc": "2026-03-25T07:24:00.5835442Z",
        "incidentNumber": 4711,
        "additionalData": {"alertsCount": 5, "alertProductNames": [], "tactics": []},
        "providerName": "Azure Sentinel",
        "futureProperty": {"kept": [1, 2.50, "x"]},
    }
    return {
        "id": f"{DIALECT.place.path}/providers/Microsoft.SecurityInsights/Incidents/73e01a99",
        "name": "73e01a99",
        "etag": f'"{etag}"',
        "type": "Microsoft.SecurityInsights/Incidents",
        "properties": properties | changed,
    }


def incident(**changed: Any):
    return DIALECT.seen(Reply(status=200, body=msgspec.json.encode(document(**changed)))).incident


def wish(edits=EDITS, **more: Any) -> Wish:
    planned = incident()
    before = values(planned, ("tags", "owner", "severity"))
    defaults = {"before": before, "version": planned.etag} | more
    return Wish(id="73e01a99", key="soc-eu#4711", edits=edits, **defaults)


def same(edits=EDITS):
    return lambda _: edits


def never(_):
    return None


def must_not_be_asked(_):
    raise AssertionError("the condition was asked again about a version that was planned on")


ETAG_2 = '"2"'


def test_an_unchanged_incident_is_written_on_the_version_that_was_read():
    talk = Dialogue(update(DIALECT, wish(), must_not_be_asked))
    assert "/incidents/73e01a99?" in asks(talk)

    talk.hears(200, document())
    sent = writes(talk)
    assert sent["etag"] == '"1"'
    assert [label["labelName"] for label in sent["properties"]["labels"]] == ["vip", "detection"]
    assert sent["properties"]["owner"]["userPrincipalName"] == "linda@contoso.example"
    assert sent["properties"]["futureProperty"] == {"kept": [1, 2.50, "x"]}

    talk.hears(200, document(etag="2"))
    assert talk.result.outcome == "written"
    assert talk.result.before == {"tags": ["vip"], "owner": None}
    assert talk.result.after["tags"] == ["vip", "detection"]
    assert talk.result.etag == ETAG_2


def test_the_intent_says_what_is_about_to_change_and_on_which_version():
    talk = Dialogue(update(DIALECT, wish(), same())).hears(200, document())
    assert isinstance(talk.says, Tell)
    assert talk.says.intent.before == {"tags": ["vip"], "owner": None}
    assert talk.says.intent.etag == '"1"'
    assert (talk.says.effect, talk.says.attempt) == (0, 1)


def test_what_is_already_so_is_not_written():
    done = document(
        labels=[{"labelName": "detection"}, {"labelName": "vip"}],
        owner={"objectId": "8b3c7f4e", "userPrincipalName": "linda@contoso.example"},
    )
    talk = Dialogue(update(DIALECT, wish(), must_not_be_asked)).hears(200, done)
    assert talk.result.outcome == "already"


def test_an_incident_that_is_gone_is_gone():
    assert Dialogue(update(DIALECT, wish(), same())).hears(404).result.outcome == "gone"


def test_a_newer_version_is_asked_about_again_and_skipped_when_it_no_longer_matches():
    talk = Dialogue(update(DIALECT, wish(), never)).hears(200, document(etag="2"))
    assert talk.result.outcome == "skipped"


def test_tags_that_somebody_else_added_stay():
    theirs = [{"labelName": "vip"}, {"labelName": "shift-b", "labelType": "User"}]
    talk = Dialogue(update(DIALECT, wish(), same())).hears(200, document(etag="2", labels=theirs))
    assert [label["labelName"] for label in writes(talk)["properties"]["labels"]] == [
        "vip",
        "shift-b",
        "detection",
    ]


BOB = {"objectId": "b0b", "userPrincipalName": "bob@contoso.example"}


def test_a_field_that_somebody_else_set_is_never_overwritten():
    """Their owner, our owner: stop, and say both."""
    talk = Dialogue(update(DIALECT, wish(), same())).hears(200, document(etag="2", owner=BOB))
    assert talk.result.outcome == "conflict"
    assert talk.result.theirs["owner"]["upn"] == "bob@contoso.example"


def test_a_field_is_overwritten_where_that_was_asked_for():
    asked = wish(on_conflict="mine")
    talk = Dialogue(update(DIALECT, asked, same())).hears(200, document(etag="2", owner=BOB))
    assert writes(talk)["properties"]["owner"]["objectId"] == "8b3c7f4e"


def test_two_who_set_the_same_value_do_not_conflict():
    edits = (SetSeverity(severity="Low"),)
    talk = Dialogue(update(DIALECT, wish(edits), same(edits)))
    assert talk.hears(200, document(etag="2", severity="Low")).result.outcome == "already"


@pytest.mark.parametrize("status", [409, 412])
def test_a_stale_write_is_made_again_on_the_new_version(status):
    talk = Dialogue(update(DIALECT, wish(), same())).hears(200, document())
    talk.hears(status)
    assert isinstance(talk.says, Ask)
    talk.hears(200, document(etag="2"))
    assert writes(talk)["etag"] == ETAG_2
    assert talk.says.attempt == 2
    assert talk.hears(200, document(etag="3")).result.outcome == "written"


def landed() -> dict[str, Any]:
    return document(
        etag="2",
        labels=[{"labelName": "vip"}, {"labelName": "detection"}],
        owner={"objectId": "8b3c7f4e", "userPrincipalName": "linda@contoso.example"},
    )


@pytest.mark.parametrize("trouble", ["lost", 500, 503, 504])
def test_a_write_whose_reply_was_lost_is_recognised_as_ours(trouble):
    talk = Dialogue(update(DIALECT, wish(), never)).hears(200, document())
    talk.loses_the_reply() if trouble == "lost" else talk.hears(trouble)
    talk.hears(200, landed())
    assert talk.result.outcome == "written"
    assert talk.result.before == {"tags": ["vip"], "owner": None}


def test_a_lost_write_that_did_not_land_is_made_once_more():
    talk = Dialogue(update(DIALECT, wish(), same())).hears(200, document()).loses_the_reply()
    talk.hears(200, document())
    assert isinstance(talk.says, Tell)
    assert talk.hears(200, document(etag="2")).result.outcome == "written"


def test_a_write_left_open_by_a_crash_is_looked_for_before_anything_is_written():
    after = {"tags": ["vip", "detection"]}
    tried = Intent(before={"tags": ["vip"], "owner": None}, after=after, etag='"1"')
    talk = Dialogue(update(DIALECT, wish(tried=(tried,)), never)).hears(200, landed())
    assert talk.result.outcome == "written"
    assert talk.result.before == tried.before


def test_an_incident_that_never_holds_still_is_given_up():
    talk = Dialogue(update(DIALECT, wish(), same()))
    for turn in range(5):
        talk.hears(200, document(etag=str(turn))).hears(409)
    talk.hears(200, document(etag="5"))
    assert talk.result.outcome == "failed"


def test_a_refusal_names_what_was_refused():
    talk = Dialogue(update(DIALECT, wish(), same())).hears(200, document())
    with pytest.raises(Denied, match="soc-eu#4711"):
        talk.hears(403, {"error": {"code": "AuthorizationFailed", "message": "no"}})


def test_an_undo_step_leaves_what_somebody_changed_since_and_lists_it():
    """The condition of an undo gives back only what still holds."""
    edits = (SetSeverity(severity="High"), Assign(owner=LINDA))
    asked = wish(edits, before={"severity": "Low", "owner": None})
    talk = Dialogue(update(DIALECT, asked, same(edits[:1])))
    talk.hears(200, document(etag="2", severity="Low", owner=BOB))
    assert writes(talk)["properties"]["severity"] == "High"
    talk.hears(200, document(etag="3"))
    assert talk.result.outcome == "written"
    assert talk.result.theirs["owner"]["upn"] == "bob@contoso.example"


GRAPH = Graph(Place(endpoint="https://graph.microsoft.com", path="/v1.0", name="xdr"))


def defender(severity: str = "high", **changed: Any) -> dict[str, Any]:
    """An incident of Defender, as the reference shows one of 2026."""
    told = {"id": "29", "status": "active", "displayName": "Brute force", "severity": severity}
    told |= {"lastUpdateDateTime": "2026-02-25T16:29:33.1Z", "customTags": ["vip"]}
    return told | {"assignedTo": None, "classification": "unknown"} | changed


def on_graph() -> Dialogue:
    edits = (SetSeverity(severity="Low"),)
    asked = Wish(
        id="29",
        key="xdr#29",
        edits=edits,
        before={"severity": "High"},
        version="2026-02-25T16:29:33.1Z",
    )
    return Dialogue(update(GRAPH, asked, same(edits)))


def test_on_graph_only_what_changed_is_sent():
    talk = on_graph().hears(200, defender())
    assert writes(talk) == {"severity": "low"}
    assert talk.hears(200, defender("low")).result.outcome == "written"


def test_on_graph_a_write_that_does_not_stand_says_what_does():
    """Nothing guards a PATCH, so what comes back is compared with what was meant."""
    talk = on_graph().hears(200, defender()).hears(200, defender("medium"))
    assert talk.result.outcome == "written"
    assert talk.result.after == {"severity": "Low"}
    assert talk.result.theirs == {"severity": "Medium"}


def test_on_graph_an_incident_merged_meanwhile_is_left_alone():
    def merged(_, after, __):
        return "merged meanwhile" if after.merged_into else None

    edits = (SetSeverity(severity="Low"),)
    asked = Wish(id="29", key="xdr#29", edits=edits, before={"severity": "High"}, version=None)
    talk = Dialogue(update(GRAPH, asked, same(edits), merged))
    talk.hears(200, defender(status="redirected", redirectIncidentId="30"))
    assert (talk.result.outcome, talk.result.error) == ("skipped", "merged meanwhile")


def test_a_write_that_landed_and_was_changed_since_is_still_remembered():
    """Their owner stays, our tag is known to be ours: undo takes it back."""
    talk = Dialogue(update(DIALECT, wish(), never)).hears(200, document()).loses_the_reply()
    talk.hears(200, document(etag="3", labels=[{"labelName": "detection"}], owner=BOB))
    assert talk.result.outcome == "written"
    assert talk.result.before == {"tags": ["vip"], "owner": None}
    assert talk.result.theirs["owner"]["upn"] == "bob@contoso.example"


def test_what_somebody_else_happened_to_set_too_is_no_sign_of_our_write():
    """Closed by a colleague as something else, while ours never arrived: it is a conflict."""
    edits = (*EDITS, Close(classification="FalsePositive", reason="InaccurateData"))
    planned = incident()
    before = values(planned, ("tags", "owner", "status", "classification", "reason"))
    asked = wish(edits, before=before)
    talk = Dialogue(update(DIALECT, asked, same(edits))).hears(200, document()).loses_the_reply()
    theirs = {"classification": "TruePositive", "classificationReason": "SuspiciousActivity"}
    talk.hears(200, document(etag="3", status="Closed", **theirs))
    assert talk.result.outcome == "conflict"
    assert talk.result.theirs["classification"] == "TruePositive"


def test_a_write_that_was_delivered_twice_is_ours_though_the_second_was_refused():
    """409 says that the version is old, not who made it so."""
    talk = Dialogue(update(DIALECT, wish(), same())).hears(200, document()).hears(409)
    talk.hears(200, landed())
    assert talk.result.outcome == "written"
    assert talk.result.before == {"tags": ["vip"], "owner": None}


def test_one_field_that_others_set_too_makes_a_refused_write_not_ours():
    talk = Dialogue(update(DIALECT, wish(), same())).hears(200, document()).hears(409)
    talk.hears(200, document(etag="2", labels=[{"labelName": "detection"}], owner=BOB))
    assert talk.result.outcome == "conflict"


def test_an_incident_that_a_write_made_anew_is_told_as_such():
    """Somebody removed it between our look and our write: an etag of what is gone guards nothing."""
    talk = Dialogue(update(DIALECT, wish(), same())).hears(200, document())
    talk.hears(201, document(etag="9", incidentNumber=4712))
    assert talk.result.outcome == "failed"
    assert "removed it meanwhile" in talk.result.error


def test_a_lost_write_that_cannot_be_looked_for_is_left_open():
    talk = Dialogue(update(DIALECT, wish(), same())).hears(200, document()).loses_the_reply()
    with pytest.raises(Unsettled, match="soc-eu#4711"):
        talk.hears(503)


def test_five_lost_writes_are_looked_for_a_last_time():
    talk = Dialogue(update(DIALECT, wish(), same()))
    for _ in range(5):
        talk.hears(200, document()).loses_the_reply()
    talk.hears(200, landed())
    assert talk.result.outcome == "written"


@pytest.mark.parametrize("status", [200, 201, 202, 204, 302])
def test_an_answer_that_is_no_incident_tells_nothing_and_is_looked_behind(status):
    """A sign-in page with status 200 is not a write."""
    talk = Dialogue(update(DIALECT, wish(), same())).hears(200, document())
    talk.hears(status, "<html>Welcome to the hotel</html>")
    assert isinstance(talk.says, Ask)
    talk.hears(200, document())
    assert isinstance(talk.says, Tell)


def test_what_a_rail_holds_by_now_is_skipped_with_its_name():
    talk = Dialogue(update(DIALECT, wish(), same(), lambda *_: "owned by now"))
    talk.hears(200, document(etag="2"))
    assert (talk.result.outcome, talk.result.error) == ("skipped", "owned by now")


def test_an_incident_without_an_etag_is_not_written_to():
    bare = document()
    del bare["etag"]
    talk = Dialogue(update(DIALECT, wish(version=None), same())).hears(200, bare)
    assert talk.result.outcome == "failed"


def test_a_step_of_comments_alone_asks_again_before_it_lets_them_through():
    edits = (AddComment(message="Looked at."),)
    asked = wish(edits, before={})
    talk = Dialogue(update(DIALECT, asked, never)).hears(200, document(etag="2"))
    assert talk.result.outcome == "skipped"
    talk = Dialogue(update(DIALECT, asked, same(edits))).hears(200, document(etag="2"))
    assert talk.result.outcome == "already"
