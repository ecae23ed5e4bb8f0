"""
The directory on Graph: users and groups, looked up by id, by name, or by a filter.

https://learn.microsoft.com/graph/api/user-get
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from vedette.service import paging
from vedette.service.answer import Answer
from vedette.service.ask import Ask
from vedette.service.caller import granted
from vedette.service.route import get
from vedette.wire.problems import Fault

_READS = {
    "users": ("User.Read.All", "User.ReadBasic.All", "User.ReadWrite.All", "Directory.Read.All"),
    "groups": (
        "GroupMember.Read.All",
        "Group.Read.All",
        "Group.ReadWrite.All",
        "Directory.Read.All",
    ),
}
_KINDS = {"users": "user", "groups": "group"}
_FIELDS = {
    "id": "id",
    "displayname": "name",
    "userprincipalname": "upn",
    "mail": "email",
}
_TERM = re.compile(
    r"\s*(?:(?P<field>\w+)\s+eq\s+'(?P<value>(?:[^']|'')*)'"
    r"|startswith\(\s*(?P<of>\w+)\s*,\s*'(?P<start>(?:[^']|'')*)'\s*\))\s*",
    re.IGNORECASE,
)
_SEARCH = re.compile(r'"(?P<field>\w+):(?P<text>[^"]{1,200})"', re.ASCII)
MOST_TERMS = 100
"""How many comparisons a filter may have; a bound of this service's own, which asks SQL."""
_JOIN = re.compile(r"(and|or)\b", re.IGNORECASE)


def one(ask: Ask, version: str, kind: str, id: str) -> Answer:
    """Return one user (by id or UPN) or group (by id)."""
    kind = _allowed(ask, kind)
    row = ask.connection.execute(
        "SELECT id, name, upn, email, title FROM principal"
        " WHERE kind = ? AND tenant = ? AND (id = ? OR upn = ?)",
        (_KINDS[kind], ask.caller.tenant, id.lower(), id),
    ).fetchone()
    if row is None:
        raise Fault(
            404,
            "Request_ResourceNotFound",
            f"Resource '{id[:200]}' does not exist or one of its queried reference-property"
            " objects are not present.",
        )
    context = f"{ask.endpoint}/{version}/$metadata#{kind}/$entity"
    return Answer(status=200, document={"@odata.context": context, **_spelled(ask, kind, row)})


def some(ask: Ask, version: str, kind: str) -> Answer:
    """Return the users or groups that a filter of `eq` and `startswith` leaves, by name."""
    kind = _allowed(ask, kind)
    where, arguments = _where(ask.query.get("$filter", ""))
    sought, words = _sought(ask)
    rows = ask.connection.execute(
        # `where` is made of column names from the table above, and of question marks.
        "SELECT id, name, upn, email, title FROM principal"  # noqa: S608  # as said above
        f" WHERE kind = ? AND tenant = ? AND ({where}) AND {sought} ORDER BY name",
        (_KINDS[kind], ask.caller.tenant, *arguments, *words),
    ).fetchall()
    top, skip = _number(ask, "$top", 100), _number(ask, "$skiptoken", 0)
    document: dict[str, Any] = {
        "@odata.context": f"{ask.endpoint}/{version}/$metadata#{kind}",
    }
    if ask.query.get("$count", "").lower() == "true":
        document["@odata.count"] = len(rows)
    if skip + top < len(rows):
        names = ("$top", "$filter", "$search", "$select", "$count")
        tail = ("$skiptoken", str(skip + top))
        document["@odata.nextLink"] = paging.link(ask.url, ask, names, tail, readable="/():,'$")
    document["value"] = [_spelled(ask, kind, row) for row in rows[skip : skip + top]]
    return Answer(status=200, document=document)


def _allowed(ask: Ask, kind: str) -> str:
    kind = kind.lower()
    if not granted(ask.caller, _READS[kind]):
        # The directory's own words for it, not the security API's.
        raise Fault(
            403,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation.",
        )
    return kind


def _spelled(ask: Ask, kind: str, row: tuple[Any, ...]) -> Mapping[str, Any]:
    person, name, upn, email, title = row
    given, _, surname = name.partition(" ")
    whole: dict[str, Any] = {
        "businessPhones": [],
        "displayName": name,
        "givenName": given,
        "jobTitle": title,
        "mail": email,
        "mobilePhone": None,
        "officeLocation": None,
        "preferredLanguage": None,
        "surname": surname,
        "userPrincipalName": upn,
        "id": person,
    }
    if kind == "groups":
        whole = {
            "id": person,
            "displayName": name,
            "description": None,
            "groupTypes": [],
            "mail": email,
            "mailEnabled": False,
            "securityEnabled": True,
        }
    wanted = {part.strip().lower() for part in ask.query.get("$select", "").split(",")} - {""}
    if not wanted:
        return whole
    return {field: value for field, value in whole.items() if field.lower() in wanted}


def _where(text: str) -> tuple[str, list[str]]:
    """Return a filter as SQL with its arguments; comparing here knows no case."""
    if not text.strip():
        return "1", []
    parts: list[str] = []
    arguments: list[str] = []
    at = 0
    while True:
        term = _TERM.match(text, at)
        column = _FIELDS.get((term["field"] or term["of"]).lower()) if term else None
        if term is None or column is None or len(parts) >= 2 * MOST_TERMS:
            raise Fault(400, "Request_UnsupportedQuery", "Invalid filter clause")
        value = (term["value"] if term["field"] else term["start"]).replace("''", "'")
        parts.append(
            f"{column} = ? COLLATE NOCASE"
            if term["field"]
            else f"substr({column}, 1, {len(value)}) = ? COLLATE NOCASE"
        )
        arguments.append(value)
        at = term.end()
        if at == len(text):
            return " ".join(parts), arguments
        join = _JOIN.match(text, at)
        if join is None:
            raise Fault(400, "Request_UnsupportedQuery", "Invalid filter clause")
        parts.append(join[1].upper())
        at = join.end()


def _sought(ask: Ask) -> tuple[str, list[str]]:
    """Return a `$search` for one word in one property as SQL with its arguments."""
    text = ask.query.get("$search", "").strip()
    if not text:
        return "1", []
    if ask.headers.get("consistencylevel", "").lower() != "eventual":
        # https://learn.microsoft.com/graph/aad-advanced-queries: the service's own words.
        raise Fault(
            400,
            "Request_UnsupportedQuery",
            "Request with $search query parameter only works through MSGraph with a special"
            " request header: 'ConsistencyLevel: eventual'",
        )
    found = _SEARCH.fullmatch(text)
    column = _FIELDS.get(found["field"].lower()) if found else None
    if found is None or column is None:
        raise Fault(400, "Request_UnsupportedQuery", "Invalid search clause")
    return f"instr(lower({column}), ?) > 0", [found["text"].lower()]


def _number(ask: Ask, name: str, otherwise: int) -> int:
    told = ask.query.get(name, str(otherwise))
    if not told.isascii() or not told.isdigit() or len(told) > 9:
        raise Fault(400, "BadRequest", f"Invalid value for {name}.")
    return min(int(told), 999) if name == "$top" else int(told)


ROUTES = {
    "@/users": get(lambda ask, version: some(ask, version, "users"), "graph"),
    "@/groups": get(lambda ask, version: some(ask, version, "groups"), "graph"),
    "@/users/{}": get(lambda ask, version, name: one(ask, version, "users", name), "graph"),
    "@/groups/{}": get(lambda ask, version, name: one(ask, version, "groups", name), "graph"),
}
