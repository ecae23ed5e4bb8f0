"""A fault to bring about from a test, one at a time: met once, unless told otherwise."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from vedette.service.faults.script import Rule
from vedette.wire.http import Delivery


class Trouble(Struct, frozen=True, kw_only=True):
    """
    What calls of `method` (any, if None) to paths that begin with `path` meet, `times` times.
    With a `status` the call is refused and nothing is done. Without one it is done, and only
    the reply fares as `delivery` says; `close` before means that nothing was done either.
    Sign-in meets it only where `path` names it.
    """

    method: str | None = None
    path: str = "/"
    status: int | None = None
    code: str | None = None
    message: str | None = None
    headers: Mapping[str, str] = {}
    times: int = 1
    delivery: Delivery | None = None

    def rule(self) -> Rule:
        """Return it as a fault of a script."""
        return Rule(
            what="deliver" if self.status is None else "refuse",
            method=self.method,
            path=self.path,
            status=self.status,
            code=self.code,
            message=self.message,
            headers=dict(self.headers),
            times=self.times,
            delivery=self.delivery,
        )
