"""
Every example that the specifications print, asked of this service: its request is taken, and
the answer has all that the example's has, or what it lacks stands in the list of exceptions.
"""

from __future__ import annotations

import json
import re
from functools import cache
from urllib.parse import quote

import pytest

from golden import GOLDEN
from ruled import rule
from served import EU, INSIGHTS, Clock, Memory, inhabited
from vedette.service.state import cast
from vedette.service.state.schema import connect

SPECS = GOLDEN / "spec/specification/securityinsights/resource-manager/Microsoft.SecurityInsights"
PARTS = (
    "automationRules",
    "bookmarks",
    "cases",
    "entities",
    "incidents",
    "threatIntelligence",
    "watchlists",
)
pytestmark = pytest.mark.skipif(not SPECS.exists(), reason="the specifications are not here")

UNASKED = {
    "/bookmarks/{bookmarkId}/relations": "a preview's, and no client's",
    "/bookmarks/{bookmarkId}/expand": "a preview's, and no client's",
}
"""Paths of the specification that this service does not have."""
LACKING = {
    "createdBy/email": "an application has no address",
    "updatedBy/email": "an application has no address",
    "relatedAnalyticRuleIds/0": "a PUT gives an incident no rules",
    "relatedAlertIds/0": "a PUT gives a case no alerts",
    "relatedAlertProductNames/0": "a PUT gives a case no alerts",
    "tactics/0": "a PUT gives a case no alerts",
    "lastComment": "a PUT gives a case no comments",
    "ntDomain": "the accounts of this world are in no domain of Windows NT",
}
"""Ends of paths of members that an answer lacks, and why."""
FREE = re.compile(r"(itemsKeyValue|entityMapping|extensions|additionalData|metaData)$")
"""Members whose own members are the data of the example."""


@cache
def found():
    """Return version, method, path and file of every example of an operation we have."""
    told = []
    for file in sorted(SPECS.glob("*/*/*.json")) if SPECS.exists() else ():
        for path, methods in json.loads(file.read_text())["paths"].items():
            below = path.partition("Microsoft.SecurityInsights")[2]
            if below.split("/")[1:2] == [] or below.split("/")[1] not in PARTS:
                continue
            if any(below.startswith(one) for one in UNASKED):
                continue
            for method, operation in methods.items():
                for example in operation["x-ms-examples"].values():
                    where = (file.parent / example["$ref"]).resolve()
                    told.append((file.parent.name, method.upper(), below, where))
    return told


def named():
    return [pytest.param(*one, id=f"{one[0]} {one[1]} {one[2]} {one[3].stem}") for one in found()]


@pytest.fixture(scope="module")
def world():
    made = inhabited(12)
    yield made
    made.close()


@pytest.fixture
def it(world):
    copy = connect()
    world.backup(copy)
    made = Memory(copy, Clock())
    yield made
    made.close()


_WORKSPACE = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/[^/]+/providers/"
    r"Microsoft.OperationalI+nsights/workspaces/[^/\"]+"
)
_LEAST = {
    "automationRules": rule()["properties"],
    "bookmarks": {"displayName": "a bookmark", "query": "T"},
    "cases": {"title": "a case", "severity": "High", "status": "New"},
    "comments": {"message": "a comment"},
    "incidents": {"title": "an incident", "severity": "High", "status": "New"},
    "indicators": {
        "displayName": "an address",
        "pattern": "[ipv4-addr:value = '192.0.2.1']",
        "threatTypes": ["botnet"],
    },
    "tasks": {"title": "a task", "status": "New"},
    "watchlistItems": {"itemsKeyValue": {"a": "1"}},
    "watchlists": {
        "displayName": "a watchlist",
        "provider": "us",
        "source": "here",
        "itemsSearchKey": "a",
    },
}
"""What a PUT must bring, by kind."""


def ours(told):
    """Return a document with this world's workspace for the example's."""
    return json.loads(_WORKSPACE.sub(EU, json.dumps(told)))


