"""
Which api-versions the service speaks, and what a version does not have.

https://github.com/Azure/azure-rest-api-specs, folder specification/securityinsights
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from vedette.service.ask import Ask
from vedette.service.faces import PLAIN
from vedette.wire.problems import Fault

_PREVIEWS_2022 = tuple(f"2022-{month:02d}-01-preview" for month in (1, *range(4, 13)))
_PREVIEWS_2023 = tuple(f"2023-{month:02d}-01-preview" for month in (*range(2, 11), 12))
STABLE = (
    "2020-01-01",
    "2021-04-01",
    "2021-10-01",
    "2022-08-01",
    "2022-11-01",
    "2023-02-01",
    "2023-11-01",
    "2024-03-01",
    "2024-09-01",
    "2025-03-01",
    "2025-06-01",
    "2025-09-01",
)
PREVIEW = (
    "2019-01-01-preview",
    "2021-03-01-preview",
    "2021-09-01-preview",
    "2021-10-01-preview",
    *_PREVIEWS_2022,
    *_PREVIEWS_2023,
    "2024-01-01-preview",
    "2024-04-01-preview",
    "2024-10-01-preview",
    "2025-01-01-preview",
    "2025-04-01-preview",
    "2025-07-01-preview",
    "2025-10-01-preview",
)
# msticpy sends these, which no specification has; the service it was written for took them.
_SPOKEN = ("2020-04-01", "2020-08-01", "2021-12-01")
CASES = "2019-01-01-preview"
"""The only version with cases."""

_ALL = frozenset((*STABLE, *PREVIEW, *_SPOKEN, PLAIN))


class _Span(Struct, frozen=True, kw_only=True):
    """
    The versions that have something: `stable` and `preview` from these on (None: none of
    them), and `also` these. `is_loose`: the versions that no specification has, too.
    """

    stable: str | None
    preview: str | None
    also: tuple[str, ...] = (CASES,)
    is_loose: bool = True

    def holds(self, asked: str) -> bool:
        """Return whether this version has it."""
        if asked in self.also:
            return True
        if asked == PLAIN:
            return False
        if asked in _SPOKEN:
            return self.is_loose
        since = self.preview if asked.endswith("-preview") else self.stable
        return since is not None and asked >= since


_ALWAYS = _Span(stable="2020-01-01", preview=CASES, also=(PLAIN,))
_OF_2021 = _Span(stable="2021-04-01", preview="2021-03-01-preview")
# The specifications have automation rules and bookmarks in no version of spring 2021.
_OF_AUTUMN = _Span(stable="2021-10-01", preview="2021-09-01-preview")
_OF_2020 = _Span(stable="2021-10-01", preview="2021-09-01-preview", also=(CASES, "2020-01-01"))
_PLAYBOOKS = _Span(stable="2024-03-01", preview="2021-10-01-preview", also=(), is_loose=False)
_CASES_ONLY = _Span(stable=None, preview=None, is_loose=False)
_NEVER = _Span(stable=None, preview=None, also=(), is_loose=False)

_KINDS: Mapping[str, _Span] = {
    "incidents": _ALWAYS,
    "incidents/alerts": _OF_2021,
    "incidents/bookmarks": _OF_2021,
    "incidents/entities": _OF_2021,
    "incidents/runPlaybook": _PLAYBOOKS,
    # Recorded on 2021-09-01-preview; no stable version has it.
    "incidents/createTeam": _Span(
        stable=None, preview="2021-09-01-preview", also=(), is_loose=False
    ),
    "cases": _CASES_ONLY,
    "cases/comments": _CASES_ONLY,
    "cases/relations": _CASES_ONLY,
    "comments": _ALWAYS,
    "relations": _OF_2021,
    "tasks": _Span(stable="2024-03-01", preview="2022-12-01-preview", also=(), is_loose=False),
    "bookmarks": _OF_2020,
    "automationRules": _OF_AUTUMN,
    "watchlists": _OF_2021,
    "watchlistItems": _OF_2021,
    "threatIntelligence": _OF_2021,
    "alertRules": _Span(
        stable="2021-10-01", preview="2021-03-01-preview", also=(CASES, "2020-01-01")
    ),
    "onboardingStates": _Span(stable="2021-10-01", preview="2021-03-01-preview", also=()),
    "operations": _ALWAYS,
    # Listing and reading entities never left the previews; running a playbook on one did.
    "entities": _Span(stable=None, preview="2021-09-01-preview"),
    "entities/runPlaybook": _Span(
        stable="2024-03-01", preview="2023-03-01-preview", also=(), is_loose=False
    ),
}
_METHODS: Mapping[tuple[str, str], tuple[_Span, tuple[str, ...]]] = {
    ("comments", "DELETE"): (_OF_2021, ("GET", "PUT")),
    ("cases/comments", "DELETE"): (_NEVER, ("GET", "PUT")),
}
"""What a version lacks of a kind that it has: the methods, and those that are left."""


def version(ask: Ask, kind: str, location: str) -> str:
    """
    Return the api-version asked for: one that the provider has, and in which it has this
    kind and this method of it. Kinds are spelled as in `_KINDS`.
    """
    asked = named(ask)
    if asked not in _ALL:
        supported = ", ".join((*PREVIEW, *STABLE))
        raise Fault(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location '{location}' and API version"
            f" '{asked[:60]}' for type '{kind}'. The supported api-versions are '{supported}'.",
        )
    if not _KINDS[kind].holds(asked):
        raise unsupported(ask, asked)
    span, left = _METHODS.get((kind, ask.method), (_ALWAYS, ()))
    if not span.holds(asked):
        raise unsupported_method(ask, asked, left)
    return asked


def kinds() -> dict[str, tuple[str, ...]]:
    """Return each kind with the versions that have it, newest first, as providers list them."""
    known = sorted((*STABLE, *PREVIEW), reverse=True)
    return {
        kind: spoken
        for kind, span in _KINDS.items()
        if (spoken := tuple(one for one in known if span.holds(one)))
    }


def named(ask: Ask) -> str:
    """Return the api-version in the query, without which ARM hears nothing."""
    asked = ask.query.get("api-version", "")
    if not asked:
        raise Fault(
            400,
            "MissingApiVersionParameter",
            "The api-version query parameter (?api-version=) is required for all requests.",
        )
    return asked.lower()


def unsupported(ask: Ask, asked: str) -> Fault:
    """Return the refusal of a route that this version does not have."""
    return Fault(
        400,
        "UnsupportedApiVersion",
        f"The HTTP resource that matches the request URI '{ask.url}' does not support the API"
        f" version '{asked}'.",
    )


def unsupported_method(ask: Ask, asked: str, allowed: tuple[str, ...]) -> Fault:
    """Return the refusal of a method that the route, or this version of it, does not have."""
    return Fault(
        405,
        "UnsupportedApiVersion",
        f"The HTTP resource that matches the request URI '{ask.url}' with API version '{asked}'"
        f" does not support HTTP method '{ask.method}'.",
        {"allow": ", ".join(sorted(allowed))},
    )
