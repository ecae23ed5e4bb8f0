"""
A path and what answers there. Every module names its own paths in a table; `routes` joins
them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec import Struct

from vedette.service.answer import Answer
from vedette.service.ask import Ask
from vedette.service.faces import Face
from vedette.wire.problems import Fault

Handler = Callable[..., Answer]

SUBSCRIPTION = "subscriptions/{}"
GROUP = f"{SUBSCRIPTION}/resourcegroups/{{}}"
WORKSPACES = "providers/microsoft.operationalinsights/workspaces"
WORKSPACE = f"{GROUP}/{WORKSPACES}/{{}}"
INSIGHTS = f"{WORKSPACE}/providers/microsoft.securityinsights"


class Route(Struct, frozen=True, kw_only=True):
    """
    What answers at a path, per method. `is_open` needs no caller; a route without methods is
    nowhere. In a `path`, lower-case, `{}` is any name and `@` a version of Graph.
    """

    face: Face
    methods: Mapping[str, Handler] = {}
    is_open: bool = False
    path: str = ""

    def nowhere(self, ask: Ask) -> Fault:
        """Return what this face says of a path that leads nowhere."""
        if self.face == "graph":
            last = ask.path[-1] if ask.path else ""
            return Fault(400, "BadRequest", f"Resource not found for the segment '{last[:100]}'.")
        if self.face == "defender":
            return Fault(404, "NotFound", "No resource answers to this path.")
        if self.face == "logs":
            return Fault(404, "PathNotFoundError", "The requested path does not exist")
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


def get(handler: Handler, face: Face = "arm", *, is_open: bool = False) -> Route:
    """Return a route that is only read."""
    return Route(face=face, methods={"GET": handler}, is_open=is_open)
