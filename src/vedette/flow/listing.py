"""Reading a list of ARM's to its end: subscriptions, workspaces, permissions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from vedette.errors import Strayed
from vedette.flow.talk import Ask, Talk, heard
from vedette.wire.http import Call
from vedette.wire.management import follow, page

_PAGES = 10_000


def listing(first: Call, of: str) -> Talk[list[Mapping[str, Any]]]:
    """
    Ask for a list and return its documents, to the last. A link that comes round again, or
    leads elsewhere, ends it with `Strayed` before it is followed.
    """
    call, found = first, []
    followed: set[str] = set()
    while True:
        told, link = page(heard((yield Ask(call=call, of=of))), of)
        found += told
        if link is None:
            return found
        call = follow(link, first)
        if call.url in followed or call.url == first.url or len(followed) >= _PAGES:
            raise Strayed(
                f"{of}: page {len(followed) + 1} links back to a page already read",
                hint="the list may be incomplete, so nothing was done with it",
            )
        followed.add(call.url)
