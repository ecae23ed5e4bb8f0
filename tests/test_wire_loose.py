from __future__ import annotations

from hypothesis import given

from vedette.wire.loose import count, moment, text, texts, word, words
from wired import JSON

WORDS = words({"Active": "InProgress", "Closed": "Closed"})


def test_a_text_is_a_text_and_a_number_is_spelled():
    assert [text(value) for value in ("a", "", 7, 1.5)] == ["a", "", "7", "1.5"]
    assert [text(value) for value in (None, True, [], {})] == [None] * 4


def test_texts_are_those_of_a_list_each_once():
    assert texts(["b", 1, "a", None, "b"]) == ("b", "a")
    assert texts("ab") == texts(None) == ()


def test_a_number_may_be_spelled_as_a_text():
    assert [count(value) for value in (7, "7", "007")] == [7, 7, 7]
    assert [count(v) for v in (None, True, 1.0, "x", "-1", "٣", "9" * 30)] == [None] * 7


def test_a_word_is_known_in_any_case_and_otherwise_kept():
    assert [word(WORDS, w) for w in ("InProgress", "inprogress", "CLOSED")] == [
        "Active",
        "Active",
        "Closed",
    ]
    assert word(WORDS, "Napping") == "Napping"
    assert word(WORDS, 3) is None


def test_a_time_is_kept_as_it_is_spelled():
    assert moment("2026-03-25T07:45:32.8870610Z") == "2026-03-25T07:45:32.8870610Z"
    assert moment(3) is None


@given(JSON)
def test_nothing_is_too_odd_to_be_looked_at(value):
    assert isinstance(texts(value), tuple)
    for reader in (text, count, moment):
        reader(value)
    word(WORDS, value)
