"""
Which api-versions the service speaks, and what a version does not have.

https://github.com/Azure/azure-rest-api-specs, folder specification/securityinsights
"""

from __future__ import annotations

from vedette.service.ask import Ask
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
    "2025-04-01-preview",
    "2025-07-01-preview",
    "2025-10-01-preview",
)
# msticpy sends these, which no specification has; the service it was written for took them.
_SPOKEN = ("2020-04-01", "2020-08-01", "2021-12-01")
PLAIN = "2023-01-01"
"""A version with words of its own for errors; nothing but incidents in it."""
CASES = "2019-01-01-preview"
"""The only version with cases."""

_ALL = frozenset((*STABLE, *PREVIEW, *_SPOKEN, PLAIN))


def version(ask: Ask, kind: str, location: str) -> str:
    """Return the api-version asked for, one that the provider has; `kind` is cases or incidents."""
    asked = named(ask)
    if asked not in _ALL:
        supported = ", ".join((*PREVIEW, *STABLE))
        raise Fault(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location '{location}' and API version"
            f" '{asked[:60]}' for type '{kind}'. The supported api-versions are '{supported}'.",
        )
    if kind == "cases" and asked != CASES:
        raise unsupported(ask, asked)
    return asked


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
