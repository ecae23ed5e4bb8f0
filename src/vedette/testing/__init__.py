"""
The local service for tests of your own automation, as a plugin that pytest finds by itself.

`vedette_service` is a world of a test's own, made in milliseconds:

    def test_it_closes_what_the_scanner_raised(vedette_service, vedette_environment):
        made = vedette_service.make(title="Port scan", severity="Low")
        subprocess.run(["python", "close_noise.py"], check=True)
        assert vedette_service.incident(made["name"])["properties"]["status"] == "Closed"
        vedette_service.check("no-lost-update, only=status+classification")

A mark says what the world begins with:
`@pytest.mark.vedette(sample=200, seed=1, limits="arm-2024", faults="storm")`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from vedette.testing.port import Port
from vedette.testing.service import LocalService, Refused

if TYPE_CHECKING:
    from vedette.service.world import World


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line(
        "markers",
        "vedette(sample, seed, now, faults, **settings): what vedette_service begins with",
    )


@pytest.fixture(scope="session")
def _vedette_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Port]:
    port = Port(tmp_path_factory.mktemp("vedette"))
    yield port
    port.stop()


@pytest.fixture
def vedette_service(request: pytest.FixtureRequest, _vedette_port: Port) -> Iterator[LocalService]:
    """Give a fresh world: nobody else's, and forgotten after the test."""
    from vedette.service.state.sample import fill  # noqa: PLC0415 - as above
    from vedette.service.state.schema import connect  # noqa: PLC0415 - as above
    from vedette.service.world import World  # noqa: PLC0415 - as above

    told = _told(request)
    ahead = _ahead(told.pop("now", None))

    def now() -> datetime:
        return datetime.now(UTC) + ahead

    def made() -> World:
        connection = connect()
        connection.execute("BEGIN")
        fill(connection, count=told.pop("sample", 0), seed=told.pop("seed", 0), now=now())
        world = World(connection)
        _vedette_port.inherit(world)
        connection.execute("COMMIT")
        return world

    world = _vedette_port.run(made)
    try:
        service = LocalService(world, _vedette_port, now)
        faults = told.pop("faults", None)
        if told:
            service.behave(**told)
        if faults is not None:
            service.fail(faults)
        yield service
    finally:
        _vedette_port.leave(world)


@pytest.fixture
def vedette_environment(
    vedette_service: LocalService, monkeypatch: pytest.MonkeyPatch
) -> Mapping[str, str]:
    """Set the variables that bring unmodified clients to this test's world, and return them."""
    for name in os.environ:
        if name.startswith(("VEDETTE_", "AZURE_")):
            monkeypatch.delenv(name)
    told = vedette_service.environment
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    return told


def _told(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Return what the marks of a test say, the nearest one first."""
    told: dict[str, Any] = {}
    for mark in request.node.iter_markers("vedette"):
        if mark.args:
            raise pytest.UsageError("the mark vedette takes names: vedette(sample=20)")
        told = {**mark.kwargs, **told}
    return told


def _ahead(now: str | datetime | None) -> timedelta:
    if now is None:
        return timedelta()
    at = datetime.fromisoformat(now) if isinstance(now, str) else now
    return (at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)


__all__ = ["LocalService", "Refused", "vedette_environment", "vedette_service"]
