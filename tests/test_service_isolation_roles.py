"""A role on one workspace reaches no other, and one that reads writes nothing, on any route."""

from __future__ import annotations

import json

import pytest

from hostility import dump, good, path_of, version_of
from neighbours import CLOSED, rows_of, shows, the_two

READING = ("query", "queryindicators", "$batch", "/alerts", "/entities", "incidents/{}/bookmarks")
"""What is asked by POST and changes nothing."""


@pytest.fixture
def two():
    return the_two(__name__)


def test_a_role_on_one_workspace_opens_no_other(two):
    secrets = two.private("soc-us")
    graph = ("@", "api")
    for method, route in CLOSED:
        if route.startswith(graph):
            continue
        for names in (
            two.far,
            {**two.far, "resourcegroups": "soc"},
            {**two.far, "workspaces": "soc-eu"},
            {**two.own, "workspaces": "soc-us"},
        ):
            target = f"{path_of(route, names)}?api-version={version_of(route)}"
            body = good(method, route, names, two.homes["soc-us"])
            with two.passing():
                reply = two.ask(method, target, body, app="narrow")
                after = dump(two.connection) if method != "GET" else {}
            shown = shows(reply, secrets, target, body)
            assert not shown, (method, target, shown, reply.body[:600])
            assert rows_of(after, two, "soc-us") == (after and rows_of(two.before, two, "soc-us"))


def test_lists_hold_what_a_role_reaches(two):
    v = "?api-version=2022-12-01"

    def names(path, key="name"):
        reply = two.ask("GET", f"{path}{v}", app="narrow")
        assert reply.status == 200, reply.body
        return [one[key] for one in json.loads(reply.body)["value"]]

    here = f"/subscriptions/{two.own['subscriptions']}"
    (spare,) = (row.id for alias, row in two.file.subscriptions.items() if alias == "spare")
    assert names("/subscriptions", "displayName") == ["Contoso Security"]
    assert names(f"{here}/resourcegroups") == ["soc"]
    assert names(f"{here}/providers/microsoft.operationalinsights/workspaces") == ["soc-eu"]
    far = f"{here}/resourcegroups/far"
    assert names(f"{far}/providers/microsoft.operationalinsights/workspaces") == []
    assert names(f"{far}/providers/microsoft.authorization/permissions", "actions") == []
    assert names(f"/subscriptions/{spare}/resourcegroups") == []
    reply = two.ask("GET", f"/subscriptions/{spare}{v}", app="narrow")
    assert reply.status in (403, 404), "whose name and state are nobody's without a role"


def test_a_reader_writes_nothing_anywhere(two):
    names = {**two.own, "other": two.own["xdr"]}
    written = 0
    for method, route in CLOSED:
        if method == "GET":
            continue
        target = f"{path_of(route, names)}?api-version={version_of(route)}"
        body = good(method, route, names, two.homes["soc-eu"])
        with two.passing():
            reply = two.ask(method, target, body, app="reading")
            assert dump(two.connection) == two.before, (method, target, reply.body)
        if route.endswith(READING):
            assert reply.status in (200, 403)
        else:
            assert reply.status in (403, 405), (method, target, reply.status, reply.body)
        with two.passing():
            two.ask(method, target, body)
            written += dump(two.connection) != two.before
    assert written > 30, "the same calls do write, in the name of somebody who may"
