"""
Two tenants in a world, with callers who may do everything at home, or in one workspace, or
nothing but read; and how to see that none of them is shown what is not theirs.
"""

from __future__ import annotations

import json
import tempfile
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from hostility import ROUTES, dump, furnished, path_of
from served import NOW, Clock, Memory
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
def the_two(user=""):
    """Return the world of a test file, which nobody else uses: what it leaves stays with it."""
    with tempfile.TemporaryDirectory() as folder:
        return Two(Path(folder))


def mixed(own, other):
    """Give names that lead from one's own place into the other's, step by step."""
    steps = ("subscriptions", "resourcegroups", "workspaces", "v1/workspaces", "xdr", "")
    yield "theirs", other
    yield "their names", {**other, **{step: own[step] for step in steps[:3]}}
    yield "their workspace", {**other, "subscriptions": own["subscriptions"]}
    yield "their subscription", {**own, "subscriptions": other["subscriptions"]}


def _is_open(route):
    found, _ = find(tuple(path_of(route, the_two().own).strip("/").split("/")))
    return found.is_open


READING = ("query", "queryindicators", "$batch", "/alerts", "/entities", "incidents/{}/bookmarks")
"""What is asked by POST and changes nothing."""
CLOSED = tuple((method, route) for method, route in ROUTES if not _is_open(route))


def shows(reply, secrets, target, body):
    """Return what the reply shows that the call did not know."""
    told = f"{reply.body.decode()}{reply.headers}"
    said = f"{target}{json.dumps(body)}"
    return {one for one in secrets if one in told and one not in said}


def rows_of(tables, two, workspace):
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
