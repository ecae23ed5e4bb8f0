"""Whether an incident has room for what a step says."""

from __future__ import annotations

import msgspec
import pytest

from dialogue import Dialogue, asks
from test_flow_update import DIALECT, GRAPH, defender, document
from vedette.errors import Strayed
from vedette.flow.room import Room
from vedette.wire.http import Reply

OURS = {"c1": "One.", "c2": "Two."}


def seen(dialect, told):
    return dialect.seen(Reply(status=200, body=msgspec.json.encode(told)))


def on_arm(count):
    beside = {"alertsCount": 5, "commentsCount": count}
    return seen(DIALECT, document(additionalData=beside))


def on_graph(*said):
    comments = [{"comment": one, "createdByDisplayName": "app"} for one in said]
    return seen(GRAPH, defender(comments=comments))


def listed(*names, link=None):
    told = [{"name": name, "properties": {"message": "x"}} for name in names]
    return {"value": told} | ({"nextLink": link} if link else {})


def test_where_there_is_room_nothing_is_asked():
    room = Room(DIALECT, OURS)
    talk = Dialogue(room.look(on_arm(98)))
    assert (talk.ended, talk.result, room.full) == (True, None, None)


@pytest.mark.parametrize("told", [None, "junk"])
def test_where_nobody_counts_them_the_service_decides(told):
    assert Dialogue(Room(DIALECT, OURS).look(on_arm(told))).result is None


def test_where_there_is_none_it_is_said_how_many_there_are():
    room = Room(DIALECT, OURS)
    talk = Dialogue(room.look(on_arm(99)))
    assert "/comments?" in asks(talk)
    talk.hears(200, listed("n1", "n2"))
    assert talk.result == room.full
    assert "99 comments" in room.full
    assert "100" in room.full


def test_what_an_earlier_try_left_is_not_counted_twice():
    room = Room(DIALECT, OURS)
    link = "https://management.azure.com" + DIALECT.comments("73e01a99").url.partition(".com")[2]
    talk = Dialogue(room.look(on_arm(99))).hears(200, listed("n1", link=f"{link}&$skipToken=2"))
    assert "skipToken=2" in asks(talk)
    assert talk.hears(200, listed("c1")).result is None


def test_pages_of_comments_that_go_round_are_left():
    link = DIALECT.comments("73e01a99").url + "&$skipToken=2"
    talk = Dialogue(Room(DIALECT, OURS).look(on_arm(100))).hears(200, listed("n1", link=link))
    with pytest.raises(Strayed):
        talk.hears(200, listed("n2", link=link))


def test_on_graph_they_came_with_the_incident():
    room = Room(GRAPH, OURS)
    assert Dialogue(room.look(on_graph(*["x"] * 98))).result is None
    assert Dialogue(room.look(on_graph(*["x"] * 99))).result == room.full
    assert Dialogue(room.look(on_graph(*["x"] * 98, "One.\r\n"))).result is None


def test_on_graph_it_is_known_how_often_words_stood_there():
    room = Room(GRAPH, OURS)
    Dialogue(room.look(on_graph("One.", "Other.", "One. ")))
    assert (room.count("One."), room.count("Two.")) == (2, 0)


def test_an_incident_of_graph_without_its_comments_tells_nothing():
    room = Room(GRAPH, OURS)
    assert Dialogue(room.look(seen(GRAPH, defender()))).result is None
    assert room.count("One.") == 0


def test_what_may_be_left_out_holds_nothing_back():
    room = Room(GRAPH, OURS, optional=True)
    assert Dialogue(room.look(on_graph(*["x"] * 100))).result is None
    assert room.full is not None


def test_who_says_nothing_needs_no_room():
    assert Dialogue(Room(GRAPH, {}).look(on_graph(*["x"] * 100))).result is None
