"""A service with its proxy and its door, and ways to speak to them."""

from __future__ import annotations

import http.client
import os
import socket
from datetime import UTC, datetime
from urllib.parse import urlsplit

from served import EU, INSIGHTS, VERSION, Clock, Socket, inhabited
from vedette.service.app import Service
from vedette.service.edge.environment import described
from vedette.service.edge.trust import trusted
from vedette.service.state import cast

LIST = f"{EU}{INSIGHTS}/incidents?api-version={VERSION}"
ARM = "management.azure.com"


class Proxied(Socket):
    """A service with its proxy and its door."""

    def __init__(self, folder, count=0):
        super().__init__(inhabited(count), Clock(), folder)
        self._run(self.service.stop())
        self.trust = trusted(folder, datetime.now(UTC))
        self.service = Service(self.world, self.trust, clock=self.clock, proxy=0, door=0)
        self._run(self.service.start())
        self.url = self.service.url
        self._wire.close()
        self._wire = self.wire(f"localhost:{self.service.port}")

    @property
    def port(self):
        return urlsplit(self.service.proxy_url).port

    def wire(self, authority):
        """Return a connection to this host and port, through the proxy."""
        made = http.client.HTTPSConnection("127.0.0.1", self.port, context=self.context, timeout=20)
        host, port = authority.split(":")
        made.set_tunnel(host, int(port))
        return made

    def through(self, method, host, path, body=None, **headers):
        wire = self.wire(f"{host}:443")
        told = {"Authorization": f"Bearer {self._token(cast.OPERATOR, path)}", **headers}
        wire.request(method, path, body, told)
        reply = wire.getresponse()
        read = reply.read()
        wire.close()
        return reply, read

    def spoken(self, sent, *, ends=True):
        """Return all that the proxy says to these bytes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as wire:
            wire.sendall(sent)
            if ends:
                wire.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: wire.recv(65536), b"")).decode()


def told_of(made):
    return described(
        made.connection,
        made.url,
        authority=str(made.trust.authority),
        bundle=str(made.trust.bundle),
        process=os.getpid(),
        proxy=made.service.proxy_url,
        door=made.service.door_url,
    )
