"""
Whatever is done to incidents, in whatever order, crashes between, the service holds what a
plain dictionary holds.
"""

import itertools
import json
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule

from served import EU, INSIGHTS, NOW, VERSION, Clock, Memory
from vedette.service.state import cast, sample
from vedette.service.state.schema import connect
from vedette.service.state.settings import Settings, keep
from vedette.wire.http import Call

NAMES = st.sampled_from([f"incident-{number}" for number in range(12)])
TITLES = st.text("abc é\"'\\{}<>\u202e\U0001f600", min_size=1, max_size=12).filter(str.strip)
SEVERITIES = st.sampled_from(["High", "Medium", "Low", "Informational"])
TAGS = st.lists(st.sampled_from(["vip", "tier0", "fp:logic", "Ünïcode"]), max_size=3, unique=True)
OPEN = st.sampled_from(["New", "Active"])
CLOSED = {
    "status": "Closed",
    "classification": "FalsePositive",
    "classificationReason": "InaccurateData",
    "classificationComment": "known scanner",
}


def labels(tags):
    return [{"labelName": tag} for tag in tags]


class Incidents(RuleBasedStateMachine):
    """`held` is the dictionary: by name, what was last answered, and the comments."""

    known = Bundle("known")

    def __init__(self):
        super().__init__()
        self.folder = tempfile.mkdtemp(prefix="vedette-machine-")
        self.clock = Clock()
        self.open()
        self.it.connection.execute("BEGIN")
        sample.fill(self.it.connection, count=0, seed=7, now=NOW)
        keep(self.it.connection, Settings(mirror_api=True))
        self.it.connection.execute("COMMIT")
        self.held, self.said, self.numbers = {}, {}, []
        self.dead = set()  # etags that were current once
        self.last = None

    def open(self):
        self.it = Memory(connect(Path(self.folder, "world.sqlite")), self.clock)

    def teardown(self):
        self.it.close()
        shutil.rmtree(self.folder)

    # ---- what is done

    @rule(target=known, name=NAMES, title=TITLES, severity=SEVERITIES, status=OPEN, tags=TAGS)
    def put(self, name, title, severity, status, tags):
        """A PUT without an etag makes it, or replaces it."""
        told = {"title": title, "severity": severity, "status": status, "labels": labels(tags)}
        made = self.it.arm("PUT", f"/incidents/{name}", {"properties": told})
        assert made.status == (200 if name in self.held else 201)
        if name not in self.held:
            self.numbers.append(made.json["properties"]["incidentNumber"])
            self.said[name] = {}
        self.take(name, made.json, told)
        return name

    @rule(name=known, severity=SEVERITIES, tags=TAGS)
    def put_fresh(self, name, severity, tags):
        if name in self.held:
            document = self.held[name]
            told = {**document["properties"], "severity": severity, "labels": labels(tags)}
            body = {"etag": document["etag"], "properties": told}
            made = self.it.arm("PUT", f"/incidents/{name}", body)
            assert made.status == 200
            self.take(name, made.json, {"severity": severity, "labels": labels(tags)})

    @rule(name=known, pick=st.integers(0, 100))
    def put_stale(self, name, pick):
        if name in self.held and self.dead:
            etag = sorted(self.dead)[pick % len(self.dead)]
            body = {"etag": etag, "properties": {**self.held[name]["properties"], "title": "lost"}}
            assert self.it.arm("PUT", f"/incidents/{name}", body).status == 409

    @rule(name=known, severity=SEVERITIES)
    def patch(self, name, severity):
        if name in self.held:
            body = {"properties": {"severity": severity}}
            made = self.it.arm("PATCH", f"/incidents/{name}", body)
            assert made.status == 200
            self.take(name, made.json, {"severity": severity})

    @rule(name=known)
    def close(self, name):
        if name in self.held:
            made = self.it.arm("PATCH", f"/incidents/{name}", {"properties": CLOSED})
            assert made.status == 200
            self.take(name, made.json, CLOSED)

    @rule(name=known, id=st.sampled_from(["c1", "c2", "c3"]), message=TITLES)
    def comment(self, name, id, message):
        if name in self.held:
            path = f"/incidents/{name}/comments/{id}"
            made = self.it.arm("PUT", path, {"properties": {"message": message}})
            assert made.status == (200 if id in self.said[name] else 201)
            self.said[name][id] = message
            self.reread(name)

    @rule(name=known, id=st.sampled_from(["c1", "c2", "c3"]))
    def uncomment(self, name, id):
        if name in self.held:
            gone = self.it.arm("DELETE", f"/incidents/{name}/comments/{id}")
            was_there = self.said[name].pop(id, None) is not None
            assert gone.status == (200 if was_there else 204)
            if was_there:
                self.reread(name)

    @rule(name=consumes(known))
    def delete(self, name):
        gone = self.it.arm("DELETE", f"/incidents/{name}")
        assert gone.status == (200 if name in self.held else 204)
        if name in self.held:
            self.dead.add(self.held.pop(name)["etag"])
            del self.said[name]

    @rule(one=known, other=known)
    def merge(self, one, other):
        """Merge two on Defender; the service says which of them stays."""
        names = {
            name: self.held[name]["properties"]["providerIncidentId"]
            for name in (one, other)
            if name in self.held and self.held[name]["properties"]["status"] != "Closed"
        }
        if len(names) < 2:
            return
        path = "/v1.0/security/incidents/mergeIncidents"
        told = self.it.ask("POST", path, {"incidentIds": [*names.values()]})
        assert told.status == 200, told.body
        target = told.json["targetIncidentId"]
        (kept,) = (name for name, there in names.items() if there == target)
        (merged,) = (name for name in names if name != kept)
        tags = {
            label["labelName"]
            for name in names
            for label in self.held[name]["properties"]["labels"]
        }
        for name in names:
            self.reread(name)
        shown = {label["labelName"] for label in self.held[kept]["properties"]["labels"]}
        assert shown >= tags
        assert self.held[merged]["properties"]["status"] == "Closed"
        graph = self.it.graph("GET", f"/{names[merged]}").json
        assert (graph["status"], graph["redirectIncidentId"]) == ("redirected", target)

    @rule(name=NAMES, title=TITLES)
    def crash(self, name, title):
        """The machine dies after a call was carried out and before it was committed."""
        body = {"properties": {"title": title, "severity": "Low", "status": "New"}}
        url = f"{self.it.url}{EU}{INSIGHTS}/incidents/{name}?api-version={VERSION}"
        self.it.connection.execute("BEGIN")
        call = Call(method="PUT", url=url, body=json.dumps(body).encode())
        caller = self.it.world.caller(cast.OPERATOR)
        assert self.it.world.reply(call, self.clock(), caller).status in (200, 201)
        self.it.close()
        self.open()

    @rule(seconds=st.integers(0, 100))
    def time_passes(self, seconds):
        self.clock.pass_(seconds=seconds)

    # ---- what holds

    @invariant()
    def every_incident_is_as_it_was_answered(self):
        if self.last in self.held:
            found = self.it.arm("GET", f"/incidents/{self.last}")
            assert (found.status, found.json) == (200, self.held[self.last])

    @rule(top=st.integers(1, 5))
    def pages_hold_everything_once(self, top):
        pages = self.it.pages(f"{EU}{INSIGHTS}/incidents?api-version={VERSION}&$top={top}")
        found = [one["name"] for one in pages]
        assert sorted(found) == sorted(self.held)
        for name, document in self.held.items():
            assert self.it.arm("GET", f"/incidents/{name}").json == document

    @rule(name=known)
    def comments_are_there(self, name):
        if name in self.held:
            value = self.it.arm("GET", f"/incidents/{name}/comments").json["value"]
            shown = {one["name"]: one["properties"]["message"] for one in value}
            assert shown == self.said[name]
            data = self.held[name]["properties"]["additionalData"]
            assert data["commentsCount"] == len(shown)

    @invariant()
    def numbers_only_grow(self):
        assert all(one < other for one, other in itertools.pairwise(self.numbers))

    # ---- how

    def take(self, name, document, told):
        shown = document["properties"]
        for key, value in told.items():
            if key == "labels":
                # what the service labels itself, nobody takes away
                own = [one for one in shown["labels"] if one["labelType"] == "User"]
                assert [one["labelName"] for one in own] == [one["labelName"] for one in value]
            else:
                assert shown[key] == value
        before = self.held.get(name)
        if before is not None:
            self.dead.add(before["etag"])
            assert document["etag"] not in self.dead
            assert shown["incidentNumber"] == before["properties"]["incidentNumber"]
            assert shown["createdTimeUtc"] == before["properties"]["createdTimeUtc"]
        self.held[name], self.last = document, name

    def reread(self, name):
        self.take(name, self.it.arm("GET", f"/incidents/{name}").json, {})


TestIncidents = Incidents.TestCase
TestIncidents.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)


class LongIncidents(Incidents):
    """The same, a thousand seeds of it."""


TestLongIncidents = pytest.mark.soak(LongIncidents.TestCase)
TestLongIncidents.settings = settings(max_examples=1_000, stateful_step_count=50, deadline=None)
