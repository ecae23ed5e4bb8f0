"""What is wrong with a table of settings: everything at once, by the name of its key."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import fields

_SECRETS = ("secret", "client_secret", "password", "certificate_password")


def complaints(value: Any, kind: Any, at: str = "") -> Iterator[str]:
    """Yield what is wrong with a value that should be of this kind; never the value of a secret."""
    choices = [one for one in get_args(kind) if one is not NoneType]
    if get_origin(kind) in (Union, UnionType) and all(_is_struct(one) for one in choices):
        if len(choices) > 1:
            yield from _tagged(value, choices, at)
        else:
            yield from complaints(value, choices[0], at)
    elif _is_struct(kind):
        yield from _table(value, kind, at)
    elif get_origin(kind) is dict and _is_struct(get_args(kind)[1]):
        if not isinstance(value, dict):
            yield f"{at}: must be a table"
            return
        for key, one in value.items():
            yield from complaints(one, get_args(kind)[1], _below(at, key))
    else:
        yield from _leaf(value, kind, at)


def _table(value: Any, kind: type[Struct], at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at}: must be a table"
        return
    known = {field.encode_name: field for field in fields(kind)}
    hints = get_type_hints(kind)
    tag = kind.__struct_config__.tag_field
    for key, one in value.items():
        if key in known:
            yield from complaints(one, hints[known[key].name], _below(at, key))
        elif key != tag:
            yield _unknown(key, list(known), _below(at, key))
    for key, field in known.items():
        required = field.default is NODEFAULT and field.default_factory is NODEFAULT
        if required and key not in value:
            yield f"{_below(at, key)}: is missing"


def _tagged(value: Any, choices: list[type[Struct]], at: str) -> Iterator[str]:
    by_tag = {str(one.__struct_config__.tag): one for one in choices}
    if not isinstance(value, dict):
        yield f'{at}: must be a table, such as {{kind = "az"}}'
        return
    tag = value.get("kind")
    if not isinstance(tag, str) or tag not in by_tag:
        near = _near(str(tag), list(by_tag)) if tag is not None else ""
        yield f"{at}.kind: must be one of {', '.join(by_tag)}{near}"
        return
    yield from _table(value, by_tag[tag], at)


def _leaf(value: Any, kind: Any, at: str) -> Iterator[str]:
    words = [word for one in (kind, *get_args(kind)) for word in _words(one)]
    if words and value not in words:
        near = _near(value, words) if isinstance(value, str) else ""
        yield f"{at}: must be one of {', '.join(words)}{near}"
        return
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        yield f"{at}: {_plainly(str(error))}"


def _plainly(message: str) -> str:
    """Return msgspec's words without its marks and place, in TOML's names for things."""
    what = message.partition(" - at ")[0].replace("`", "").replace(" | null", "")
    return what.replace("array", "list").replace("object", "table").replace("Expected", "must be")


def _unknown(key: str, known: list[str], at: str) -> str:
    if key.lower() in _SECRETS:
        return (
            f"{at}: secrets do not belong into settings; name a variable that holds it "
            "(secret_env, password_env) or a file (secret_file)"
        )
    hint = _near(key, known) or f"; known are {', '.join(known)}"
    return f"{at}: is no setting{hint}"


def _near(word: str, known: list[str]) -> str:
    close = get_close_matches(word.lower(), known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _words(kind: Any) -> tuple[str, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


def _is_struct(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _below(at: str, key: str) -> str:
    return f"{at}.{key}" if at else key
