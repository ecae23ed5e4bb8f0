"""
What one tenant has is nobody else's: two of them in a world, and callers that may do everything
at home, or in one workspace, or nothing but read. They are led to every route there is.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

import pytest

from hostility import ROUTES, dump, furnished, good, path_of, version_of
from served import ARM, GRAPH, INSIGHTS, NOW, Clock, Memory
from vedette.service.edge.founded import Plan, inhabited
from vedette.service.routes import find
from vedette.service.state import cast, worldfile
from vedette.service.state.roles import CONTRIBUTOR, OWNER, READER, assign
from vedette.service.state.schema import connect
from vedette.wire.http import Call

MARK, FAR = "quagmire", "hinterland"
"""Stand in whatever text the other tenant has, and the other workspace at home."""
WORLD = f"""
[tenants.contoso]
name = "Contoso"
domain = "contoso.example"
[tenants.fabrikam]
name = "Fabrikam {MARK}"
domain = "fabrikam.example"
first_incident = 7000000

[subscriptions.security]
tenant = "contoso"
name = "Contoso Security"
[subscriptions.spare]
tenant = "contoso"
name = "Contoso Spare"
[subscriptions.theirs]
tenant = "fabrikam"
name = "Fabrikam {MARK}"

[workspaces.soc-eu]
subscription = "security"
resource_group = "soc"
defender = true
sample = 20
[workspaces.soc-us]
subscription = "security"
resource_group = "far"
defender = true
sample = 20
[workspaces.soc-spare]
subscription = "spare"
resource_group = "spare"
[workspaces.fab-eu]
subscription = "theirs"
resource_group = "fab"
defender = true
sample = 20

