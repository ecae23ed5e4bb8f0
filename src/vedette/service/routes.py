"""Which path is whose: the table of everything the service answers to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from msgspec import Struct

from vedette.service import entra, graph, management, people
from vedette.service.answer import Answer
from vedette.service.arm import INCIDENTS, Collection
from vedette.service.ask import Ask
from vedette.service.cases import CASES
from vedette.service.faces import Face
from vedette.wire.problems import Fault

Handler = Callable[..., Answer]


class Route(Struct, frozen=True, kw_only=True):
    """
    What answers at a path, per method. `is_open` needs no caller; a route without methods is
    nowhere.
    """

    face: Face
    methods: Mapping[str, Handler] = {}
    is_open: bool = False

    def nowhere(self, ask: Ask) -> Fault:
        """Return what this face says of a path that leads nowhere."""
        if self.face == "graph":
            last = ask.path[-1] if ask.path else ""
            return Fault(400, "BadRequest", f"Resource not found for the segment '{last[:100]}'.")
        if self.face == "entra":
            return Fault(404, "invalid_request", "AADSTS900561: The endpoint does not exist.")
        if len(ask.path) > 1 and "providers" in {part.lower() for part in ask.path}:
            return Fault(
                400,
                "NoRegisteredProviderFound",
                "No registered resource provider found for location 'global' and API version"
                f" '{ask.query.get('api-version', '')[:60]}' for type '{ask.path[-1][:100]}'.",
            )
        return Fault(404, "NotFound", "No resource answers to this path.")


_SUBSCRIPTION = "subscriptions/{}"
_GROUP = f"{_SUBSCRIPTION}/resourcegroups/{{}}"
_WORKSPACES = "providers/microsoft.operationalinsights/workspaces"
_WORKSPACE = f"{_GROUP}/{_WORKSPACES}/{{}}"
_INSIGHTS = f"{_WORKSPACE}/providers/microsoft.securityinsights"
_PERMISSIONS = "providers/microsoft.authorization/permissions"


def _collection(path: str, of: Collection) -> dict[str, Route]:
    one = {"GET": of.read, "PUT": of.put, "DELETE": of.delete}
    if of.is_patched:
        one["PATCH"] = of.patch
    comment = {"GET": of.read_comment, "PUT": of.put_comment, "DELETE": of.delete_comment}
    return {
        path: Route(face="arm", methods={"GET": of.list}),
        f"{path}/{{}}": Route(face="arm", methods=one),
        f"{path}/{{}}/comments": Route(face="arm", methods={"GET": of.comments}),
        f"{path}/{{}}/comments/{{}}": Route(face="arm", methods=comment),
    }


def _get(handler: Handler, face: Face = "arm", *, is_open: bool = False) -> Route:
    return Route(face=face, methods={"GET": handler}, is_open=is_open)


_ROUTES: dict[str, Route] = {
    **_collection(f"{_INSIGHTS}/incidents", INCIDENTS),
    **_collection(f"{_INSIGHTS}/cases", CASES),
    f"{_INSIGHTS}/onboardingstates": _get(management.onboarding),
    f"{_INSIGHTS}/onboardingstates/{{}}": _get(management.onboarding),
    "subscriptions": _get(management.subscriptions),
    _SUBSCRIPTION: _get(management.subscription),
    f"{_SUBSCRIPTION}/resourcegroups": _get(management.groups),
    f"{_SUBSCRIPTION}/{_WORKSPACES}": _get(management.workspace_list),
    f"{_GROUP}/{_WORKSPACES}": _get(management.workspace_list),
    _WORKSPACE: _get(management.workspace),
    f"{_SUBSCRIPTION}/{_PERMISSIONS}": _get(management.permissions),
    f"{_GROUP}/{_PERMISSIONS}": _get(management.permissions),
    f"{_WORKSPACE}/{_PERMISSIONS}": _get(management.permissions),
    "tenants": _get(management.tenants),
    "metadata/endpoints": _get(management.metadata, is_open=True),
    # @ is a version of Graph
    "@/security/incidents": _get(graph.listed, "graph"),
    "@/security/incidents/{}": Route(
        face="graph", methods={"GET": graph.read, "PATCH": graph.patch}
    ),
    "@/security/incidents/{}/comments": Route(face="graph", methods={"POST": graph.comment}),
    "@/users": _get(lambda ask, version: people.some(ask, version, "users"), "graph"),
    "@/groups": _get(lambda ask, version: people.some(ask, version, "groups"), "graph"),
    "@/users/{}": _get(lambda ask, version, name: people.one(ask, version, "users", name), "graph"),
    "@/groups/{}": _get(
        lambda ask, version, name: people.one(ask, version, "groups", name), "graph"
    ),
    "common/discovery/instance": _get(entra.instance, "entra", is_open=True),
    "{}/oauth2/v2.0/token": Route(face="entra", methods={"POST": entra.token}, is_open=True),
    "{}/oauth2/token": Route(face="entra", methods={"POST": entra.token}, is_open=True),
    "{}/v2.0/.well-known/openid-configuration": _get(entra.discovery, "entra", is_open=True),
    "{}/.well-known/openid-configuration": _get(entra.discovery, "entra", is_open=True),
    "{}/discovery/v2.0/keys": _get(entra.keys, "entra", is_open=True),
}
_VERSIONS = ("v1.0", "beta")
_ARM_NOWHERE = Route(face="arm")
_GRAPH_NOWHERE = Route(face="graph")
_OPEN_NOWHERE = Route(face="arm", is_open=True)


def _compiled() -> dict[int, list[tuple[tuple[str, ...], Route]]]:
    """Return the patterns by their number of segments: few are left to compare with."""
    table: dict[int, list[tuple[tuple[str, ...], Route]]] = {}
    for path, route in _ROUTES.items():
        pattern = tuple(path.split("/"))
        table.setdefault(len(pattern), []).append((pattern, route))
    return table


_TABLE = _compiled()


def find(path: tuple[str, ...]) -> tuple[Route, tuple[str, ...]]:
    """Return what answers at the path, in whatever case, and the names in it as they were sent."""
    for pattern, route in _TABLE.get(len(path), ()):
        names = _names(pattern, path)
        if names is not None:
            return route, names
    first = path[0].lower() if path else ""
    if first in _VERSIONS:
        return _GRAPH_NOWHERE, ()
    return (_ARM_NOWHERE if first in ("subscriptions", "providers") else _OPEN_NOWHERE), ()


def _names(pattern: tuple[str, ...], path: tuple[str, ...]) -> tuple[str, ...] | None:
    names: list[str] = []
    for wanted, asked in zip(pattern, path, strict=True):
        if wanted == "{}":
            names.append(asked)
        elif wanted == "@":
            if asked.lower() not in _VERSIONS:
                return None
            names.append(asked.lower())
        elif wanted != asked.lower():
            return None
    return tuple(names)


def answers() -> dict[str, Any]:
    """Return the paths and methods that are answered, for documentation and its tests."""
    return {path: tuple(route.methods) for path, route in _ROUTES.items()}
