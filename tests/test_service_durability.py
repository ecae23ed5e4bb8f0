"""Whoever heard of a change finds it there, whatever becomes of the service a moment later."""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import sqlite3
import ssl
import subprocess
import sys
import threading
from urllib.parse import urlencode, urlsplit

import pytest

from served import EU, INSIGHTS, VERSION

PATH = f"{EU}{INSIGHTS}/incidents/one?api-version={VERSION}"
PROPERTIES = {"title": "t", "severity": "Low", "status": "New"}
_RUN = (
    "import sys; from pathlib import Path; from vedette.service.app import run;"
    "sys.exit(run(Path(sys.argv[1]), port=0, count=5))"
)


class Writers:
    """Eight at a time, each of which notes what it was told."""

    def __init__(self, told, secret, tag, enough):
        self.authority = urlsplit(told["url"]).netloc
        self.context = ssl.create_default_context(cafile=told["authority"])
        self.tag, self.enough = tag, enough
        self.replied, self.is_enough = {}, threading.Event()
        form = urlencode(
            {
                "grant_type": "client_credentials",
                "client_id": told["environment"]["AZURE_CLIENT_ID"],
                "client_secret": secret,
                "scope": "https://management.azure.com/.default",
            }
        )
        wire = self.wire()
        wire.request("POST", f"/{told['tenant']}/oauth2/v2.0/token", form)
        token = json.loads(wire.getresponse().read())["access_token"]
        wire.close()
        self.headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        self.threads = [threading.Thread(target=self.write, args=(one,)) for one in range(8)]
        for thread in self.threads:
            thread.start()

    def wire(self):
        return http.client.HTTPSConnection(self.authority, context=self.context, timeout=20)

    def write(self, writer):
        wire = self.wire()
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError):
            for turn in itertools.count():
                name = f"{self.tag}-{writer}-{turn // 2}"  # every other time it is changed
                body = {"properties": {**PROPERTIES, "title": f"{name} {turn}"}}
                wire.request("PUT", PATH.replace("/one?", f"/{name}?"), json.dumps(body),
                             self.headers)  # fmt: skip
                told = json.loads(wire.getresponse().read())
                self.replied[name] = told["etag"], f"{name} {turn}"
                if len(self.replied) >= self.enough:
                    self.is_enough.set()
        wire.close()


def _killed_under_way(folder, tag, enough):
    """Serve, let eight write, kill, and return the last that was replied about each incident."""
    with subprocess.Popen(
        [sys.executable, "-c", _RUN, str(folder)], stdout=subprocess.PIPE, text=True
    ) as service:
        assert json.loads(service.stdout.readline())["ready"]
        told = json.loads((folder / "service.json").read_text())
        writers = Writers(told, told["environment"]["AZURE_CLIENT_SECRET"], tag, enough)
        assert writers.is_enough.wait(60)
        service.kill()
        for thread in writers.threads:
            thread.join(20)
    return writers.replied


def _are_there(folder, replied):
    """
    Find every incident as it was last replied, or as the one write after it left it, whose
    reply the kill took.
    """
    with contextlib.closing(sqlite3.connect(folder / "world.sqlite")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        for name, (etag, title) in replied.items():
            told = connection.execute(
                "SELECT etag_after, coalesce(json_extract(after, '$.title'), '') FROM change"
                " WHERE incident = ? ORDER BY serial DESC LIMIT 2",
                (name,),
            ).fetchall()
            assert etag in [one for one, _ in told], (name, title)
        (serials, last) = connection.execute("SELECT count(*), max(serial) FROM change").fetchone()
        assert serials == last, "no version got lost between others"


def test_every_change_that_was_replied_is_there_after_a_kill_and_after_another(tmp_path):
    known = {}
    for tag in ("first", "second"):
        known |= _killed_under_way(tmp_path / "w", tag, 60)
        _are_there(tmp_path / "w", known)


@pytest.mark.soak
def test_every_change_that_was_replied_is_there_after_many_kills(tmp_path):
    known = {}
    for turn in range(10):
        known |= _killed_under_way(tmp_path / "w", f"t{turn}", 50 * (turn + 1))
        _are_there(tmp_path / "w", known)