[people.linda]
tenant = "contoso"
name = "Linda Okafor"
[people.amir]
tenant = "fabrikam"
name = "Amir Haddad {MARK}"
[groups.soc-tier1]
tenant = "contoso"
name = "SOC Tier 1"
[groups.soc-tier2]
tenant = "fabrikam"
name = "SOC Tier 2 {MARK}"
"""
GRAPHS = (
    "SecurityIncident.ReadWrite.All",
    "SecurityAlert.ReadWrite.All",
    "Incident.ReadWrite.All",
    "User.Read.All",
    "Group.Read.All",
)
READS = ("SecurityIncident.Read.All", "SecurityAlert.Read.All", "Incident.Read.All")
APPS = {
    "mighty": ("contoso", GRAPHS),
    "reading": ("contoso", READS),
    "narrow": ("contoso", ()),
    "stranger": ("fabrikam", GRAPHS),
}
TEXT = WORLD + "".join(
    f'[applications.{alias}]\ntenant = "{tenant}"\nname = "{alias}"\ngraph = {json.dumps(graph)}\n'
    for alias, (tenant, graph) in APPS.items()
)


class Two:
    """Two tenants; nothing that is asked stays, unless the test says so."""

    def __init__(self, folder):
        path = folder / "world.toml"
        path.write_text(TEXT, encoding="utf-8")
        self.file = worldfile.read(path)
        connection = self.connection = connect()
        inhabited(connection, Plan(file=self.file), now=NOW, draw=lambda: "drawn")
        self.it = Memory(connection, Clock())
        self.apps = {alias: row.id for alias, row in self.file.applications.items()}
        self.ids = {alias: row.id for alias, row in self.file.tenants.items()}
        self.homes = {alias: self.file.workspace_path(alias) for alias in self.file.workspaces}
        self._allow("mighty", OWNER, "/")
        self._allow("stranger", OWNER, "/")
        self._allow("narrow", CONTRIBUTOR, self.homes["soc-eu"])
        self._allow("reading", READER, "/")
        _mark(connection)
        self.own = self._furnished("soc-eu", "mighty", "")
        self.far = self._furnished("soc-us", "mighty", FAR)
        self.other = self._furnished("fab-eu", "stranger", MARK)
        self.own["other"] = self.other["xdr"]
        self.before = dump(connection)

    def _allow(self, alias, role, scope):
        assign(self.connection, cast.object_id(self.apps[alias]), role, scope)

    def _furnished(self, place, alias, mark):
        return furnished(self.it, self.homes[place], self.apps[alias], mark)

    @contextmanager
    def passing(self):
        """Let nothing stay of what is asked within."""
        self.connection.execute("SAVEPOINT passing")
        try:
            yield
        finally:
            self.connection.execute("ROLLBACK TO passing")
            self.connection.execute("RELEASE passing")

    def ask(self, method, target, body=None, *, app="mighty", headers=None):
        told = self.it.clock(), self.it.world.caller(self.apps[app]) if app else None
        return _asked(self.it, method, target, body, headers, *told)

    def private(self, workspace):
        """Return what is secret of a workspace: its mark, and ids that nobody can guess."""
        found = {
            FAR if workspace == "soc-us" else MARK,
            self.file.workspaces[workspace].customer,
        }
        serial = self.connection.execute(
            "SELECT serial FROM workspace WHERE name = ?", (workspace,)
        ).fetchone()
        for sql in (
            "SELECT name FROM incident WHERE workspace = ? AND length(name) > 30",
            "SELECT name FROM thing WHERE workspace = ? AND length(name) > 30",
            (
                "SELECT alert.name FROM alert JOIN incident ON incident.serial = alert.incident"
                " WHERE incident.workspace = ?"
            ),
        ):
            found |= {name for (name,) in self.connection.execute(sql, serial)}
        return found - {""}


def _asked(it, method, target, body, headers, now, caller):
    told = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json", **(headers or {})}
    call = Call(method=method, url=f"{it.url}{target}", headers=tuple(headers.items()), body=told)
    return it.world.reply(call, now, caller)


def _mark(connection):
    """Let every incident and alert outside of the first workspace carry a mark."""
    workspaces = connection.execute("SELECT serial, name FROM workspace").fetchall()
    for serial, name in workspaces:
        mark = {"soc-us": FAR, "fab-eu": MARK}.get(name, "")
        for table, where in (
            ("incident", "workspace = ?"),
            ("alert", "incident IN (SELECT serial FROM incident WHERE workspace = ?)"),
        ):
            connection.execute(
                f"UPDATE {table} SET record = CAST(replace(CAST(record AS TEXT),"
                f' \'"title":"\', \'"title":"\' || ?) AS BLOB) WHERE {where}',
                (mark, serial),
            )


@cache
def _two():
    with tempfile.TemporaryDirectory() as folder:
        return Two(Path(folder))


@pytest.fixture
def two():
    return _two()


def _mixed(own, other):
    """Give names that lead from one's own place into the other's, step by step."""
    steps = ("subscriptions", "resourcegroups", "workspaces", "v1/workspaces", "xdr", "")
    yield "theirs", other
    yield "their names", {**other, **{step: own[step] for step in steps[:3]}}
    yield "their workspace", {**other, "subscriptions": own["subscriptions"]}
    yield "their subscription", {**own, "subscriptions": other["subscriptions"]}


def _is_open(route):
    found, _ = find(tuple(path_of(route, _two().own).strip("/").split("/")))
    return found.is_open


READING = ("query", "queryindicators", "$batch", "/alerts", "/entities", "incidents/{}/bookmarks")
"""What is asked by POST and changes nothing."""
CLOSED = tuple((method, route) for method, route in ROUTES if not _is_open(route))


def _shows(reply, secrets, target, body):
    """Return what the reply shows that the call did not know."""
    told = f"{reply.body.decode()}{reply.headers}"
    said = f"{target}{json.dumps(body)}"
    return {one for one in secrets if one in told and one not in said}


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
        for how, names in _mixed(two.own, two.other):
            target = f"{path_of(route, names)}?api-version={version_of(route)}"
            for at in ("fab-eu", "soc-eu"):
                body = good(method, route, {**names, "other": two.own["xdr"]}, two.homes[at])
                with two.passing():
                    reply = two.ask(method, target, body)
                    after = dump(two.connection) if method != "GET" else {}
                shown = _shows(reply, secrets, target, body)
                assert not shown, (how, method, target, shown, reply.body[:500])
                assert _of(after, two, "fab-eu") == (after and _of(two.before, two, "fab-eu"))
                assert reply.status < 500


def _of(tables, two, workspace):
    """Return the rows of a workspace."""
    if not tables:
        return {}
    (serial,) = (row[0] for row in tables["workspace"] if row[4] == workspace)
    incidents = {row[0] for row in tables["incident"] if row[1] == serial}
    return {
        "workspace": [row for row in tables["workspace"] if row[0] == serial],
        "incident": [row for row in tables["incident"] if row[1] == serial],
        "comment": [row for row in tables["comment"] if row[1] in incidents],
        "alert": [row for row in tables["alert"] if row[2] in incidents],
        "thing": [row for row in tables["thing"] if row[1] == serial],
        "logged": [row for row in tables["logged"] if row[1] == serial],
        "change": [row for row in tables["change"] if row[5] == serial],
    }


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
        assert not _shows(reply, two.private("fab-eu"), target, body)


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
            assert not _shows(reply, two.private("fab-eu"), target, body)
    one = {"id": "1", "workspace": other, "path": "/query", "method": "POST"}
    reply = two.ask("POST", "/v1/$batch", {"requests": [{**one, "body": {"query": query}}]})
    assert json.loads(reply.body)["responses"][0]["status"] == 404
    # With a role on one workspace only, its neighbour cannot be asked besides it either.
    neighbour = {"query": query, "workspaces": ["soc-us"]}
    assert two.ask("POST", f"/v1/workspaces/{own}/query", neighbour, app="narrow").status == 403
    assert two.ask("POST", f"/v1/workspaces/{own}/query", neighbour).status == 200


def test_a_token_of_another_tenants_page_shows_ones_own(two):
    """A token names a place in an order, and nothing of whose order it is."""
    for path, _version in (
        ("/v1.0/security/incidents?$top=2", ""),
        ("/v1.0/security/alerts_v2?$top=2", ""),
    ):
        page = json.loads(two.ask("GET", path, app="stranger").body)
        link = page["@odata.nextLink"].removeprefix(two.it.url)
        reply = two.ask("GET", link)
        assert reply.status == 200
        assert MARK not in "".join(
            json.dumps(one) for one in json.loads(reply.body)["value"] if "7000" in json.dumps(one)
        )
        assert not _shows(reply, two.private("fab-eu") - {MARK}, link, None)
    for what in ("incidents", "bookmarks", "watchlists"):
        path = f"{two.homes['fab-eu']}{INSIGHTS}/{what}?api-version=2025-09-01&$top=1"
        page = json.loads(two.ask("GET", path, app="stranger").body)
        if "nextLink" not in page:
            continue
        tail = page["nextLink"].partition("?")[2]
        reply = two.ask("GET", f"{two.homes['soc-eu']}{INSIGHTS}/{what}?{tail}", app="narrow")
        assert reply.status == 200
        assert not _shows(reply, two.private("fab-eu"), tail, None)


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
            shown = _shows(reply, secrets, target, body)
            assert not shown, (method, target, shown, reply.body[:600])
            assert _of(after, two, "soc-us") == (after and _of(two.before, two, "soc-us"))


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


# ---- signing in


def _token(two, alias, tenant, audience=ARM, secret="drawn"):
    form = {
        "grant_type": "client_credentials",
        "client_id": two.apps[alias],
        "client_secret": secret,
        "scope": f"{audience}/.default",
    }
    told = urlencode(form).encode()
    headers = {"content-type": "application/x-www-form-urlencoded"}
    target = f"/{two.ids.get(tenant, tenant)}/oauth2/v2.0/token"
    return two.ask("POST", target, told, app=None, headers=headers)


def test_an_application_signs_in_at_home(two):
    with two.passing():
        assert _token(two, "stranger", "fabrikam").status == 200
        for tenant in ("contoso", "contoso.example", "common", "organizations", two.ids["contoso"]):
            reply = _token(two, "stranger", tenant)
            assert reply.status in (400, 401), (tenant, reply.body)
            assert MARK not in reply.body.decode()


def test_a_token_opens_its_own_tenant_and_none_once_revoked(two):
    with two.passing():
        told = json.loads(_token(two, "stranger", "fabrikam", GRAPH).body)["access_token"]
        bearer = {"authorization": f"Bearer {told}"}
        own = f"/v1.0/security/incidents/{two.other['xdr']}"
        assert two.ask("GET", own, app=None, headers=bearer).status == 200
        theirs = f"/v1.0/security/incidents/{two.own['xdr']}"
        assert two.ask("GET", theirs, app=None, headers=bearer).status == 404
        head, claims, signature = told.split(".")
        for forged in (
            f"{head}.{claims}.{'A' * len(signature)}",
            f"{head}.{claims}.",
            f"eyJhbGciOiJub25lIn0.{claims}.",
            f"{head}.{claims[:-4]}AAAA.{signature}",
        ):
            reply = two.ask("GET", own, app=None, headers={"authorization": f"Bearer {forged}"})
            assert reply.status == 401
        two.it.clock.pass_(seconds=1)
        settings = json.dumps({"tokensFrom": int(two.it.clock().timestamp())})
        two.connection.execute("INSERT OR REPLACE INTO setting VALUES ('service', ?)", (settings,))
        assert two.ask("GET", own, app=None, headers=bearer).status == 401


def test_a_device_code_is_for_the_tenant_that_gave_it(two):
    with two.passing():
        form = {"client_id": two.apps["mighty"], "scope": f"{GRAPH}/User.Read"}
        headers = {"content-type": "application/x-www-form-urlencoded"}

        def post(tenant, what, fields):
            told = urlencode(fields).encode()
            target = f"/{two.ids[tenant]}/oauth2/{what}"
            return two.ask("POST", target, told, app=None, headers=headers)

        begun = json.loads(post("contoso", "v2.0/devicecode", form).body)
        assert post("fabrikam", "v2.0/devicecode", form).status in (400, 401)
        told = {"user_code": begun["user_code"], "upn": two.other["userrealm"]}
        assert post("contoso", "deviceauth", told).status == 400
        assert post("fabrikam", "deviceauth", told).status == 400
        upn = two.own["userrealm"]
        assert post("contoso", "deviceauth", {**told, "upn": upn}).status == 200
        grant = "urn:ietf:params:oauth:grant-type:device_code"
        fields = {"grant_type": grant, "device_code": begun["device_code"]}
        stranger = {**fields, "client_id": two.apps["stranger"]}
        assert post("fabrikam", "v2.0/token", stranger).status == 400
        assert post("contoso", "v2.0/token", {**fields, **form}).status == 200


def test_the_machine_has_the_identities_of_its_own_tenant(two):
    base = "/metadata/identity/oauth2/token?api-version=2018-02-01&resource=" + ARM
    for query in ("", f"&client_id={two.apps['reading']}"):
        told = two.ask("GET", f"{base}{query}", app=None, headers={"metadata": "true"})
        assert told.status == 200, told.body
    object_id = cast.object_id(two.apps["stranger"])
    named = "/subscriptions/x/providers/Microsoft.ManagedIdentity/userAssignedIdentities/stranger"
    for query in (
        f"&client_id={two.apps['stranger']}",
        f"&object_id={object_id}",
        f"&msi_res_id={named}",
    ):
        told = two.ask("GET", f"{base}{query}", app=None, headers={"metadata": "true"})
        assert told.status == 400, told.body


def test_a_refusal_says_which_tenant_to_sign_in_to(two):
    """It is that of the subscription, as ARM has it, and of none where nothing is named."""
    for place, tenant in (("fab-eu", "fabrikam"), ("soc-eu", "contoso")):
        path = f"{two.homes[place]}{INSIGHTS}/incidents?api-version=2025-09-01"
        reply = two.ask("GET", path, app=None)
        assert reply.status == 401
        assert two.ids[tenant] in reply.headers["www-authenticate"]
        assert MARK not in reply.body.decode() + str(reply.headers)
    for path in ("/v1.0/security/incidents", "/subscriptions?api-version=2022-12-01"):
        reply = two.ask("GET", path, app=None)
        assert reply.status == 401
        assert two.ids["fabrikam"] not in str(reply.headers)
