"""
Requests and answers as the service hears and spells them on ARM: bodies, envelopes, etags,
and the checks that every dialect there shares.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, Protocol

import msgspec

from vedette.model import Moment
from vedette.wire.problems import Fault

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


class Author(Protocol):
    """Who wrote a comment, as the service keeps it."""

    @property
    def object_id(self) -> str | None:
        """The directory's id."""

    @property
    def email(self) -> str | None:
        """The mail address; a program has none."""

    @property
    def name(self) -> str | None:
        """The name that is shown."""

    @property
    def upn(self) -> str | None:
        """The sign-in name; a program has none."""


def envelope(documents: Sequence[Any], link: str | None = None) -> dict[str, Any]:
    """Return a list as ARM sends it: `nextLink` is absent on the last page."""
    return {"value": list(documents)} | ({"nextLink": link} if link else {})


_QUOTES = 1_000_000
"""How many quotes a body may have that Python printed, as msticpy sends `str(dict)`."""
# The last but one takes what is not closed to its end: every letter is looked at once.
_PRINTED = re.compile(
    r"""'([^'\\]*(?:\\.[^'\\]*)*)'|"([^"\\]*(?:\\.[^"\\]*)*)"|(['"].*)|\b(True|False|None)\b""",
    re.DOTALL | re.ASCII,
)
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
_WORDS = {"True": "true", "False": "false", "None": "null"}


def body(received: bytes, about: str | None = None) -> dict[str, Any]:
    """
    Return the object in a request's body, which is `about` a resource of this name. Where it is
    no JSON it may be what Python prints of it, as one client in wide use sends it.
    """
    try:
        told = _decode(received) if received else {}
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        told = _printed(received)
    if not isinstance(told, dict):
        raise Fault(400, "BadRequest", "The request body is not a JSON object.")
    if about is not None:
        _addressed(told, about)
    return told


def _addressed(document: Mapping[str, Any], id: str) -> None:
    # Whoever sends a document that says it is another one has mixed up two of them. Whether the
    # service looks was not recorded.
    for name in ("name", "id"):
        told = document.get(name)
        if isinstance(told, str) and told.rpartition("/")[2].casefold() != id.casefold():
            raise refused(f"The {name} in the body does not match the resource '{id[:100]}'.")


def _printed(received: bytes) -> object:
    unread = Fault(
        400, "BadRequest", "The request content was invalid and could not be deserialized."
    )
    if received.count(b"'") > _QUOTES:
        raise unread
    try:
        return _decode(_PRINTED.sub(_respelled, received.decode()))
    except (ValueError, RecursionError, msgspec.MsgspecError):
        raise unread from None


def _respelled(found: re.Match[str]) -> str:
    """Return a text or word that Python printed as JSON has it."""
    single, double, loose, word = found.groups()
    if word is not None:
        return _WORDS[word]
    if loose is not None:
        raise ValueError
    return _encode(_ESCAPE.sub(_meant, single if double is None else double)).decode()


def _meant(found: re.Match[str]) -> str:
    *codes, letter = found.groups()
    if letter is not None:
        return _ESCAPES.get(letter, letter)
    return chr(int(next(code for code in codes if code), 16))


def bag(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the properties of a request's document."""
    properties = document.get("properties")
    if not isinstance(properties, dict):
        raise Fault(400, "BadRequest", "'Properties' must have a non-empty value")
    return properties


def fresh(document: Mapping[str, Any], id: str, etag: str | None, *, mandatory: bool) -> None:
    """
    Refuse a write that was made on another version than `etag`. The quotes are part of an
    etag, and some clients lose them.
    """
    told = document.get("etag")
    if told is not None and not isinstance(told, str):
        raise refused("Error converting value for path 'etag'.")
    if not told and not mandatory:
        # azure-rest-api-specs#13203: the etag is optional in all versions of incidents.
        return
    if (told or "").strip('"') != (etag or "").strip('"'):
        raise Fault(409, "Conflict", f"Newer version of resource '{id}' exists. Data was not saved")


# ---- members of a request


def refused(message: str) -> Fault:
    """Return the refusal of a body, in words the service is known to use, or near them."""
    return Fault(400, "BadRequest", message)


def a_text(said: Mapping[str, Any], name: str) -> str | None:
    """Return a text of the request, or None where it is not given."""
    value = said.get(name)
    if value is not None and not isinstance(value, str):
        raise refused(f"Error converting value for path 'properties.{name}'.")
    return value


def a_word(said: Mapping[str, Any], name: str, words: Mapping[str, str]) -> str | None:
    """Return our word for a member of an enumeration, which is heard in any case."""
    value = a_text(said, name)
    if value is None:
        return None
    found = words.get(value.lower())
    if found is None:
        # azure-cli#26332 has this text for watchlists; for incidents none was recorded.
        raise refused(
            "There is an issue with deserializing : "
            f"Error converting '{value[:100]}' for path 'properties.{name}'."
        )
    return found


_MOMENT = re.compile(
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d{1,9}))?(?:Z|[+-]\d\d:\d\d)?", re.ASCII | re.IGNORECASE
)


def a_moment(said: Mapping[str, Any], name: str) -> Moment | None:
    """Return a time in UTC with up to seven digits and no trailing zeros, as .NET spells it."""
    value = a_text(said, name)
    if value is None:
        return None
    at = _spelled(value) if len(value) < _LONG else None
    if at is None:
        raise refused(f"Could not convert string to DateTime for path 'properties.{name}'.")
    return at


_LONG = 60


@lru_cache(maxsize=1024)
def _spelled(value: str) -> Moment | None:
    found = _MOMENT.fullmatch(value)
    try:
        at = datetime.fromisoformat(value.upper()) if found else None
        at = at and (at.astimezone(UTC) if at.tzinfo else at)
    except (ValueError, OverflowError):
        at = None
    if found is None or at is None:
        return None
    fraction = (found[1] or "")[:7].rstrip("0")
    return Moment(f"{at.isoformat()[:19]}{'.' if fraction else ''}{fraction}Z")


_LONGEST_COMMENT = 30_000


def heard_comment(document: Mapping[str, Any]) -> str:
    """Return the message of a comment that is to be written."""
    message = a_text(bag(document), "message")
    if not message or not message.strip():
        raise refused("'Message' must have a non-empty value")
    if len(message) > _LONGEST_COMMENT:
        # The text is that of the older limit of 3000, with the number of today's.
        raise refused(f"Comment length should not exceed {_LONGEST_COMMENT} characters")
    return message


def wrong() -> Fault:
    """Return what Graph says of a body it cannot make sense of."""
    # demisto/content#32983 recorded this for a word that is none, and no more is said.
    return Fault(400, "InvalidRequestBody", "Request body is incorrect")


def graph_body(received: bytes) -> dict[str, Any]:
    """Return the object in the body of a request to Graph, which takes JSON only."""
    try:
        told = _decode(received)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise wrong() from None
    if not isinstance(told, dict):
        raise wrong()
    return told
