"""
Text from incidents, made harmless: whoever can raise an alert can write its title.

What steers a terminal, turns text round, hides or pretends is shown instead of obeyed.
https://cwe.mitre.org/data/definitions/150.html
"""

from __future__ import annotations

import json
import re

import msgspec

from vedette.model.letters import INVISIBLE, STEERING, escaped

_HOSTILE_LINE = re.compile(f"\r\n|[{STEERING}{INVISIBLE}]")

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
    return escaped(text)


_SPACES = {"\n": " ", "\r\n": " ", "\t": " "}


def _visible(character: str) -> str:
    number = ord(character)
    if number < 0x20:
        return chr(0x2400 + number)
    return "␡" if number == 0x7F else f"⟦U+{number:04X}⟧"
