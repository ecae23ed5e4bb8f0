"""Short names for what was found: the same for the same places, whatever the order."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import count

from vedette.wire.management import Tenant

_FREE = re.compile(r"[^a-z0-9._-]+", re.ASCII)
_TAKEN = frozenset({"xdr"})
"""What means something else in keys."""


def workspace_names(
    found: Mapping[str, tuple[str, str]], known: Mapping[str, str]
) -> dict[str, str]:
    """
    Return an alias for each workspace by its ARM id, given its resource group and the name of
    its subscription. `known` are aliases, by id in lower case, that are kept. Where names are
    the same, group, subscription, both, or the beginning of the subscription's id tell them
    apart, whichever first does for all of them.
    """
    kept = {path: known[path.lower()] for path in found if path.lower() in known}
    rest = {
        path: _ways(path, group, subscription)
        for path, (group, subscription) in found.items()
        if path not in kept
    }
    return _told_apart(rest, kept)


def tenant_names(
    ids: Iterable[str], told: Mapping[str, Tenant], known: Mapping[str, str]
) -> dict[str, str]:
    """
    Return an alias for each tenant by its id in lower case: the one that is `known`, or made
    of its domain, its name, or its id, in this order of preference.
    """
    ids = [*ids]
    kept = {one: known[one] for one in ids if one in known}
    rest = {one: _called(one, told.get(one)) for one in ids if one not in kept}
    named = _told_apart(rest, kept)
    return {one: named[one] for one in ids}


def _ways(id: str, group: str, subscription: str) -> list[str]:
    parts = id.split("/")
    name, group, subscription = _slug(parts[-1]), _slug(group), _slug(subscription)
    short = parts[2].lower()[:8]
    return [
        name,
        f"{name}-{group}",
        f"{name}-{subscription}",
        f"{name}-{subscription}-{group}",
        f"{name}-{short}",
        f"{name}-{short}-{group}",
        f"{name}-{parts[2].lower()}-{group}",
    ]


def _called(id: str, one: Tenant | None) -> list[str]:
    domain = (one.domain or "").partition(".")[0] if one else ""
    names = (_slug(domain), _slug(one.name or "") if one else "")
    name = next((slug for slug in names if slug), "tenant")
    short = f"{name}-{id[:8]}"
    return [name if name != "tenant" else short, short, f"{name}-{id}"]


def _told_apart(ways: Mapping[str, list[str]], kept: Mapping[str, str]) -> dict[str, str]:
    taken = {alias.casefold() for alias in kept.values()} | _TAKEN
    named = dict(kept)
    alike: dict[str, list[str]] = {}
    for one in sorted(ways, key=str.lower):
        alike.setdefault(ways[one][0], []).append(one)
    # those that are alone with their name get it first, whatever others come to be called
    for same in sorted(alike.values(), key=len):
        tried = (list(each) for each in zip(*(ways[one] for one in same), strict=True))
        chosen = next((each for each in tried if _are_free(each, taken)), None)
        if chosen is None:
            chosen = _numbered([ways[one][-1] for one in same], taken)
        named |= dict(zip(same, chosen, strict=True))
        taken |= {alias.casefold() for alias in chosen}
    return named


def _are_free(aliases: list[str], taken: set[str]) -> bool:
    spelled = {alias.casefold() for alias in aliases}
    return "" not in spelled and len(spelled) == len(aliases) and taken.isdisjoint(spelled)


def _numbered(aliases: list[str], taken: set[str]) -> list[str]:
    chosen: list[str] = []
    for alias in aliases:
        tried = (f"{alias}-{turn}" for turn in count(1))
        free = next(one for one in tried if one.casefold() not in taken and one not in chosen)
        chosen.append(free)
    return chosen


def _slug(text: str) -> str:
    return _FREE.sub("-", text.lower()).strip("-.")
