"""What one tenant has is nobody else's: whoever may do everything at home is led to every route."""

from __future__ import annotations

import json

import pytest

from hostility import dump, good, path_of, version_of
from neighbours import CLOSED, MARK, mixed, rows_of, shows, the_two
from served import INSIGHTS


@pytest.fixture
def two():
    return the_two(__name__)


def test_the_mark_is_where_it_should_be(two):
    """Whoever belongs there sees it: what is looked for below can be found."""
    seen = 0
    for method, route in CLOSED:
        target = f"{path_of(route, two.other)}?api-version={version_of(route)}"
        with two.passing():
            body = good(method, route, two.other, two.homes["fab-eu"])
            reply = two.ask(method, target, body, app="stranger")
        seen += MARK in reply.body.decode()
    assert seen > 40


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "POST", "DELETE"])
def test_no_route_leads_into_another_tenant(two, method):
    secrets = two.private("fab-eu")
    for _, route in (one for one in CLOSED if one[0] == method):
        for how, names in mixed(two.own, two.other):
            target = f"{path_of(route, names)}?api-version={version_of(route)}"
            for at in ("fab-eu", "soc-eu"):
                body = good(method, route, {**names, "other": two.own["xdr"]}, two.homes[at])
                with two.passing():
                    reply = two.ask(method, target, body)
                    after = dump(two.connection) if method != "GET" else {}
                shown = shows(reply, secrets, target, body)
                assert not shown, (how, method, target, shown, reply.body[:500])
                assert rows_of(after, two, "fab-eu") == (
                    after and rows_of(two.before, two, "fab-eu")
                )
                assert reply.status < 500


def test_what_bodies_name_of_another_tenant_is_not_found(two):
    own, other = two.own, two.other
    xdr, theirs = own["xdr"], other["xdr"]
    there = two.homes["fab-eu"] + INSIGHTS
    here = two.homes["soc-eu"] + INSIGHTS
    security = "/v1.0/security"
    reasons = {"incidentComment": "c", "mergeReasons": "sameActor"}
    moving = {"alertComment": "c", "newCorrelationReasons": "sameActor"}
    v = "?api-version=2025-09-01"
    asked = [
        ("POST", f"{security}/incidents/mergeIncidents", {"incidentIds": [xdr, theirs], **reasons}),
        ("POST", f"{security}/incidents/mergeIncidents", {"incidentIds": [theirs, xdr], **reasons}),
        (
            "POST",
            f"{security}/alerts_v2/moveAlerts",
            {"alertIds": [other["alerts_v2"]], "incidentId": xdr, **moving},
        ),
        ("POST", f"{security}/alerts_v2/moveAlerts", {"alertIds": [other["alerts_v2"]], **moving}),
        (
            "POST",
            f"{security}/alerts_v2/moveAlerts",
            {"alertIds": [own["alerts_v2"]], "incidentId": theirs, **moving},
        ),
        *(
            (
                "PUT",
                f"{here}/incidents/two/relations/new{v}",
                {"properties": {"relatedResourceId": f"{there}/{what}"}},
            )
            for what in ("bookmarks/b1", f"entities/{other['entities']}")
        ),
        ("GET", f"{here}/incidents/{other['named']}{v}", None),
        ("GET", f"{here}/entities/{other['entities']}?api-version=2025-07-01-preview", None),
    ]
    for method, target, body in asked:
        with two.passing():
            reply = two.ask(method, target, body)
            assert 400 <= reply.status < 500, (method, target, body, reply.body)
            assert dump(two.connection) == two.before
        assert not shows(reply, two.private("fab-eu"), target, body)


def test_a_batch_leads_nowhere_that_its_caller_may_not_go(two):
    other, url = two.other, two.it.url
    places = (
        f"/security/incidents/{other['xdr']}",
        f"{url}/v1.0/security/incidents/{other['xdr']}",
        f"https://graph.microsoft.com/beta/security/alerts_v2/{other['alerts_v2']}",
        f"/users/{other['users']}",
        f"/groups/{other['groups']}",
    )
    for method in ("GET", "PATCH"):
        for at in places:
            told = {"headers": {"content-type": "a"}, "body": {"status": "resolved"}}
            one = {"id": "1", "method": method, "url": at, **(told if method == "PATCH" else {})}
            reply = two.ask("POST", "/v1.0/$batch", {"requests": [one]})
            assert json.loads(reply.body)["responses"][0]["status"] in (404, 405), reply.body
            assert MARK not in reply.body.decode()
    outside = two.homes["fab-eu"] + INSIGHTS + "/incidents"
    for at in (
        outside,
        f"{url}{outside}",
        f"{url}/v1.0/../..{outside}",
        f"//{url[8:]}{outside}",
        "https://evil.example/v1.0/security/incidents",
        f"/../{outside}",
    ):
        reply = two.ask(
            "POST", "/v1.0/$batch", {"requests": [{"id": "1", "method": "GET", "url": at}]}
        )
        told = json.loads(reply.body)
        assert reply.status == 400 or told["responses"][0]["status"] >= 400, (at, told)


