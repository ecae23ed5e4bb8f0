"""
Secrets of a world besides its applications': made of those when they are first asked for, and
kept. Nobody learns the ones from the others.
"""

from __future__ import annotations

import hmac
import sqlite3
from hashlib import sha256

IDENTITY = "identity_header"
"""What a site shows to get tokens of its machine's identity (the setting of this name)."""
DEVICES = "device_codes"
"""What the codes of devices are derived from."""

CONTROL = "control_key"
"""What the control endpoint asks for."""
EVERY = (IDENTITY, DEVICES, CONTROL)


def kept_secret(connection: sqlite3.Connection, name: str) -> str:
    """Return the world's secret of this name, hexadecimal."""
    row = connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
    if row is not None:
        return str(row[0])
    known = connection.execute("SELECT id, secret FROM app ORDER BY id").fetchall()
    key = "\n".join(f"{app}={secret}" for app, secret in known)
    made = hmac.new(key.encode(), f"vedette/{name}".encode(), sha256).hexdigest()
    connection.execute("INSERT INTO setting (name, value) VALUES (?, ?)", (name, made))
    return made


def derived(connection: sqlite3.Connection, name: str, *parts: object) -> str:
    """Return what follows from these parts for whoever knows the secret of this name."""
    key = kept_secret(connection, name).encode()
    told = "\n".join(str(part) for part in parts)
    return hmac.new(key, told.encode(), sha256).hexdigest()
