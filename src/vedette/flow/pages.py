"""Reading a list to its end, whatever the service's links say."""

from __future__ import annotations

from collections.abc import Generator

from vedette.errors import Strayed
from vedette.flow.talk import Ask, Heard, heard
from vedette.model.select import Bound
from vedette.wire.dialect import Dialect, Page
from vedette.wire.problems import problem

_PAGES = 100_000


def pages(
    dialect: Dialect, bounds: tuple[Bound, ...] = (), top: int | None = None
) -> Generator[Ask | Page, Heard | None, None]:
    """
    Yield questions and, between them, the pages they brought, to the last. A link that comes
    round again, or leads outside the place, ends it with an error before it is followed.
    """
    of = f"incidents of {dialect.place.name}"
    call = dialect.list(bounds, top)
    followed: set[str] = set()
    while True:
        answer = yield Ask(call=call, of=of)
        assert answer is not None
        reply = heard(answer)
        if reply.status != 200:
            raise problem(reply, of)
        page = dialect.page(reply)
        yield page
        if page.link is None:
            return
        if page.link in followed or len(followed) >= _PAGES:
            raise Strayed(
                f"{of}: page {len(followed) + 1} links back to a page already read",
                hint="the list may be incomplete, so nothing was done with it",
            ).about(reply.request)
        followed.add(page.link)
        call = dialect.follow(page.link)
