"""What was changed since a time: the list read to its end, and what it says of our writes."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from test_flow_update import GRAPH, defender
from vedette.errors import Denied, Strayed
from vedette.flow.changed import Mine, Read, Standing, changed, is_later
from vedette.flow.talk import Ask
from vedette.flow.update import Ended
from vedette.model import AddTags, SetSeverity
from vedette.wire.dialect import Page, Seen
from vedette.wire.http import Reply

SINCE = "2026-11-22T07:00:00Z"


def at(second: float) -> str:
    return f"2026-11-22T07:00:{second:010.7f}Z"


def incident(number: int, second: float = 0, **told: Any) -> dict[str, Any]:
    return defender(**({"id": str(number), "lastUpdateDateTime": at(second)} | told))


def seen(number: int, second: float = 0, **told: Any) -> Seen:
    body = msgspec.json.encode(incident(number, second, **told))
    return GRAPH.seen(Reply(status=200, body=body))


def page(*documents: dict[str, Any], link: str | None = None) -> Reply:
    told: dict[str, Any] = {"value": documents}
    return Reply(
        status=200, body=msgspec.json.encode(told | ({"@odata.nextLink": link} if link else {}))
    )


def link(token: str) -> str:
    return f"https://graph.microsoft.com/v1.0/security/incidents?$skiptoken={token}"


def read(replies, **more):
    """Return the addresses asked for, the ids shown, and how it ended."""
    talk = changed(GRAPH, SINCE, **more)
    asked, shown, answers = [], [], list(replies)
    say = next(talk)
    while True:
        if isinstance(say, Page):
            shown += [one.incident.id for one in say.seen]
            answer = None
        else:
            assert isinstance(say, Ask)
            asked.append(unquote(say.call.url.partition("?")[2]))
            answer = answers.pop(0)
        try:
            say = talk.send(answer)
        except StopIteration as ended:
            assert not answers
            return asked, shown, ended.value


def test_it_asks_for_what_was_changed_since_oldest_change_first():
    asked, shown, ended = read([page(incident(1, 1), incident(2, 2))])
    assert asked == [
        "$top=50&$filter=lastUpdateDateTime ge 2026-11-22T07:00:00Z&$orderby=lastUpdateDateTime asc"
    ]
    assert (shown, ended) == (["1", "2"], Read(whole=True, ordered=True))


def test_the_next_page_is_asked_for_from_the_last_time_on_not_by_a_count():
    """One that moves to the end while it is read would move another past a page's edge."""
    asked, shown, _ = read([page(incident(1, 1), incident(2, 2), link=link("a")), page()])
    assert "ge 2026-11-22T07:00:02Z" in asked[1]
    assert shown == ["1", "2"]


def test_more_of_one_time_than_a_page_holds_are_reached_by_the_link():
    asked, shown, ended = read(
        [page(incident(1, 1), link=link("a")), page(incident(1, 1), link=link("b")), page()]
    )
    assert asked[2] == "$skiptoken=b"
    assert (shown, ended.whole) == (["1", "1"], True)


def test_a_service_without_the_order_is_asked_without_it():
    refused = Reply(status=400, body=b'{"error":{"code":"BadRequest","message":"no"}}')
    asked, shown, ended = read([refused, page(incident(2, 2), link=link("a")), page(incident(1))])
    assert "$orderby" not in asked[1]
    assert asked[2] == "$skiptoken=a"
    assert (shown, ended) == (["2", "1"], Read(whole=True, ordered=False))


def test_a_service_that_ignores_the_order_is_read_by_its_links():
    asked, _, ended = read(
        [page(incident(3, 3), incident(2, 2), link=link("a")), page(incident(1, 1))]
    )
    assert asked[1] == "$skiptoken=a"
    assert ended == Read(whole=True, ordered=False)


@pytest.mark.parametrize("order", ["asc", "none"])
def test_links_that_go_round_in_a_circle_end_with_an_error(order):
    one = page(incident(2), incident(1), link=link("a"))
    if order == "none":
        one = page(incident(2, 2), incident(1, 1), link=link("a"))
    with pytest.raises(Strayed, match="already read"):
        read([one, one, one])


@pytest.mark.parametrize("time", [None, "soon", "9999-99-99T00:00:00Z", ""])
def test_a_time_that_is_none_puts_a_page_in_no_order(time):
    asked, _, ended = read(
        [page(incident(1) | {"lastUpdateDateTime": time}, link=link("a")), page()]
    )
    assert asked[1] == "$skiptoken=a"
    assert not ended.ordered


