"""Making one incident, and removing one."""

from __future__ import annotations

import msgspec

from dialogue import Dialogue, writes
from test_flow_update import DIALECT, document, incident
from vedette.flow.single import create, delete
from vedette.flow.talk import Ask

NEW = msgspec.structs.replace(incident(), tags=("manual",))


def test_a_new_incident_is_made_under_the_id_it_carries():
    talk = Dialogue(create(DIALECT, NEW)).hears(404)
    assert writes(talk)["properties"]["title"] == NEW.title
    assert talk.says.call.method == "PUT"
    assert talk.hears(201, document()).result.outcome == "written"


def test_an_incident_that_is_there_already_is_left_alone():
    assert Dialogue(create(DIALECT, NEW)).hears(200, document()).result.outcome == "conflict"


def test_a_creation_whose_reply_was_lost_is_recognised():
    talk = Dialogue(create(DIALECT, NEW)).hears(404).loses_the_reply()
    assert isinstance(talk.says, Ask)
    assert talk.hears(200, document()).result.outcome == "written"


def test_a_deletion_notes_what_was_there():
    talk = Dialogue(delete(DIALECT, "73e01a99", "soc-eu#4711", lambda _: ())).hears(200, document())
    assert talk.says.intent.before["severity"] == "High"
    assert talk.hears(200, {}).result.outcome == "written"


def test_deleting_what_is_gone_is_no_error():
    talk = Dialogue(delete(DIALECT, "73e01a99", "soc-eu#4711", lambda _: ()))
    assert talk.hears(404).result.outcome == "gone"


def test_a_deletion_whose_reply_was_lost_is_recognised():
    talk = Dialogue(delete(DIALECT, "73e01a99", "soc-eu#4711", lambda _: ())).hears(200, document())
    assert talk.loses_the_reply().hears(404).result.outcome == "written"


def test_an_incident_that_somebody_worked_on_since_is_not_deleted():
    again = delete(DIALECT, "73e01a99", "soc-eu#4711", lambda _: (), seen_as='"1"')
    talk = Dialogue(again).hears(200, document(etag="2"))
    assert talk.result.outcome == "conflict"


def test_an_incident_to_be_left_alone_is_not_deleted():
    talk = Dialogue(delete(DIALECT, "73e01a99", "soc-eu#4711", lambda _: None))
    assert talk.hears(200, document()).result.outcome == "skipped"


def test_an_incident_that_goes_away_under_a_deletion_is_gone():
    talk = Dialogue(delete(DIALECT, "73e01a99", "soc-eu#4711", lambda _: ()))
    assert talk.hears(200, document()).hears(404).result.outcome == "gone"


def test_a_creation_lost_again_and_again_is_looked_for_a_last_time():
    talk = Dialogue(create(DIALECT, NEW)).hears(404)
    for _ in range(2):
        talk.loses_the_reply().hears(404)
    assert talk.loses_the_reply().hears(200, document()).result.outcome == "written"
