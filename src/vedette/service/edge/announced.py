"""What a service that is ready says, and leaves in its folder for others to find."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

from vedette.service.edge import environment
from vedette.service.edge.folder import private
from vedette.service.edge.shapes import Shape, spelled
from vedette.service.edge.trust import Trust


def announced(
    folder: Path,
    connection: sqlite3.Connection,
    trust: Trust,
    *,
    url: str,
    proxy: str,
    door: str,
) -> Mapping[str, Any]:
    """Write service.json and service.env, and return what the former says."""
    told = environment.described(
        connection,
        url,
        authority=str(trust.authority),
        bundle=str(trust.bundle),
        process=os.getpid(),
        proxy=proxy,
        door=door,
    )
    variables = spelled(told["environment"]).encode()
    private(folder / "service.env", variables)
    private(folder / "service.json", json.dumps(told, indent=2).encode())
    return told


def greet(told: Mapping[str, Any], folder: Path, shape: Shape | None, to: TextIO) -> None:
    """Print the ready line, and the variables where they are asked for in some `shape`."""
    line = {"ready": True, "url": told["url"], "data": str(folder), "process": told["process"]}
    if "proxy" in told:
        line["proxy"] = told["proxy"]
    text = "" if shape is None else spelled(told["environment"], shape)
    to.write(f"{json.dumps(line)}\n{text}")
    to.flush()
