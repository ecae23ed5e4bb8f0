"""A safe write on Graph, read aloud: nothing guards it but what the list of changes shows."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from dialogue import Dialogue, asks, writes
from test_flow_update import GRAPH, defender, must_not_be_asked, never, same
from vedette.errors import Denied, Unsettled
from vedette.flow.patch import Known, Late, Look, patch
from vedette.flow.talk import Ask, Intent, Tell
from vedette.flow.update import Wish
from vedette.model import AddTags, Incident, Moment, SetSeverity
from vedette.wire.dialect import Seen
from vedette.wire.http import Reply

PLANNED = "2026-02-25T16:29:33.1Z"
LATER = "2026-02-25T17:00:00Z"
LOW = (SetSeverity(severity="Low"),)
TAGGED = (AddTags(tags=("night",)),)
AS_PLANNED = Known(changed=False)


def bare(**more: Any) -> Incident:
    told: dict[str, Any] = {"severity": "High", "status": ""}
    return Incident(
        key="xdr#29", id="29", plane="defender", modified=Moment(PLANNED), **(told | more)
    )


def wish(edits=LOW, **more: Any) -> Wish:
    defaults = {"before": {"severity": "High"}, "version": PLANNED} | more
    return Wish(id="29", key="xdr#29", edits=edits, **defaults)


def seen(severity: str = "high", **told: Any) -> Seen:
    body = msgspec.json.encode(defender(severity, **({"lastUpdateDateTime": LATER} | told)))
    return GRAPH.seen(Reply(status=200, body=body))


def begun(again=must_not_be_asked, rails=lambda *_: None, **more: Any) -> Dialogue:
    return Dialogue(patch(GRAPH, wish(**more), again, rails, planned=bare()))


def test_what_nobody_changed_is_written_as_the_plan_knows_it_without_a_read():
    talk = begun()
    assert talk.says == Look(version=PLANNED)
    talk.is_told(AS_PLANNED)
    assert writes(talk) == {"severity": "low"}
    assert talk.says.intent == Intent(
        before={"severity": "High"}, after={"severity": "Low"}, etag=PLANNED
    )
    talk.hears(200, defender("low", lastUpdateDateTime=LATER))
    assert (talk.result.outcome, talk.result.etag) == ("written", LATER)
    assert talk.result.before == {"severity": "High"}


def test_what_the_list_shows_is_asked_about_again_as_it_is_shown():
    asked: list[Incident] = []

    def again(now: Incident):
        asked.append(now)
        return LOW

    talk = begun(again).is_told(Known(changed=True, seen=seen(displayName="Renamed")))
    assert [one.title for one in asked] == ["Renamed"]
    assert writes(talk) == {"severity": "low"}
    assert talk.says.intent.etag == LATER
    talk = begun(never).is_told(Known(changed=True, seen=seen()))
    assert talk.result.outcome == "skipped"


def test_a_field_that_the_list_shows_as_somebodys_is_never_overwritten():
    talk = begun(same(LOW)).is_told(Known(changed=True, seen=seen("medium")))
    assert (talk.result.outcome, talk.result.theirs) == ("conflict", {"severity": "Medium"})


def test_what_the_list_shows_as_already_so_is_not_written():
    assert begun().is_told(Known(changed=True, seen=seen("low"))).result.outcome == "already"


def test_what_the_list_did_not_keep_is_read():
    talk = begun(same(LOW)).is_told(Known(changed=True))
    assert asks(talk).endswith("/security/incidents/29")
    talk.hears(200, defender("medium", lastUpdateDateTime=LATER))
    assert talk.result.outcome == "conflict"
    assert begun().is_told(Known(changed=True)).hears(404).result.outcome == "gone"


def test_tags_are_written_on_a_read_of_their_own_and_no_list_is_asked():
    """customTags replaces the whole list, so it is made from what is there now."""
    talk = Dialogue(patch(GRAPH, wish(TAGGED, before={"tags": ["vip"]}), must_not_be_asked))
    assert asks(talk).endswith("/29")
    talk.hears(200, defender(customTags=["vip"]))
    assert writes(talk) == {"customTags": ["vip", "night"]}


def test_a_write_that_comes_too_late_is_made_anew_on_what_is_known_by_then():
    talk = begun(same(LOW)).is_told(AS_PLANNED).is_told(Late())
    assert talk.says == Look(version=PLANNED)
    talk.is_told(AS_PLANNED)
    assert writes(talk) == {"severity": "low"}
    assert (talk.says.attempt, talk.says.intent.etag) == (1, PLANNED), "it was never sent"
    talk.is_told(Late()).is_told(Known(changed=True, seen=seen("medium")))
    assert talk.result.outcome == "conflict"


def test_tags_that_come_too_late_are_read_again_where_somebody_changed_the_incident():
    talk = Dialogue(patch(GRAPH, wish(TAGGED, before={"tags": ["vip"]}), same(TAGGED)))
    talk.hears(200, defender(customTags=["vip"])).is_told(Late())
    assert talk.says == Look(version=PLANNED)
    talk.is_told(Known(changed=True, seen=seen(customTags=["vip", "theirs"])))
    assert isinstance(talk.says, Ask)
    talk.hears(200, defender(customTags=["vip", "theirs"], lastUpdateDateTime=LATER))
    assert writes(talk) == {"customTags": ["vip", "theirs", "night"]}


@pytest.mark.parametrize("trouble", ["lost", 500, 503, 200])
def test_a_write_that_was_not_answered_is_looked_for_by_itself(trouble):
    talk = begun(never).is_told(AS_PLANNED)
    if trouble == "lost":
        talk.loses_the_reply()
    else:
        talk.hears(trouble, "<html>Welcome to the hotel</html>")
    assert asks(talk).endswith("/29")
    talk.hears(200, defender("low", lastUpdateDateTime=LATER))
    assert (talk.result.outcome, talk.result.etag) == ("written", LATER)


def test_an_earlier_try_is_looked_for_before_anything_is_written():
    tried = Intent(before={"severity": "High"}, after={"severity": "Low"}, etag=PLANNED)
    talk = Dialogue(patch(GRAPH, wish(tried=(tried,)), never))
    talk.hears(200, defender("low", lastUpdateDateTime=LATER))
    assert talk.result.outcome == "written"


def test_a_lost_write_that_cannot_be_looked_for_is_left_open():
    talk = begun().is_told(AS_PLANNED).loses_the_reply()
    with pytest.raises(Unsettled, match="xdr#29"):
        talk.hears(500)


def test_five_lost_writes_are_looked_for_a_last_time():
    talk = begun(same(LOW)).is_told(AS_PLANNED)
    for _ in range(4):
        talk.loses_the_reply().hears(200, defender("high"))
        assert isinstance(talk.says, Tell)
    talk.loses_the_reply().hears(200, defender("low", lastUpdateDateTime=LATER))
    assert talk.result.outcome == "written"


def test_a_write_that_does_not_stand_says_what_does():
    talk = begun().is_told(AS_PLANNED).hears(200, defender("medium"))
    assert (talk.result.outcome, talk.result.theirs) == ("written", {"severity": "Medium"})


def test_an_incident_that_was_merged_meanwhile_is_left_alone():
    def rails(now, *_):
        return f"merged into {now.merged_into}" if now.merged_into else None

    merged = seen(status="redirected", redirectIncidentId="30")
    talk = begun(same(LOW), rails).is_told(Known(changed=True, seen=merged))
    assert (talk.result.outcome, talk.result.error) == ("skipped", "merged into xdr#30")


def test_a_refusal_names_what_was_refused():
    with pytest.raises(Denied, match="xdr#29"):
        begun().is_told(AS_PLANNED).hears(403, {"error": {"code": "Forbidden", "message": "no"}})
