"""
People and groups in the directory, on Microsoft Graph: the calls that look one up, what
the answers mean as an owner, and the documents of the service that answers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from vedette.errors import Asked, Denied, Garbled, Unknown
from vedette.model import Owner
from vedette.wire.http import Call, Reply, document
from vedette.wire.links import segment
from vedette.wire.loose import text
from vedette.wire.problems import Fault, clean, problem

_VERSION = "/v1.0"
_USER = "$select=id,displayName,mail,userPrincipalName"
_GROUP = "$select=id,displayName,mail"


def user(endpoint: str, who: str) -> Call:
    """Ask Graph at this endpoint for a person, by sign-in name or object id."""
    return Call(method="GET", url=f"{endpoint}{_VERSION}/users/{segment(who)}?{_USER}")


def group(endpoint: str, id: str) -> Call:
    """Ask for a group by object id."""
    return Call(method="GET", url=f"{endpoint}{_VERSION}/groups/{segment(id)}?{_GROUP}")


def groups(endpoint: str, name: str) -> Call:
    """Ask for the groups of exactly this name; names are not unique in a directory."""
    quoted = name.replace("'", "''")
    clause = quote(f"displayName eq '{quoted}'", safe="'")
    return Call(method="GET", url=f"{endpoint}{_VERSION}/groups?$filter={clause}&{_GROUP}&$top=2")


def person(reply: Reply, who: str) -> Owner:
    """Return the person who was asked for; nobody of that name is `Unknown`."""
    if reply.status == 404:
        raise Unknown(
            f"the directory knows nobody called {who!r}",
            hint="a sign-in name (first@contoso.example) or an object id; groups are group:NAME",
        )
    return _owner(_answer(reply, who, _USERS), who, "User")


def team(reply: Reply, name: str) -> Owner:
    """Return the group that was asked for, by id or by name; there must be exactly one."""
    if reply.status == 404:
        raise Unknown(f"the directory knows no group {name!r}")
    told = _answer(reply, name, _GROUPS)
    found = told.get("value", [told])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise Garbled(f"group {name!r}: the answer holds no groups where they belong").about(
            reply.request
        )
    if not found:
        raise Unknown(f"the directory knows no group {name!r}")
    if len(found) > 1:
        ids = " and ".join(clean(one.get("id"), 40) for one in found[:2])
        raise Asked(f"more than one group is called {name!r}", hint=f"name one by id: {ids}")
    return _owner(found[0], name, "Group")


# https://learn.microsoft.com/graph/permissions-reference
_USERS, _GROUPS = "User.ReadBasic.All", "GroupMember.Read.All"


def _answer(reply: Reply, of: str, permission: str) -> dict[str, Any]:
    if reply.status == 403:
        raise Denied(
            f"looking up {of!r} needs the Microsoft Graph permission {permission}",
            hint="grant it to the application, with an administrator's consent, or name them"
            " under [people] in the settings, with upn and objectId",
        ).about(reply.request)
    if reply.status != 200:
        raise problem(reply, f"looking up {of!r}")
    told = document(reply, f"looking up {of!r}")
    if not isinstance(told, dict):
        raise Garbled(f"looking up {of!r}: the answer is no object").about(reply.request)
    return told


def _owner(told: Mapping[str, Any], who: str, kind: str) -> Owner:
    found = text(told.get("id"))
    if not found:
        raise Garbled(f"looking up {who!r}: the answer has no id")
    return Owner(
        object_id=found,
        upn=text(told.get("userPrincipalName")),
        email=text(told.get("mail")),
        name=text(told.get("displayName")),
        kind=kind,
    )


# ---- the service's side


def spell_user(owner: Owner, endpoint: str) -> dict[str, Any]:
    """Return a person as Graph sends one, with the members that are asked for most."""
    return {
        "@odata.context": f"{endpoint}{_VERSION}/$metadata#users/$entity",
        "displayName": owner.name,
        "mail": owner.email,
        "userPrincipalName": owner.upn,
        "id": owner.object_id,
    }


def spell_group(owner: Owner) -> dict[str, Any]:
    """Return a group as Graph sends one."""
    return {"id": owner.object_id, "displayName": owner.name, "mail": owner.email}


def listed(documents: Sequence[Mapping[str, Any]], endpoint: str, of: str) -> dict[str, Any]:
    """Return a list of `users` or `groups`."""
    context = f"{endpoint}{_VERSION}/$metadata#{of}"
    return {"@odata.context": context, "value": list(documents)}


def asked_name(clause: str) -> str:
    """Return the name that a `$filter` on groups or users asks for; other filters are refused."""
    path, _, literal = clause.strip().partition(" eq ")
    literal = literal.strip()
    inside = literal[1:-1].replace("''", "")
    is_text = len(literal) >= 2 and literal[0] == literal[-1] == "'" and "'" not in inside
    if path.strip().lower() != "displayname" or not is_text:
        raise Fault(400, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause.")
    return literal[1:-1].replace("''", "'")


def nobody(id: str) -> Fault:
    """Return the refusal for an object that is not in the directory."""
    return Fault(
        404,
        "Request_ResourceNotFound",
        f"Resource '{id}' does not exist or one of its queried reference-property objects "
        "are not present.",
    )
