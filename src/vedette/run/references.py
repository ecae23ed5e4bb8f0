"""What people paste to name an incident: keys, numbers, ids, ARM ids, portal addresses."""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import parse_qs, unquote, urlsplit

from msgspec import Struct

from vedette.errors import Asked

PlaneName = Literal["sentinel", "cases", "defender"]


class Reference(Struct, frozen=True, kw_only=True):
    """
    An incident as somebody named it. `place` is an alias, a workspace's ARM id (it starts
    with a slash) or a tenant's id; what was not said is None.
    """

    place: str | None = None
    number: int | None = None
    id: str | None = None
    plane: PlaneName | None = None


_ARM = re.compile(
    r"(?P<workspace>/subscriptions/[^/]+/resourcegroups/[^/]+/providers"
    r"/microsoft\.operationalinsights/workspaces/[^/]+)"
    r"/providers/microsoft\.securityinsights/(?P<kind>incidents|cases)/(?P<id>[^/?#&]+)/?",
    re.IGNORECASE,
)
_DEFENDER = re.compile(r"/incidents?2?/(?P<number>[0-9]{1,19})(/[a-z-]*)?/?", re.IGNORECASE)
_NUMBER = re.compile(r"#?(?P<number>[0-9]{1,19})")
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_PLACE = re.compile(r"[^\s#:/]+(/xdr)?", re.IGNORECASE)
_KEY = re.compile(r"(?P<place>[^\s#:]+)[#:/](?P<rest>[^#:/\s]+)")

_FORMS = (
    "write soc-eu#4711, xdr#123, a number, an id, the ARM id, or the address of the "
    "incident's page in the portal"
)


def reference(text: str) -> Reference:
    """Return which incident is meant, or raise Asked with the forms there are."""
    text = text.strip()
    found = (
        _page(text)
        if "://" in text
        else _by_arm_id(text)
        if text.startswith("/")
        else _by_key(text) or _bare(text, None)
    )
    if found is None:
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        raise Asked(f"{shown!r} names no incident", hint=_FORMS)
    return found


def _by_arm_id(text: str) -> Reference | None:
    found = _ARM.fullmatch(text)
    if found is None:
        return None
    is_case = found["kind"].lower() == "cases"
    return Reference(
        place=found["workspace"], id=found["id"], plane="cases" if is_case else "sentinel"
    )


def _page(text: str) -> Reference | None:
    try:
        parts = urlsplit(text)
    except ValueError:
        return None
    # The Azure portal keeps the ARM id in the fragment, sometimes escaped.
    found = _ARM.search(unquote(f"/{parts.path}/{parts.fragment}"))
    if found is not None:
        return _by_arm_id(found[0])
    page = _DEFENDER.fullmatch(parts.path)
    if page is None or parts.hostname is None or not parts.hostname.startswith("security."):
        return None
    tenant = parse_qs(parts.query).get("tid", [None])[0]
    return _defender(tenant or "xdr", page["number"])


def _by_key(text: str) -> Reference | None:
    found = _KEY.fullmatch(text)
    if found is None or _PLACE.fullmatch(found["place"]) is None:
        return None
    place = found["place"]
    if found["rest"].lower() == "xdr":
        return None
    if place.lower() == "xdr" or place.lower().endswith("/xdr"):
        number = _NUMBER.fullmatch(found["rest"])
        return _defender(place, number["number"]) if number else None
    return _bare(found["rest"], place)


def _bare(text: str, place: str | None) -> Reference | None:
    number = _NUMBER.fullmatch(text)
    if number is not None:
        return Reference(place=place, number=int(number["number"]))
    return Reference(place=place, id=text) if _ID.fullmatch(text) else None


def _defender(place: str, number: str) -> Reference:
    return Reference(place=place, number=int(number), id=str(int(number)), plane="defender")
