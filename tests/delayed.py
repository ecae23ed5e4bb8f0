"""A world whose planes see each other's changes late, and how each of them sees an incident."""

from __future__ import annotations

from vedette.service.state.settings import Settings, keep

DELAY = 60


def late(it, seconds=DELAY, **more):
    it.connection.execute("BEGIN")
    keep(it.connection, Settings(sync_delay=seconds, **more))
    it.connection.execute("COMMIT")
    return it


def on_arm(it, name):
    return it.arm("GET", f"/incidents/{name}").json


def on_graph(it, xdr):
    return it.graph("GET", f"/{xdr}").json


def put(it, document, **properties):
    document["properties"] |= properties
    return it.arm("PUT", f"/incidents/{document['name']}", document)
