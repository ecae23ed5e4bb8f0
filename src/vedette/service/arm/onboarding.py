"""
Onboarding states: whether Sentinel is on a workspace. There is one state, `default`; making
it puts Sentinel on the workspace, removing it takes Sentinel away.

What was there stays and is back when the workspace is onboarded again: Microsoft keeps it
for a while too, and this service's worlds are short.

https://learn.microsoft.com/azure/sentinel/offboard
"""

from __future__ import annotations

from typing import Any

from vedette.service.answer import Answer
from vedette.service.arm.enter import allowed, found, subscribed, workspace_id
from vedette.service.arm.incidents import missing
from vedette.service.arm.versions import version
from vedette.service.ask import Ask
from vedette.service.route import INSIGHTS, Route, get
from vedette.service.state.records import Workspace
from vedette.wire.bodies import body, fresh, refused

KIND = "onboardingStates"
NAME = "default"
KEPT = "onboardingState"
_TYPE = f"Microsoft.SecurityInsights/{KIND}"
_KEY = "customerManagedKey"


def listed(ask: Ask, *at: str) -> Answer:
    """Return the state, or an empty list where Sentinel is not on the workspace."""
    here = _entered(ask, at, "read")
    value = [_spelled(ask, at, here)] if here.sentinel else []
    return Answer(status=200, document={"value": value}, bucket="reads")


def read(ask: Ask, *at: str) -> Answer:
    """Return the state."""
    *where, name = at
    here = _entered(ask, where, "read", name)
    if not here.sentinel or name.lower() != NAME:
        raise missing(name)
    return Answer(status=200, document=_spelled(ask, where, here), bucket="reads")


def put(ask: Ask, *at: str) -> Answer:
    """Put Sentinel on the workspace, or say again that it is."""
    *where, name = at
    here = _entered(ask, where, "write", name)
    if name.lower() != NAME:
        # Not recorded how; the specification says that no other name is supported.
        raise refused(f"Onboarding state '{name[:100]}' is not supported, only '{NAME}' is.")
    document = body(ask.body)
    said = document.get("properties")
    key = said.get(_KEY, False) if isinstance(said, dict) else False
    if type(key) is not bool:
        raise refused(f"Error converting value for path 'properties.{_KEY}'.")
    things = ask.things()
    before = things.named(here, KEPT, NAME)
    if before is None:
        things.add(here, KEPT, NAME, {_KEY: key})
    else:
        fresh(document, name, before.etag, mandatory=False)
        things.save(before, {_KEY: key})
    _turn(ask, here, on=True)
    return Answer(
        status=200 if here.sentinel else 201,
        document=_spelled(ask, where, here),
        bucket="plain-writes",
    )


def delete(ask: Ask, *at: str) -> Answer:
    """Take Sentinel from the workspace."""
    *where, name = at
    here = _entered(ask, where, "delete", name)
    if not here.sentinel or name.lower() != NAME:
        return Answer(status=204, bucket="deletes")
    things = ask.things()
    state = things.named(here, KEPT, NAME)
    if state is not None:
        things.remove(state)
    else:
        things.happened(here, KEPT, "delete", NAME, None)
    _turn(ask, here, on=False)
    return Answer(status=200, document={}, bucket="deletes")


def _entered(ask: Ask, at: Any, does: str, *below: str) -> Workspace:
    """Return the workspace, Sentinel or not, in which the caller may do this."""
    version(ask, KIND, "global")
    subscription, group, name = at
    subscribed(ask, subscription)
    within = "".join(f"/{segment}" for segment in (KIND, *below))
    scope = workspace_id(subscription, group, name)
    allowed(ask, f"{_TYPE}/{does}", f"{scope}/providers/Microsoft.SecurityInsights{within}")
    return found(ask, subscription, group, name)


def _turn(ask: Ask, here: Workspace, *, on: bool) -> None:
    ask.connection.execute(
        "UPDATE workspace SET sentinel = ? WHERE serial = ?", (int(on), here.serial)
    )


def _spelled(ask: Ask, at: Any, here: Workspace) -> dict[str, Any]:
    # A workspace that was made with Sentinel on it has no state of its own to tell of.
    state = ask.things().named(here, KEPT, NAME)
    return {
        "id": f"{workspace_id(*at)}/providers/{_TYPE}/{NAME}",
        "name": NAME,
        **({} if state is None else {"etag": state.etag}),
        "type": _TYPE,
        "properties": {_KEY: bool(state and state.record[_KEY])},
    }


ROUTES = {
    f"{INSIGHTS}/onboardingstates": get(listed),
    f"{INSIGHTS}/onboardingstates/{{}}": Route(
        face="arm", methods={"GET": read, "PUT": put, "DELETE": delete}
    ),
}
