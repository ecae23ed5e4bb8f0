"""Listening on this machine: sockets that are bound, or a sentence that says why not."""

from __future__ import annotations

import ipaddress
import os
import socket

from vedette.errors import Asked, Failed


def listener(host: str, port: int, option: str = "--port") -> socket.socket:
    """
    Return a socket bound to the address, port 0 taking any that is free; `Failed` names the
    `option` that chooses another.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name == "posix":
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
    except OSError as error:
        made.close()
        raise Failed(
            f"cannot listen on {host} port {port}: {error.strerror}",
            hint=f"choose another {option}; 0 takes any that is free",
        ) from error
    return made


def twin(port: int) -> socket.socket | None:
    """Return a socket on the same port of ::1, where the machine has such an address."""
    # `localhost` is ::1 first for some clients; without IPv6 they fall back by themselves.
    try:
        return listener("::1", port)
    except (Failed, OSError):
        return None


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach the address."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost"
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped.is_loopback
    return address.is_loopback


def bound(host: str, *, anywhere: bool) -> str:
    """Return the address to listen on; `Asked` where others reach it and `anywhere` is not said."""
    if not anywhere and not is_loopback(host):
        raise Asked(
            f"{host} can be reached from other machines",
            hint="this service's secrets are made for one machine; --anywhere says otherwise",
        )
    return "127.0.0.1" if host == "localhost" else host


def near(host: str) -> str:
    """Return the address at which this machine reaches a socket that listens on `host`."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - compared, not bound
