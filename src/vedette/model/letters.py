"""
Letters that steer a terminal, turn text round, hide or pretend, and their harmless spelling
in JSON: what is escaped there reads back exactly.

https://cwe.mitre.org/data/definitions/150.html
"""

from __future__ import annotations

import re

# Soft hyphen, bidirectional marks and overrides, zero-width characters, separators, blank
# letters, halves of surrogate pairs, annotations, musical and shorthand formats, selectors,
# and the invisible tag letters.
INVISIBLE = (
    "\u00ad\u034f\u061c\u070f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ud800-\udfff\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""As the inside of a character class, beside the control characters."""

STEERING = "\x00-\x1f\x7f-\x9f"
"""The control characters: C0, DEL and C1."""

# JSON escapes C0 itself; the rest it would pass on, and a terminal would obey
_RAW_IN_JSON = re.compile(f"[\x7f-\x9f{INVISIBLE}]")


def escaped(text: str) -> str:
    """Return JSON text with what would steer a terminal escaped."""
    return _RAW_IN_JSON.sub(_escape, text)


def harmless(data: bytes) -> bytes:
    """Return JSON in UTF-8 with what would steer a terminal escaped."""
    if data.isascii() and b"\x7f" not in data:
        return data
    return escaped(data.decode()).encode()


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    if number <= 0xFFFF:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"
