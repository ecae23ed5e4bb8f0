"""
Pages: how many, in what order, and the token from which the next one goes on. A token names
the last incident that was given, so that pages neither repeat nor skip while others write.
"""

from __future__ import annotations

import base64
import gzip
import zlib
from collections.abc import Sequence
from typing import Annotated, Literal, TypeVar
from urllib.parse import quote

import msgspec
from msgspec import Struct

from vedette.service.ask import Ask
from vedette.wire.problems import Fault

Key = tuple[str | int, int]
T = TypeVar("T")
_Int = Annotated[int, msgspec.Meta(ge=-(2**62), le=2**62)]
_KEY = msgspec.json.Decoder(tuple[str | _Int, _Int])
_READABLE = " /():,'=$!*;@?"
"""What a link of the service leaves as it is: spaces too, as its real clients found out."""


def token(key: Key | Struct) -> str:
    """Return the key as a link carries it: gzip in base64url without padding."""
    packed = gzip.compress(msgspec.json.encode(key), compresslevel=1, mtime=0)
    return base64.urlsafe_b64encode(packed).rstrip(b"=").decode()


def key(ask: Ask, name: str) -> Key | None:
    """Return the key in the query's token, or None on a first page."""
    told = ask.query.get(name.lower())
    return unpacked(told, _KEY, name) if told else None


def unpacked(told: str, of: msgspec.json.Decoder[T], name: str, most: int = 4_096) -> T:
    """Return what a token holds, which unpacks to no more than `most` bytes."""
    try:
        packed = base64.urlsafe_b64decode(told.encode("ascii") + b"=" * (-len(told) % 4))
        # A token is short; what unpacks to more is not ours.
        return of.decode(zlib.decompressobj(wbits=31).decompress(packed, most))
    except (ValueError, RecursionError, zlib.error, msgspec.MsgspecError) as error:
        raise Fault(400, "BadRequest", f"The value of {name} is not valid.") from error


def number(
    ask: Ask, name: str, *, otherwise: int, least: int = 0, face: Literal["arm", "graph"] = "arm"
) -> int:
    """Return a whole number of the query."""
    told = ask.query.get(name.lower())
    if told is None:
        return otherwise
    if told.isascii() and told.isdigit() and len(told) <= 9 and int(told) >= least:
        return int(told)
    if face == "graph":
        raise Fault(
            400,
            "",
            "The query specified in the URI is not valid. Invalid value"
            f" '{told[:40]}' for {name} query option found.",
        )
    raise Fault(400, "BadRequest", f"Invalid value for {name}: '{told[:40]}'.")


def link(
    base: str,
    ask: Ask,
    names: Sequence[str],
    tail: tuple[str, str],
    *,
    readable: str = _READABLE,
) -> str:
    """Return the next page's address: the query as it was asked, `$` literal, then the token."""
    kept = [(name, ask.query[name.lower()]) for name in names if name.lower() in ask.query]
    query = "&".join(f"{name}={quote(value, safe=readable)}" for name, value in (*kept, tail))
    return f"{base}?{query}"
