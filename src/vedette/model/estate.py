"""What an identity was found to reach: tenants and the workspaces in them, with names to type."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct


class HeldTenant(Struct, frozen=True, kw_only=True):
    """
    An Entra tenant. `defender` says whether its Defender XDR incidents could be read; where
    not, `why` says what stood against it. `identity` is as whom, where not as everywhere.
    """

    alias: str
    id: str
    name: str | None = None
    defender: bool = False
    why: str | None = None
    identity: Mapping[str, str] | None = None


class HeldWorkspace(Struct, frozen=True, kw_only=True):
    """
    A workspace with Sentinel. `tenant` is whose it is and `via`, for one that was delegated by
    Azure Lighthouse, the tenant whose sign-in opens it; both are aliases.
    """

    alias: str
    id: str
    tenant: str
    via: str | None = None
    subscription: str
    location: str | None = None
    groups: tuple[str, ...] = ()


class Estate(Struct, frozen=True, kw_only=True):
    """
    A connection to be, as settings spell it: `endpoints` are `cloud`, or `arm`, `graph`,
    `login` and perhaps `ca`; `bare` counts the workspaces that have no Sentinel.
    """

    profile: str
    endpoints: Mapping[str, str]
    identity: Mapping[str, str]
    dialect: str = "sentinel"
    tenants: tuple[HeldTenant, ...] = ()
    workspaces: tuple[HeldWorkspace, ...] = ()
    bare: int = 0
