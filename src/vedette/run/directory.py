"""Looking up people and groups in the directory, over Graph."""

from __future__ import annotations

import re

from vedette.flow.talk import Ask
from vedette.model import Owner
from vedette.run.drive import Driver
from vedette.run.people import Lookup
from vedette.wire import people

_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_GROUP = "group:"


def directory(driver: Driver, endpoint: str) -> Lookup:
    """Return what finds a user by UPN or object id, and a group as `group:NAME`, there."""

    async def lookup(word: str) -> Owner:
        if not word.lower().startswith(_GROUP):
            reply = await driver.ask(Ask(call=people.user(endpoint, word), of=word))
            return people.person(reply, word)
        name = word[len(_GROUP) :]
        by_id = _GUID.fullmatch(name) is not None
        call = people.group(endpoint, name) if by_id else people.groups(endpoint, name)
        return people.team(await driver.ask(Ask(call=call, of=word)), name)

    return lookup
