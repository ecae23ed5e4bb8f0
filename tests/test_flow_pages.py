"""Reading a list to its end, whatever the service's links say."""

from __future__ import annotations

import msgspec
import pytest

from test_flow_update import DIALECT, document
from vedette.errors import Denied, Garbled, Strayed
from vedette.flow.pages import pages
from vedette.flow.talk import Ask
from vedette.wire.dialect import Page
from vedette.wire.http import Reply

LIST = f"https://management.azure.com:443{DIALECT.place.path}/providers/Microsoft.SecurityInsights"


def page(*numbers: int, link: str | None = None) -> Reply:
    found = [document(incidentNumber=number) for number in numbers]
    whole = {"value": found} | ({"nextLink": link} if link else {})
    return Reply(status=200, body=msgspec.json.encode(whole))


def read(*replies: Reply) -> list[int | None]:
    answers, numbers = list(replies), []
    talk = pages(DIALECT)
    say = next(talk)
    while True:
        if isinstance(say, Ask):
            answer = answers.pop(0)
        else:
            assert isinstance(say, Page)
            numbers += [seen.incident.number for seen in say.seen]
            answer = None
        try:
            say = talk.send(answer)
        except StopIteration:
            assert not answers
            return numbers


def test_every_page_is_read_to_the_last():
    second = f"{LIST}/incidents?api-version=2020-01-01&$skipToken=abc"
    third = f"{LIST}/incidents?api-version=2020-01-01&$skipToken=def"
    assert read(page(5, 4, link=second), page(3, 2, link=third), page(1)) == [5, 4, 3, 2, 1]


def test_an_empty_page_with_a_link_is_not_the_end():
    second = f"{LIST}/incidents?$skipToken=abc"
    assert read(page(link=second), page(1)) == [1]


def test_an_empty_list_is_an_empty_list():
    assert read(page()) == []


def test_pages_that_go_round_in_a_circle_end_with_an_error():
    again = f"{LIST}/incidents?$skipToken=abc"
    with pytest.raises(Strayed, match="already read"):
        read(page(2, link=again), page(1, link=again), page(2))


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/subscriptions/d0cfe6b2-9ac0-4464-9919-dccaee2e48c0/incidents",
        LIST.replace("https://", "http://") + "/incidents",
        LIST.replace("management.azure.com", "management.azure.com@evil.example") + "/incidents",
        LIST.replace(":443", ":8443") + "/incidents",
        LIST.replace("d0cfe6b2", "ffffffff") + "/incidents",
        LIST.replace("soc-eu", "soc-us") + "/incidents",
        "/relative",
        "https://",
        "javascript:alert(1)",
    ],
)
def test_a_link_that_leads_elsewhere_is_never_followed(link):
    with pytest.raises(Strayed):
        read(page(1, link=link), page(2))


def test_a_refusal_is_no_empty_list():
    with pytest.raises(Denied):
        read(Reply(status=403, body=b'{"error":{"code":"AuthorizationFailed","message":"no"}}'))


@pytest.mark.parametrize("body", [b"<html>sign in</html>", b'{"value":[{"id":', b"", b"\xff\xfe"])
def test_a_page_that_is_no_answer_of_the_service_is_an_error(body):
    with pytest.raises(Garbled):
        read(Reply(status=200, body=body))
