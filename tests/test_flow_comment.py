"""A comment, written once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dialogue import Dialogue, asks, writes
from test_flow_update import DIALECT
from vedette.errors import Denied, Failed, Garbled, Unsettled
from vedette.flow.comment import comment, comment_id, uncomment
from vedette.flow.talk import Tell
from vedette.wire.dialect import Place
from vedette.wire.graph import Graph

GRAPH = Graph(Place(endpoint="https://graph.microsoft.com", path="/v1.0", name="xdr"))
TEXT = "Assigned by the brute-force rule; runbook RB-12."
NAME = comment_id("p-1", "73e01a99", TEXT)


def said(*texts: str):
    return {"value": [{"comment": text, "createdByDisplayName": "app"} for text in texts]}


def document():
    return {"name": NAME, "properties": {"message": TEXT}}


def test_a_comment_is_looked_for_and_then_written_under_its_own_id():
    talk = Dialogue(comment(DIALECT, "73e01a99", TEXT, NAME))
    assert f"/comments/{NAME}?" in asks(talk)
    talk.hears(404)
    assert writes(talk) == {"properties": {"message": TEXT}}
    assert talk.hears(201, document()).result == "said"


def test_a_comment_that_is_there_is_not_written_again():
    assert (
        Dialogue(comment(DIALECT, "73e01a99", TEXT, NAME)).hears(200, document()).result == "there"
    )


def test_a_comment_whose_reply_was_lost_is_looked_for():
    talk = Dialogue(comment(DIALECT, "73e01a99", TEXT, NAME)).hears(404).loses_the_reply()
    assert talk.hears(200, document()).result == "said"


def test_on_graph_a_comment_is_said_at_once_the_first_time():
    talk = Dialogue(comment(GRAPH, "545", TEXT, NAME))
    assert isinstance(talk.says, Tell)
    assert talk.hears(200, said(TEXT)).result == "said"


def test_on_graph_the_list_is_read_back_before_anything_is_said_again():
    talk = Dialogue(comment(GRAPH, "545", TEXT, NAME)).loses_the_reply()
    assert "/security/incidents/545" in asks(talk)
    talk.hears(200, {"id": "545", "comments": said(TEXT)["value"]} | said(TEXT))
    assert talk.result == "said"


def test_on_graph_a_comment_that_was_lost_for_good_is_said_again():
    talk = Dialogue(comment(GRAPH, "545", TEXT, NAME)).loses_the_reply()
    talk.hears(200, {"id": "545", "comments": said("other")["value"]} | said("other"))
    assert isinstance(talk.says, Tell)


@given(st.text(), st.text(), st.text(), st.integers(0, 5))
def test_the_same_words_about_the_same_incident_have_the_same_id(about, incident, text, part):
    name = comment_id(about, incident, text, part)
    assert name == comment_id(about, incident, text, part)
    assert name != comment_id(about, incident, text, part + 1)
    assert name != comment_id(about, incident, text + "!", part)


def test_a_comment_lost_again_and_again_is_left_open():
    talk = Dialogue(comment(DIALECT, "73e01a99", TEXT, NAME))
    for _ in range(3):
        talk.hears(404).loses_the_reply()
    with pytest.raises(Unsettled, match="73e01a99"):
        talk.hears(404)


def test_a_lost_comment_that_cannot_be_looked_for_is_left_open():
    talk = Dialogue(comment(GRAPH, "545", TEXT, NAME)).loses_the_reply()
    with pytest.raises(Unsettled):
        talk.hears(500)


def test_a_page_in_the_place_of_a_comment_is_no_comment():
    """A sign-in page answers 200 to anything."""
    talk = Dialogue(comment(DIALECT, "73e01a99", TEXT, NAME))
    with pytest.raises(Garbled):
        talk.hears(200)


def test_a_page_in_the_place_of_an_answer_leaves_open_whether_it_was_said():
    talk = Dialogue(comment(DIALECT, "73e01a99", TEXT, NAME)).hears(404)
    assert f"/comments/{NAME}?" in asks(talk.hears(200))
    assert talk.hears(200, document()).result == "said"


@pytest.mark.parametrize("back", [TEXT.replace("; ", ";  "), TEXT + "\r\n", "\n" + TEXT + "  "])
def test_on_graph_a_comment_is_known_by_its_words_however_they_come_back(back):
    """A false "not there" would say it twice."""
    talk = Dialogue(comment(GRAPH, "545", TEXT, NAME)).loses_the_reply()
    talk.hears(200, {"id": "545", "comments": said(back)["value"]} | said(back))
    assert talk.ended is (";  " not in back)


def test_on_graph_the_same_words_of_before_are_not_ours():
    """They stood there once; ours is there when they stand there twice."""
    talk = Dialogue(comment(GRAPH, "545", TEXT, NAME, there=1))
    assert talk.says.intent.there == 1
    talk.loses_the_reply().hears(200, said(TEXT))
    assert isinstance(talk.says, Tell)
    talk.loses_the_reply().hears(200, said(TEXT, TEXT))
    assert talk.result == "said"


def test_what_was_begun_before_is_looked_for_and_ours():
    talk = Dialogue(comment(GRAPH, "545", TEXT, NAME, tried=True)).hears(200, said(TEXT))
    assert talk.result == "ours"


def test_what_another_run_of_the_plan_said_is_there_and_not_ours():
    talk = Dialogue(comment(GRAPH, "545", TEXT, NAME, looks=True)).hears(200, said(TEXT))
    assert talk.result == "there"


def test_looking_for_another_runs_comment_leaves_nothing_unsettled():
    talk = Dialogue(comment(GRAPH, "545", TEXT, NAME, looks=True))
    with pytest.raises(Failed) as told:
        talk.hears(500)
    assert not isinstance(told.value, Unsettled)


# ---- taking it away


def away(**more):
    return Dialogue(uncomment(DIALECT, "73e01a99", TEXT, NAME, effect=2, **more))


@pytest.mark.parametrize("status", [200, 204, 404])
def test_a_comment_is_looked_at_and_then_deleted(status):
    talk = away()
    assert f"/comments/{NAME}?" in asks(talk)
    talk.hears(200, document())
    assert isinstance(talk.says, Tell)
    assert (talk.says.call.method, talk.says.intent.removes) == ("DELETE", NAME)
    assert talk.hears(status).result == "removed"


def test_a_comment_that_is_not_there_is_gone():
    assert away().hears(404).result == "gone"


def test_a_comment_that_an_earlier_try_deleted_was_deleted_by_us():
    assert away(tried=True).hears(404).result == "removed"


def test_a_comment_that_was_edited_since_stays():
    edited = {"name": NAME, "properties": {"message": TEXT + " Confirmed."}}
    assert away().hears(200, edited).result == "edited"


@pytest.mark.parametrize("trouble", ["lost", 409, 412, 500, 503])
def test_a_deletion_that_was_not_answered_is_looked_for(trouble):
    talk = away().hears(200, document())
    talk.loses_the_reply() if trouble == "lost" else talk.hears(trouble)
    assert f"/comments/{NAME}?" in asks(talk)
    assert talk.hears(404).result == "removed"


def test_a_deletion_lost_again_and_again_is_left_open():
    talk = away()
    for _ in range(3):
        talk.hears(200, document()).loses_the_reply()
    with pytest.raises(Unsettled, match="73e01a99"):
        talk.hears(200, document())


def test_a_lost_deletion_that_cannot_be_looked_for_is_left_open():
    talk = away().hears(200, document()).loses_the_reply()
    with pytest.raises(Unsettled):
        talk.hears(500)


def test_a_deletion_that_is_refused_names_what_was_refused():
    talk = away().hears(200, document())
    with pytest.raises(Denied, match="73e01a99"):
        talk.hears(403, {"error": {"code": "AuthorizationFailed", "message": "no"}})
