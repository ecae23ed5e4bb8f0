"""
Subscriptions that their tenants let others work in (Azure Lighthouse). The others' principals
still need roles there, as everybody does; Graph and sign-in know nothing of it.

https://learn.microsoft.com/azure/lighthouse/concepts/architecture
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping

import msgspec

_NAME = "delegated"


def delegations(connection: sqlite3.Connection) -> Mapping[str, tuple[str, ...]]:
    """Return, by subscription, the tenants that manage it besides its own."""
    row = connection.execute("SELECT value FROM setting WHERE name = ?", (_NAME,)).fetchone()
    return {} if row is None else msgspec.json.decode(row[0], type=dict[str, tuple[str, ...]])


def is_opened_to(connection: sqlite3.Connection, subscription: str, tenant: str) -> bool:
    """Whether another tenant may work in the subscription."""
    return tenant in delegations(connection).get(subscription.lower(), ())


def delegate(connection: sqlite3.Connection, told: Mapping[str, tuple[str, ...]]) -> None:
    """Let these tenants manage these subscriptions from now on, and no others."""
    spelled = {subscription.lower(): tenants for subscription, tenants in told.items() if tenants}
    connection.execute("DELETE FROM setting WHERE name = ?", (_NAME,))
    if spelled:
        value = msgspec.json.encode(spelled, order="sorted").decode()
        connection.execute("INSERT INTO setting VALUES (?, ?)", (_NAME, value))
