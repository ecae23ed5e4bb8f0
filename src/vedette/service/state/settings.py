"""How a world behaves beyond what it holds: delays, limits, its clock. Kept in the world."""

from __future__ import annotations

import sqlite3
from functools import lru_cache

import msgspec
from msgspec import Struct

_encode = msgspec.json.Encoder().encode

PROFILES = (
    "off", "arm-2024", "arm-hourly", "sentinel-min", "graph-150", "xdr-50-1500", "logs-200"
)  # fmt: skip
"""The names by which a world is told what to let through; `sentinel-min` is on top of arm-2024."""


class Settings(Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    """
    Times are seconds. `sync_delay`: until one plane sees what was changed on the other.
    `entity_delay`: until the entities of a new alert can be read. `log_delay` and
    `log_coalesce`: until a change is in the log table, and the span in which several become
    one row there (on workspaces that Defender has). `item_delay`: until a written watchlist
    item or indicator can be read. `ahead`: how far the service's clock is ahead of its
    edge's. `limits` names a profile of limits; `mirror_api` lets incidents made on ARM appear on
    Defender; `log_keep` is how many calls are remembered. Tokens that are good from before
    `tokens_from`, in seconds since 1970, have expired. `token_life`: how long a token
    lasts. `device_person` signs in by itself wherever a device asks; `managed_identity` is the
    application behind the machine's own identity (left empty: the operator).
    """

    limits: str = "off"
    sync_delay: float = 0.0
    entity_delay: float = 0.0
    item_delay: float = 0.0
    log_delay: float = 0.0
    log_coalesce: float = 0.0
    ahead: float = 0.0
    mirror_api: bool = False
    log_keep: int = 100_000
    tokens_from: int = 0
    token_life: int = 3_599
    device_person: str = ""
    managed_identity: str = ""


DEFAULT = Settings()


def profiles(text: str) -> frozenset[str]:
    """Return the profiles named in a text; ValueError names one that nobody knows."""
    named = frozenset(part.strip() for part in text.split(",")) - {"", "off"}
    for one in sorted(named - {*PROFILES}):
        raise ValueError(f"{one[:60]!r} is no profile of limits; there are {', '.join(PROFILES)}")
    return named


def settings(connection: sqlite3.Connection) -> Settings:
    """Return how this world behaves now."""
    row = connection.execute("SELECT value FROM setting WHERE name = 'service'").fetchone()
    return DEFAULT if row is None else _decoded(row[0])


@lru_cache(maxsize=64)
def _decoded(text: str) -> Settings:
    return msgspec.json.decode(text, type=Settings)


def keep(connection: sqlite3.Connection, told: Settings) -> None:
    """Let the world behave like this from now on; ValueError where no call could be counted so."""
    profiles(told.limits)
    connection.execute(
        "INSERT INTO setting (name, value) VALUES ('service', ?)"
        " ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (_encode(told).decode(),),
    )
