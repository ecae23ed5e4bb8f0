"""Which path is whose: everything the service answers to, in one tree."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from vedette.service import control
from vedette.service.arm import (
    alertrules,
    automation,
    bookmarks,
    case_relations,
    cases,
    entities,
    incidents,
    indicators,
    management,
    metadata,
    onboarding,
    operations,
    playbooks,
    relations,
    tasks,
    watchlist_items,
    watchlists,
)
from vedette.service.entra import device, documents, grants, managed
from vedette.service.graph import alerts, batch, defender, merging, people
from vedette.service.graph import incidents as graph
from vedette.service.logs import api as logs
from vedette.service.route import Route

_ROUTES: dict[str, Route] = {
    **incidents.ROUTES,
    **cases.ROUTES,
    **management.ROUTES,
    **metadata.ROUTES,
    **onboarding.ROUTES,
    **operations.ROUTES,
    **entities.ROUTES,
    **relations.ROUTES,
    **case_relations.ROUTES,
    **tasks.ROUTES,
    **bookmarks.ROUTES,
    **playbooks.ROUTES,
    **alertrules.ROUTES,
    **automation.ROUTES,
    **watchlists.ROUTES,
    **watchlist_items.ROUTES,
    **indicators.ROUTES,
    **graph.ROUTES,
    **alerts.ROUTES,
    **merging.ROUTES,
    **batch.ROUTES,
    **defender.ROUTES,
    **people.ROUTES,
    **documents.ROUTES,
    **logs.ROUTES,
    **grants.ROUTES,
    **device.ROUTES,
    **managed.ROUTES,
    **control.ROUTES,
}
_VERSIONS = ("v1.0", "beta")
_ARM_NOWHERE = Route(face="arm")
_GRAPH_NOWHERE = Route(face="graph")
_DEFENDER_NOWHERE = Route(face="defender")
_LOGS_NOWHERE = Route(face="logs")
_OPEN_NOWHERE = Route(face="arm", is_open=True)


class _Branch:
    """Where a path may go on from here: by a word, by any name, by a version of Graph."""

    __slots__ = ("named", "route", "versioned", "words")

    def __init__(self) -> None:
        self.words: dict[str, _Branch] = {}
        self.named: _Branch | None = None
        self.versioned: _Branch | None = None
        self.route: Route | None = None

    def grow(self, segment: str) -> _Branch:
        """Return the branch behind this segment of a pattern."""
        if segment == "{}":
            self.named = self.named or _Branch()
            return self.named
        if segment == "@":
            self.versioned = self.versioned or _Branch()
            return self.versioned
        return self.words.setdefault(segment, _Branch())


def _grown(routes: Mapping[str, Route]) -> _Branch:
    root = _Branch()
    for path, route in routes.items():
        end = root
        for segment in path.split("/"):
            end = end.grow(segment)
        end.route = replace(route, path=path)
    return root


_ROOT = _grown(_ROUTES)


def find(path: tuple[str, ...]) -> tuple[Route, tuple[str, ...]]:
    """Return what answers at the path, in whatever case, and the names in it as they were sent."""
    names: list[str] = []
    route = _walked(_ROOT, path, 0, names)
    if route is not None:
        return route, tuple(names)
    first = path[0].lower() if path else ""
    if first in _VERSIONS:
        return _GRAPH_NOWHERE, ()
    if first == "v1":
        return _LOGS_NOWHERE, ()
    if first == "api":
        return _DEFENDER_NOWHERE, ()
    return (_ARM_NOWHERE if first in ("subscriptions", "providers") else _OPEN_NOWHERE), ()


def _walked(branch: _Branch, path: tuple[str, ...], at: int, names: list[str]) -> Route | None:
    """Follow the words of the path, and names where no word leads to an end."""
    for place in range(at, len(path)):
        segment = path[place]
        word = segment.lower()
        way = branch.versioned if word in _VERSIONS and branch.versioned else branch.named
        worded = branch.words.get(word)
        if worded is not None:
            if way is None:
                branch = worded
                continue
            beyond: list[str] = []
            found = _walked(worded, path, place + 1, beyond)
            if found is not None:
                names += beyond
                return found
        if way is None:
            return None
        names.append(word if way is branch.versioned else segment)
        branch = way
    return branch.route


def answers() -> dict[str, tuple[str, ...]]:
    """Return the paths and methods that are answered, for documentation and its tests."""
    return {path: tuple(route.methods) for path, route in _ROUTES.items()}
