"""
Text from incidents, made harmless: whoever can raise an alert can write its title.

What steers a terminal, turns text round, hides or pretends is shown instead of obeyed.
https://cwe.mitre.org/data/definitions/150.html
"""

from __future__ import annotations

import json
import re

import msgspec

# Beside the control characters (C0, DEL, C1): soft hyphen, bidirectional marks and
# overrides, zero-width characters, separators, blank letters, halves of surrogate pairs,
# annotations, musical and shorthand formats, selectors, and the invisible tag letters.
_INVISIBLE = (
    "\u00ad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_STEERING = "\x00-\x1f\x7f-\x9f"
_HOSTILE = re.compile(f"[{_STEERING}{_INVISIBLE}]")
_HOSTILE_LINE = re.compile(f"\r\n|[{_STEERING}{_INVISIBLE}]")
# JSON escapes C0 itself; the rest it would pass on, and a terminal would obey
_RAW_IN_JSON = re.compile(f"[\x7f-\x9f{_INVISIBLE}]")

# the last four are full-width = + - @, which some programs take for the narrow ones
_FORMULA = frozenset("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")


def line(text: str) -> str:
    """
    Return the text on one line, with everything that is not plain text shown: ␛ for escape,
    ⟦U+202E⟧ for an override. Line ends and tabs become spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    return _HOSTILE_LINE.sub(lambda found: _SPACES.get(found[0]) or _visible(found[0]), text)


def lines(text: str) -> str:
    """Return the text with its line ends kept and everything else as `line` shows it."""
    return "\n".join(line(one) for one in text.replace("\r\n", "\n").split("\n"))


def cell(value: object) -> object:
    """
    Return the value as a spreadsheet may have it: numbers as they are, text harmless on a
    terminal too, and with a ' before it where a formula might begin.
    """
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, int | float):
        # https://owasp.org/www-community/attacks/CSV_Injection; a blank in front of the
        # formula is no defence, since some programs trim it
        text = str(value)
        guard = "'" if text[:1] in _FORMULA or text.lstrip()[:1] in _FORMULA else ""
        return guard + lines(text) if text else ""
    return value


def code(text: str) -> str:
    """Return the text as a Markdown code span: no link, no mention, no markup comes alive."""
    shown = line(text).strip() or " "
    longest = max((len(run) for run in re.findall("`+", shown)), default=0)
    fence = "`" * (longest + 1)
    blank = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{blank}{shown}{blank}{fence}"


def exact(value: object, *, indent: int = 0) -> str:
    """
    Return the value as JSON that reads back exactly, with what would steer a terminal
    escaped. Half a surrogate pair, which no UTF-8 can hold, stays an escape too.
    """
    try:
        data = msgspec.json.encode(value)
    except UnicodeEncodeError:
        plain = msgspec.to_builtins(value)
        text = json.dumps(plain, ensure_ascii=False, indent=indent or None)
    else:
        text = (msgspec.json.format(data, indent=indent) if indent else data).decode()
    return _RAW_IN_JSON.sub(_escaped, text)


_SPACES = {"\n": " ", "\r\n": " ", "\t": " "}


def _visible(character: str) -> str:
    number = ord(character)
    if number < 0x20:
        return chr(0x2400 + number)
    return "␡" if number == 0x7F else f"⟦U+{number:04X}⟧"


def _escaped(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number <= 0xFFFF:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
