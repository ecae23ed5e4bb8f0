"""A list of ARM's is read to its end, and no further."""

from __future__ import annotations

import msgspec
import pytest

from vedette.errors import Denied, Strayed
from vedette.flow.listing import listing
from vedette.wire.http import Reply
from vedette.wire.management import subscriptions

FIRST = subscriptions("https://management.azure.com")


def page(*names, link=None):
    told = {"value": [{"name": name} for name in names]} | ({"nextLink": link} if link else {})
    return Reply(status=200, body=msgspec.json.encode(told))


def carried(answers):
    """Carry the conversation with these answers, and return what was asked and what it found."""
    talk, asked = listing(FIRST, "subscriptions"), []
    say = next(talk)
    try:
        for answer in answers:
            asked.append(say.call.url)
            say = talk.send(answer)
    except StopIteration as ended:
        return asked, ended.value
    raise AssertionError(f"it asks on: {say}")


def test_a_list_is_read_to_the_last_page():
    link = f"{FIRST.url}&$skiptoken=2"
    asked, found = carried([page("one", link=link), page("two")])
    assert asked == [FIRST.url, link]
    assert [one["name"] for one in found] == ["one", "two"]


@pytest.mark.parametrize("second", ["&$skiptoken=2", ""])
def test_a_link_that_comes_round_again_ends_it(second):
    link = FIRST.url + second
    with pytest.raises(Strayed, match="page already read"):
        carried([page("one", link=link), page("two", link=link)])


def test_a_link_elsewhere_ends_it_before_it_is_followed():
    with pytest.raises(Strayed, match="another host"):
        carried([page("one", link="https://elsewhere.example/subscriptions")])


def test_a_refusal_says_what_was_asked():
    with pytest.raises(Denied, match="subscriptions"):
        carried([Reply(status=403, body=b"{}")])
