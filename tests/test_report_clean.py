from __future__ import annotations

import json
from unicodedata import category

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.report.clean import cell, code, exact, line, lines

FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"
"""What begins a formula: the narrow signs, and their full-width doubles."""

# the whole of Unicode, with what attackers use drawn often
HOSTILE = st.text(
    st.one_of(
        st.characters(),
        st.sampled_from("\x1b\x9b\x07\x08\r\n\t\x7f\x00\x85'\" `"),
        st.sampled_from(FORMULA),
        st.integers(0x200B, 0x202E).map(chr),
        st.integers(0x2060, 0x206F).map(chr),
        st.integers(0xE0000, 0xE007F).map(chr),
        st.integers(0xD800, 0xDFFF).map(chr),
    )
)
BIDI = {*map(chr, [0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)])}


# Arabic number signs and joiners of hieroglyphs are formats that are drawn
DRAWN = {
    *map(chr, [*range(0x600, 0x606), 0x6DD, 0x890, 0x891, 0x8E2, 0x110BD, 0x110CD]),
    *map(chr, range(0x13430, 0x13460)),
}


def steers(character):
    """Asked of Unicode itself and not of our table."""
    hidden = category(character) in {"Cc", "Cf", "Cs", "Zl", "Zp"}
    return (hidden and character not in DRAWN) or character in BIDI


@given(HOSTILE)
def test_no_line_steers_turns_or_hides_anything(text):
    assert not [one for one in line(text) if steers(one)]


@given(HOSTILE)
def test_lines_keep_their_ends_and_nothing_else(text):
    assert not [one for one in lines(text) if steers(one) and one != "\n"]


def test_every_character_of_unicode_is_judged():
    everything = "".join(map(chr, range(0x110000)))
    assert not [one for one in {*line(everything)} if steers(one)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07", "␛]0;owned␇"),
        ("\x1b[2J\x9b31m", "␛[2J⟦U+009B⟧31m"),
        ("invoice\u202efdp.exe", "invoice⟦U+202E⟧fdp.exe"),
        ("a\u200bb\U000e0041", "a⟦U+200B⟧b⟦U+E0041⟧"),
        ("one\ntwo\tthree\r\nfour\rfive", "one two three four␍five"),
        ("\ud800\u2028\x7f", "⟦U+D800⟧⟦U+2028⟧␡"),
        ("[bold]x[/bold] [link=http://x]", "[bold]x[/bold] [link=http://x]"),
        ("Überprüfung 端末 🚨", "Überprüfung 端末 🚨"),
    ],
)
def test_what_is_not_plain_text_is_shown(text, shown):
    assert line(text) == shown


def test_lines_stay_lines():
    assert lines("one\r\ntwo\x1b\n\u2028") == "one\ntwo␛\n⟦U+2028⟧"


@given(HOSTILE)
def test_no_cell_begins_a_formula(text):
    guarded = str(cell(text))
    assert not guarded.lstrip().startswith(tuple(FORMULA))
    assert not guarded.startswith(("\t", "\r", "\n"))


@given(HOSTILE)
def test_no_cell_steers_a_terminal(text):
    assert not [one for one in str(cell(text)) if steers(one) and one != "\n"]


def test_a_cell_guards_text_and_leaves_numbers():
    assert cell("=cmd|'/c calc'!A1") == "'=cmd|'/c calc'!A1"
    assert cell(" \u00a0=1+1") == "' \u00a0=1+1"
    assert cell("\uff1d1") == "'\uff1d1"
    assert cell(-3) == -3
    assert cell(None) == ""
    assert cell("plain") == "plain"


@given(HOSTILE)
def test_a_code_span_cannot_be_left(text):
    span = code(text)
    fence = span[: len(span) - len(span.lstrip("`"))]
    inner = span[len(fence) : -len(fence)]
    assert span.endswith(fence)
    assert fence not in _runs(inner)
    assert "\n" not in span


def _runs(text):
    found, run = [], ""
    for one in text + " ":
        if one == "`":
            run += one
        elif run:
            found.append(run)
            run = ""
    return found


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | HOSTILE,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE, inner, max_size=3),
    max_leaves=8,
)


@given(VALUES, st.sampled_from([0, 2]))
def test_json_is_exact_and_steers_nothing(value, indent):
    text = exact(value, indent=indent)
    assert json.loads(text) == json.loads(json.dumps(value))
    assert not [one for one in text if steers(one) and one != "\n"]
    text.encode()
