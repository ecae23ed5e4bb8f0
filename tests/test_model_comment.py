"""Cutting a comment into parts, and recognising one that a service gave back."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.model.comment import comment_id, is_same_comment, length, parts

WORDS = st.text(
    st.sampled_from("ab \n\r\tz\u0301\u200d\U0001f469\U0001f3fd\U0001f1e9é한"), min_size=1
)
LIMITS = st.integers(20, 60)


def bare(cut):
    """The parts without their numbers, which are looked at."""
    if len(cut) == 1:
        return list(cut)
    for number, part in enumerate(cut, start=1):
        assert part.startswith(f"({number}/{len(cut)}) ")
    return [re.sub(r"^\(\d+/\d+\) ", "", part) for part in cut]


@given(st.one_of(WORDS, st.text()), LIMITS)
def test_parts_joined_give_the_text_back_and_each_is_short_enough(text, most):
    cut = parts(text, most)
    assert "".join(bare(cut)) == text
    assert all(length(part) <= most for part in cut)
    assert all(bare(cut)) or text == ""
    assert cut == parts.__wrapped__(text, most)


@given(WORDS, LIMITS)
def test_every_part_has_an_id_of_its_own_that_stays(text, most):
    names = [comment_id("p-1", "29", part, n) for n, part in enumerate(parts(text, most), 1)]
    assert len(set(names)) == len(names)
    assert names == [
        comment_id("p-1", "29", part, n) for n, part in enumerate(parts(text, most), 1)
    ]


def test_what_fits_stays_as_it_is():
    assert parts("a" * 30_000, 30_000) == ("a" * 30_000,)
    assert [length(part) for part in parts("a" * 30_001, 30_000)] == [30_000, 13]


def test_length_is_counted_as_the_service_counts():
    """.NET counts UTF-16 units: a face is two, and so is half of the limit the whole of it."""
    assert length("a\U0001f600") == 3
    assert len(parts("\U0001f600" * 15_000, 30_000)) == 1
    cut = parts("\U0001f600" * 15_001, 30_000)
    assert [length(part) for part in cut] == [30_000, 14]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("one two\n\nthree four five six", "one two\n\n"),
        ("one two thr\nfour five six", "one two thr\n"),
        ("one two three four five six", "one two three "),
        ("onetwothreefourfivesix", "onetwothreefou"),
        ("a\n" + "b" * 40, "a\n" + "b" * 12),
    ],
    ids=["paragraph", "line", "word", "letter", "not too early"],
)
def test_a_part_ends_where_a_reader_would_pause(text, first):
    assert bare(parts(text, 20))[0] == first


FAMILY = "\U0001f469\u200d\U0001f469\u200d\U0001f466"


@pytest.mark.parametrize(
    "letter",
    [
        "e\u0301",
        FAMILY,
        "\U0001f44d\U0001f3fd",
        "\U0001f1e9\U0001f1ea",
        "\r\n",
        "\u1112\u1161\u11ab",
    ],
    ids=["accent", "family", "colour", "flag", "line end", "syllable"],
)
def test_what_people_see_as_one_letter_is_not_cut(letter):
    for before in range(12):
        cut = bare(parts("x" * before + letter * 20, 20))
        assert all(
            (len(piece) - before * (n == 0)) % len(letter) == 0 for n, piece in enumerate(cut)
        )


def test_a_monstrous_letter_is_cut_all_the_same():
    text = "z" + "\u0301" * 200
    assert unicodedata.combining(text[1])
    assert "".join(bare(parts(text, 20))) == text


def test_the_numbers_grow_with_their_count():
    cut = parts("ab " * 600, 20)
    assert len(cut) > 100
    assert cut[0].startswith(f"(1/{len(cut)}) ")
    assert max(map(length, cut)) <= 20


def test_a_limit_without_room_for_a_number_is_refused():
    with pytest.raises(ValueError, match="no room for its number"):
        parts("a" * 100, 7)


@given(st.text(st.sampled_from("ab \n")))
def test_a_comment_is_recognised_however_its_lines_end(text):
    assert is_same_comment(text, text.replace("\n", "\r\n"))
    assert is_same_comment(text, text.replace("\n", "\r"))
    assert is_same_comment(text, f"{text} \n")


def test_other_words_are_another_comment():
    assert not is_same_comment("Seen.", "seen.")
    assert not is_same_comment("a b", "a  b")
    assert not is_same_comment("", "x")
