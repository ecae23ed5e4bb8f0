from __future__ import annotations

import asyncio

import pytest

from vedette.errors import Denied, Missing, Unknown
from vedette.model import Owner
from vedette.run.people import Directory, owner

LINDA = Owner(
    object_id="00000000-0000-4000-8000-000000000001",
    upn="linda@contoso.example",
    email="linda.m@contoso.example",
    name="Linda",
    kind="User",
)
TIER1 = Owner(object_id="00000000-0000-4000-8000-000000000002", name="SOC tier 1", kind="Group")
PEOPLE = {
    "linda": LINDA,
    "tier1": TIER1,
    "half": Owner(upn="half@contoso.example", kind="User"),
}


class Book:
    """A directory: who is in it, and what it was asked."""

    def __init__(self, *known: Owner, error: Exception | None = None) -> None:
        self._known = known
        self._error = error
        self.asked: list[str] = []

    async def __call__(self, word: str) -> Owner:
        self.asked.append(word)
        if self._error is not None:
            raise self._error
        for one in self._known:
            if word in (one.upn, one.object_id, f"group:{one.name}"):
                return one
        raise Missing(f"no {word}")


def found(word, book=None, people=PEOPLE, **more):
    return asyncio.run(owner(word, people=people, lookup=book, **more))


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("linda", LINDA),
        ("LINDA@contoso.example", LINDA),
        ("linda.m@contoso.example", LINDA),
        ("00000000-0000-4000-8000-000000000001", LINDA),
        ("group:tier1", TIER1),
        ("group:soc TIER 1", TIER1),
    ],
)
def test_people_in_the_settings_are_not_looked_up(word, meant):
    book = Book()
    assert found(word, book) == meant
    assert book.asked == []


def test_the_directory_fills_every_member():
    mario = Owner(
        object_id="m", upn="mario@contoso.example", email="m@x", name="Mario", kind="User"
    )
    assert found("mario@contoso.example", Book(mario)) == mario


def test_a_group_is_looked_up_as_one():
    book = Book(Owner(object_id="g", name="night shift", kind="Group"))
    assert found("group:night shift", book).kind == "Group"
    assert book.asked == ["group:night shift"]


def test_what_the_settings_leave_out_the_directory_fills_in():
    book = Book(Owner(object_id="h", upn="half@contoso.example", email="h@x", kind="User"))
    assert found("half", book) == Owner(
        object_id="h", upn="half@contoso.example", email="h@x", kind="User"
    )
    assert book.asked == ["half@contoso.example"]


def test_an_email_may_be_given_beside_or_alone():
    assert found("linda", email="other@contoso.example").email == "other@contoso.example"
    assert found(None, email="other@contoso.example") == Owner(email="other@contoso.example")
    with pytest.raises(Unknown, match="no owner is named"):
        found(None)


def test_somebody_nobody_knows_is_unknown():
    with pytest.raises(Unknown, match="the directory knows nobody called"):
        found("x@contoso.example", Book())
    with pytest.raises(Unknown) as error:
        found("lynda", Book(LINDA))
    assert "did you mean linda?" in (error.value.hint or "")


def test_a_plain_word_is_never_sent_to_the_directory():
    book = Book()
    with pytest.raises(Unknown, match="nobody is called 'mario'"):
        found("mario", book)
    assert book.asked == []


def test_without_the_right_to_look_somebody_up_the_settings_are_the_way_round():
    book = Book(error=Denied("Graph needs User.ReadBasic.All"))
    with pytest.raises(Denied, match=r"User\.ReadBasic\.All") as error:
        found("mario@contoso.example", book)
    assert "[people]" in (error.value.hint or "")
    assert found("half", book) == PEOPLE["half"]


def test_where_there_is_no_directory_only_the_settings_count():
    assert found("half") == PEOPLE["half"]
    with pytest.raises(Unknown, match="cannot be looked up here"):
        found("mario@contoso.example")


def test_a_directory_is_asked_once_for_each_word():
    book = Book(LINDA)
    remembered = Directory(book)

    async def talk():
        for word in ("linda@contoso.example",) * 3:
            await remembered(word)
        for _ in range(2):
            with pytest.raises(Missing):
                await remembered("nobody@contoso.example")

    asyncio.run(talk())
    assert book.asked == ["linda@contoso.example", *["nobody@contoso.example"] * 2]
