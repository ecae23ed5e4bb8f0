"""What a checkup found: as whom one speaks, what answers, what may be done, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

Word = Literal["ok", "warning", "failing"]


class Finding(Struct, frozen=True, kw_only=True):
    """
    One thing that was looked at. `places` are the aliases it is about, empty where it is about
    everything; `way` is the way out.
    """

    about: str
    word: Word
    what: str
    way: str | None = None
    places: tuple[str, ...] = ()


class Signer(Struct, frozen=True, kw_only=True):
    """
    An identity in a tenant. `life` is how many seconds its token is good for, `application`
    the client it came through, `permissions` what its token allows on Graph (roles or scopes;
    None where there is no such token).
    """

    kind: str
    tenant: str | None = None
    name: str | None = None
    object_id: str | None = None
    tenant_id: str | None = None
    application: str | None = None
    life: int | None = None
    permissions: tuple[str, ...] | None = None


class Endpoint(Struct, frozen=True, kw_only=True):
    """Something that was spoken to; `seconds` is the shortest answer, None where none came."""

    name: str
    url: str
    seconds: float | None = None


class Ward(Struct, frozen=True, kw_only=True):
    """
    A place. `commands` are those that can be used there and `missing` the actions that are
    not allowed; `defender` says whether its incidents come from Defender, None where that
    cannot be told; `left` are the quota headers that were seen.
    """

    alias: str
    id: str
    plane: str
    tenant: str | None = None
    answers: bool = False
    commands: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    defender: bool | None = None
    left: Mapping[str, int] = {}


class Checkup(Struct, frozen=True, kw_only=True):
    """The whole; `skew` is by how many seconds this machine's clock is ahead."""

    profile: str
    signers: tuple[Signer, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    places: tuple[Ward, ...] = ()
    skew: float | None = None
    findings: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Word:
        """The worst word of all."""
        words = {one.word for one in self.findings}
        return "failing" if "failing" in words else "warning" if "warning" in words else "ok"