def test_the_log_table_answers_only_for_ones_own_workspaces(two):
    own, other = two.own["v1/workspaces"], two.other["v1/workspaces"]
    query = "SecurityIncident | take 5"
    for body in (
        {"query": query, "workspaces": [other]},
        {"query": query, "workspaces": ["fab-eu"]},
        {"query": query, "workspaces": [two.homes["fab-eu"]]},
        {"query": f"workspace('{other}').SecurityIncident"},
        {"query": "union SecurityIncident, workspace('fab-eu').SecurityIncident"},
    ):
        for target in (
            f"/v1/workspaces/{own}/query",
            f"/v1{two.homes['soc-eu']}/query",
            f"{two.homes['soc-eu']}/query?api-version=2017-10-01",
        ):
            reply = two.ask("POST", target, body)
            assert 400 <= reply.status < 500, (target, body, reply.body)
            assert not shows(reply, two.private("fab-eu"), target, body)
    one = {"id": "1", "workspace": other, "path": "/query", "method": "POST"}
    reply = two.ask("POST", "/v1/$batch", {"requests": [{**one, "body": {"query": query}}]})
    assert json.loads(reply.body)["responses"][0]["status"] == 404
    # With a role on one workspace only, its neighbour cannot be asked besides it either.
    neighbour = {"query": query, "workspaces": ["soc-us"]}
    assert two.ask("POST", f"/v1/workspaces/{own}/query", neighbour, app="narrow").status == 403
    assert two.ask("POST", f"/v1/workspaces/{own}/query", neighbour).status == 200


def test_a_token_of_another_tenants_page_shows_ones_own(two):
    """A token names a place in an order, and nothing of whose order it is."""
    secrets = two.private("fab-eu")
    for path in ("/v1.0/security/incidents?$top=2", "/v1.0/security/alerts_v2?$top=2"):
        page = json.loads(two.ask("GET", path, app="stranger").body)
        link = page["@odata.nextLink"].removeprefix(two.it.url)
        reply = two.ask("GET", link)
        assert reply.status == 200
        assert json.loads(reply.body)["value"], "or there would be nothing to look at"
        assert not shows(reply, secrets, link, None)
    followed = []
    for what in ("incidents", "bookmarks", "watchlists"):
        path = f"{two.homes['fab-eu']}{INSIGHTS}/{what}?api-version=2025-09-01&$top=1"
        page = json.loads(two.ask("GET", path, app="stranger").body)
        if "nextLink" not in page:
            continue
        followed.append(what)
        tail = page["nextLink"].partition("?")[2]
        reply = two.ask("GET", f"{two.homes['soc-eu']}{INSIGHTS}/{what}?{tail}", app="narrow")
        assert reply.status == 200
        assert not shows(reply, secrets, tail, None)
    assert "incidents" in followed


def test_lists_hold_what_is_ones_own(two):
    v = "?api-version=2022-12-01"
    theirs = two.other["subscriptions"]
    told = json.loads(two.ask("GET", f"/subscriptions{v}").body)["value"]
    assert {one["displayName"] for one in told} >= {"Contoso Security"}
    for path in (
        "/subscriptions",
        "/tenants",
        "/v1.0/users",
        "/v1.0/groups",
        (
            f"/subscriptions/{two.own['subscriptions']}/providers/Microsoft."
            "OperationalInsights/workspaces"
        ),
    ):
        reply = two.ask("GET", f"{path}{v}")
        assert reply.status == 200, reply.body
        assert MARK not in reply.body.decode()
        assert theirs not in reply.body.decode()
    for path in (
        "",
        "/resourcegroups",
        "/providers/microsoft.authorization/permissions",
        "/resourcegroups/fab/providers/microsoft.authorization/permissions",
        "/providers/microsoft.operationalinsights/workspaces",
    ):
        assert two.ask("GET", f"/subscriptions/{theirs}{path}{v}").status == 404
    for name in (two.other["users"], two.other["userrealm"]):
        assert two.ask("GET", f"/v1.0/users/{name}").status == 404
    assert two.ask("GET", f"/v1.0/groups/{two.other['groups']}").status == 404
