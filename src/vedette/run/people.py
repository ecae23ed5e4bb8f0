"""Who is meant by an owner's name: known people first, then the directory."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from difflib import get_close_matches

from msgspec.structs import replace

from vedette.errors import Denied, Missing, Unknown
from vedette.model import Owner

Lookup = Callable[[str], Awaitable[Owner]]
"""Finds a user (UPN or object id) or, as `group:NAME`, a group, in the directory."""

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_GROUP = "group:"


async def owner(
    word: str | None,
    *,
    email: str | None = None,
    people: Mapping[str, Owner],
    lookup: Lookup | None,
) -> Owner:
    """
    Return the owner meant: somebody in `people`, by name, UPN, email or object id, else
    whom the directory knows. With an `email` that one is kept; it may also stand alone.
    """
    if word is None:
        if email is None:
            raise Unknown("no owner is named")
        return Owner(email=email)
    found = _known(word, people)
    if found is None or not _is_whole(found):
        found = await _looked_up(word, found, people, lookup)
    found = found if found.kind else replace(found, kind="User")
    return replace(found, email=email) if email is not None else found


class Directory:
    """A lookup that remembers, for one run: the same word is asked for once."""

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._found: dict[str, Owner] = {}

    async def __call__(self, word: str) -> Owner:
        """Return the owner, perhaps from memory; who is not there is asked for again."""
        key = word.casefold()
        if key not in self._found:
            self._found[key] = await self._lookup(word)
        return self._found[key]


def _known(word: str, people: Mapping[str, Owner]) -> Owner | None:
    if word.lower().startswith(_GROUP):
        name = word[len(_GROUP) :].casefold()
        groups = {key: one for key, one in people.items() if one.kind == "Group"}
        return next(
            (o for key, o in groups.items() if name in {key.casefold(), (o.name or "").casefold()}),
            None,
        )
    if word in people:
        return people[word]
    meant = word.casefold()
    for one in people.values():
        if meant in {text.casefold() for text in (one.upn, one.email, one.object_id) if text}:
            return one
    return None


def _is_whole(one: Owner) -> bool:
    """Whether nothing is missing that a portal needs to show the owner as a person."""
    return bool(one.object_id and (one.upn or one.kind == "Group"))


async def _looked_up(
    word: str, known: Owner | None, people: Mapping[str, Owner], lookup: Lookup | None
) -> Owner:
    asked = _asked(word, known)
    if asked is None:
        near = get_close_matches(word, people, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise Unknown(
            f"nobody is called {word!r}",
            hint=f"{hint}give a UPN, an object id, group:NAME, or a name of [people]",
        )
    try:
        found = await lookup(asked) if lookup is not None else Owner()
    except Missing as error:
        raise Unknown(f"the directory knows nobody called {word!r}", hint=error.hint) from error
    except Denied as error:
        if known is not None:
            return known
        raise Denied(
            error.message,
            hint=error.hint or "name them under [people] in the settings, with upn and objectId",
        ) from error
    if known is None and lookup is None:
        raise Unknown(
            f"{word!r} cannot be looked up here",
            hint="name them under [people] in the settings, with upn and objectId",
        )
    return _over(found, known)


def _asked(word: str, known: Owner | None) -> str | None:
    """Return what to ask the directory for, None where it could not know the word."""
    if known is not None:
        return known.object_id or known.upn or word
    is_plain = "@" not in word and not _GUID.fullmatch(word)
    return None if is_plain and not word.lower().startswith(_GROUP) else word


def _over(found: Owner, known: Owner | None) -> Owner:
    """Return what was found, with what the settings say put over it."""
    if known is None:
        return found
    said = {name: getattr(known, name) for name in known.__struct_fields__}
    return replace(found, **{name: value for name, value in said.items() if value})