class Told:
    """An example, and what must be there before it is asked."""

    def __init__(self, it, version, method, below, file):
        self.it, self.version, self.method = it, version, method
        self.example = ours(json.loads(file.read_text()))
        self.given = self.example["parameters"]
        self.below = re.sub(r"{(\w+)}", lambda one: quote(self.given[one[1]]), below)
        self.kinds = [part for part in below.split("/")[1:] if not part.startswith("{")]
        self.body = next((one for one in self.given.values() if isinstance(one, dict)), None)
        self.kind = self.kinds[-1]

    def prepare(self):
        """Let there be what the example is about."""
        names = self.below.split("/")[1:]
        if self.kind == "runPlaybook":
            # What the specification prints is no GUID, which its own schema wants.
            self.body["tenantId"] = cast.TENANT
        if names[0] == "threatIntelligence":
            return self.prepare_indicators()
        if names[0] == "entities":
            self.below = f"/entities/{self.an_entity()}/runPlaybook"
            return None
        for deep in range(2, len(names), 2):
            self.put("/" + "/".join(names[:deep]))
        if self.kind in ("alerts", "entities"):
            self.give_alerts(names[1])
        if self.method == "POST" and self.kind == "bookmarks":
            told = self.answer["value"][0]
            return self.relate(self.below.replace("bookmarks", "relations/tie-1"), told)
        if self.kind == "relations" and self.method == "PUT":
            return self.bookmark(self.body["properties"])
        return self.fill(self.below) if self.method in ("GET", "DELETE") else None

    def prepare_indicators(self):
        at = "/threatIntelligence/main/indicators"
        if self.kind == "metrics":
            self.put(f"{at}/one")
        elif self.kind == "queryIndicators":
            # What the answer shows is not what its own request asks for.
            told = self.answer["value"][0]["properties"]
            told |= {"confidence": 50, "validUntil": "2020-04-10T00:00:00Z"}
            self.put(f"{at}/one", {"properties": told})
        elif self.method != "PUT" and self.kind != "createIndicator":
            self.fill(f"{at}/{self.given['name']}" if "name" in self.given else at)
        if self.kind == "replaceTags":
            # The etag that is printed is of another version, which is a conflict.
            one = self.it.arm("GET", f"{at}/{self.given['name']}", version=self.version)
            self.body["etag"] = one.json["etag"]

    @property
    def answer(self):
        return self.example["responses"].get("200", {}).get("body", {})

    def fill(self, at):
        """Let there be what the example's answer shows, or something of its kind."""
        if "value" not in self.answer:
            self.put(at, self.answer)
            return
        for position, one in enumerate(self.answer["value"]):
            self.put(f"{at}/{one.get('name', position)}", one)

    def put(self, path, document=None):
        kind = path.split("/")[-2]
        if kind == "relations":
            return self.relate(path)
        told = {**_LEAST.get(kind, {}), **(document or {}).get("properties", {})}
        made = self.it.arm("PUT", path, {"properties": told}, version=self.version)
        assert made.status in (200, 201), made.body
        return made

    def bookmark(self, told):
        there = told.get("relatedResourceId") or told["targetRelationNode"]["relationNodeId"]
        self.put(f"/bookmarks/{there.rpartition('/')[2]}")

    def relate(self, path, document=None):
        told = (document or {}).get("properties", {})
        self.put("/bookmarks/b-1", {"properties": {"queryResult": told.get("queryResult", "r")}})
        cases = {"targetRelationNode": {"relationNodeId": "b-1"}}
        told = {"relatedResourceId": f"{EU}{INSIGHTS}/Bookmarks/b-1"}
        told = cases if path.startswith("/cases") else told
        made = self.it.arm("PUT", path, {"properties": told}, version=self.version)
        assert made.status == 200, made.body

    def give_alerts(self, name):
        """Let an incident have all the alerts there are."""
        self.it.connection.execute(
            "UPDATE alert SET incident = (SELECT serial FROM incident WHERE name = ?)", (name,)
        )

    def an_entity(self):
        every = self.it.arm("GET", "/entities", version="2024-01-01-preview").json["value"]
        return every[0]["name"]

    def ask(self):
        query = "&".join(f"{name}={told}" for name, told in self.given.items() if name[0] == "$")
        return self.it.arm(self.method, self.below, self.body, version=self.version, query=query)


def missing(example, answer, at=""):
    """Give the paths of members that the example has and the answer has not."""
    if isinstance(example, dict) and isinstance(answer, dict):
        for name, told in example.items():
            if name not in answer and told not in (None, [], ""):
                yield f"{at}/{name}"
            elif name in answer and not FREE.search(name):
                yield from missing(told, answer[name], f"{at}/{name}")
    elif isinstance(example, list) and isinstance(answer, list) and example:
        if not answer:
            yield f"{at}/0"
        elif isinstance(example[0], dict):
            named = [one for one in answer if one.get("name") == example[0].get("name")]
            yield from missing(example[0], (named or answer)[0], f"{at}/0")


@pytest.mark.parametrize(("version", "method", "below", "file"), named())
def test_every_example_is_taken_and_answered_in_its_shape(it, version, method, below, file):
    told = Told(it, version, method, below, file)
    told.prepare()
    answer = told.ask()
    assert str(answer.status) in told.example["responses"], answer.body
    body = told.example["responses"][str(answer.status)].get("body")
    if body is None:
        assert answer.body in (b"", b"{}")
        return
    assert not [at for at in missing(body, answer.json) if not at.endswith((*LACKING,))]