def test_a_list_that_would_cost_more_than_it_saves_is_given_up():
    pages = [page(incident(n, n), link=link(str(n))) for n in (1, 2)]
    assert read(pages, most=2)[2] == Read(whole=False, ordered=True)
    assert read([page(incident(1, 1))], most=1)[2].whole


def test_a_refusal_is_told_as_what_it_is():
    with pytest.raises(Denied, match="what was changed in xdr"):
        read([Reply(status=403, body=b"{}")])


TIMES = st.integers(0, 30)


@given(TIMES, TIMES)
def test_a_time_is_after_another_or_it_is_not(one, other):
    assert is_later(at(one), at(other)) == (one > other)


@pytest.mark.parametrize("pair", [(None, SINCE), (SINCE, None), ("soon", SINCE)])
def test_a_time_that_is_missing_may_be_any(pair):
    assert is_later(*pair)
    assert not is_later(pair[0], pair[0])


def test_an_incident_that_the_list_does_not_show_is_as_it_was():
    assert Standing(GRAPH.plane).since("29", at(1)) == (False, None)


def test_an_incident_that_the_list_shows_is_what_the_list_shows():
    standing = Standing(GRAPH.plane)
    standing.see(seen(29, 5))
    told = standing.since("29", at(1))
    assert told == (True, seen(29, 5))
    assert standing.since("29", at(5)) == (False, None)
    assert standing.since("29", at(6)) == (False, None), "what was read since is newer"
    assert standing.since("29", None)[0], "without a version nothing is known to be as it was"


def test_only_so_many_documents_are_kept_and_all_versions():
    standing = Standing(GRAPH.plane, room=2)
    for number in range(4):
        standing.see(seen(number, 5))
    assert [standing.since(str(n), at(1))[1] is None for n in range(4)] == [
        False,
        False,
        True,
        True,
    ]
    assert all(standing.since(str(n), at(1))[0] for n in range(4))
    standing.forget("0")
    standing.see(seen(3, 6))
    assert standing.since("3", at(1)) == (True, seen(3, 6))
    assert standing.documents == 2


LOW = (SetSeverity(severity="Low"),)
WROTE = Ended(outcome="written", before={"severity": "High"}, after={"severity": "Low"}, etag=at(5))


def written(edits=LOW, fields=("severity",)) -> Standing:
    standing = Standing(GRAPH.plane)
    mine = Mine(number=4, edits=edits, fields=frozenset(fields), version=at(5))
    standing.wrote("29", mine)
    return standing


@pytest.mark.parametrize("second", [5, 8])
def test_a_write_that_the_list_shows_is_verified(second):
    """Later is well too: our own comment, or somebody's change of something else."""
    standing = written()
    standing.see(seen(29, second, severity="low"))
    standing.ended("29", WROTE)
    assert (standing.unseen, list(standing.told())) == ((), [])


def test_an_older_state_says_nothing_of_a_write():
    standing = written()
    standing.see(seen(29, 4, severity="high"))
    assert standing.unseen == ("29",)


@pytest.mark.parametrize("first", ["seen", "ended"])
def test_a_write_that_somebody_overtook_is_told_once_with_what_stands(first):
    standing = written()
    steps = [
        lambda: standing.see(seen(29, 8, severity="medium", lastModifiedBy="bob")),
        lambda: standing.ended("29", WROTE),
    ]
    for one in steps if first == "seen" else reversed(steps):
        one()
    ((number, ended),) = standing.told()
    assert (number, ended.theirs, ended.outcome) == (4, {"severity": "Medium"}, "written")
    assert (ended.after, ended.error) == ({"severity": "Low"}, "changed since by bob")
    assert list(standing.told()) == []


def test_a_step_that_has_not_ended_is_not_told_yet():
    standing = written()
    standing.see(seen(29, 8, severity="medium"))
    assert list(standing.told()) == []
    standing.see(seen(29, 9, severity="low"))
    standing.ended("29", WROTE)
    assert list(standing.told()) == [], "they put it back"


def test_tags_that_others_added_are_not_told_and_ours_that_they_took_are():
    standing = written((AddTags(tags=("night",)),), ("tags",))
    standing.see(seen(29, 6, customTags=["vip", "night", "theirs"]))
    assert standing.unseen == ()
    standing = written((AddTags(tags=("night",)),), ("tags",))
    standing.see(seen(29, 6, customTags=["vip"]))
    standing.ended("29", WROTE)
    assert [ended.theirs for _, ended in standing.told()] == [{"tags": ["vip"]}]
