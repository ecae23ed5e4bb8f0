"""A world as a file says: what it may say, what is refused and how, and what comes of it."""

from __future__ import annotations

import contextlib
import json
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import settings as settings_of
from hypothesis import strategies as st

from served import NOW, VERSION, Clock, Memory
from vedette.errors import Asked
from vedette.service.edge.environment import described
from vedette.service.edge.founded import Plan, inhabited
from vedette.service.graph import alerts, defender, incidents, people
from vedette.service.state import apps, cast, worldfile
from vedette.service.state.founding import found
from vedette.service.state.permissions import PERMISSIONS
from vedette.service.state.schema import connect
from vedette.service.state.settings import settings
from vedette.service.state.worldfile import read

SMALL = """
[tenants.contoso]
name = "Contoso"
[subscriptions.security]
name = "Contoso Security"
[workspaces.soc-eu]
resource_group = "soc"
[people.linda]
name = "Linda Okafor"
[applications.nightly]
name = "nightly clean-up"
"""


def written(folder, text):
    path = folder / "world.toml"
    path.write_text(text, encoding="utf-8")
    return path


def made(path, *, environ=None, seed=0):
    connection = connect()
    connection.execute("BEGIN")
    found(
        connection,
        read(path),
        seed=seed,
        draw=lambda app: cast.secret_of(seed, app),
        environ=environ or {},
    )
    connection.execute("COMMIT")
    return connection


# ---- the world everybody gets, written down


def the_default(connection):
    """Spell the cast's world as a file."""
    lines = [
        "[tenants.contoso]", 'name = "Contoso"', f'domain = "{cast.DOMAIN}"',
        "[subscriptions.security]", 'name = "Contoso Security"',
    ]  # fmt: skip
    for name, location in zip(cast.WORKSPACES, ("westeurope", "eastus2"), strict=True):
        lines += [f"[workspaces.{name}]", 'resource_group = "soc"', f'location = "{location}"']
        lines += [f"defender = {str(name == 'soc-eu').lower()}"]
    for first, name, title in cast.PEOPLE:
        lines += [f"[people.{first}]", f'name = "{name}"', f'title = "{title}"']
    for alias, name in cast.GROUPS:
        lines += [f"[groups.{alias}]", f'name = "{name}"']
    who = {cast.id_of("user", first): first for first, *_ in cast.PEOPLE}
    for alias, app in (
        ("vedette-operator", cast.OPERATOR),
        ("vedette-reader", cast.READER_APP),
    ):
        name, roles = connection.execute(
            "SELECT name, roles FROM app WHERE id = ?", (app,)
        ).fetchone()
        lines += [f"[applications.{alias}]", f'name = "{name}"', f"graph = {roles}"]
        who[cast.object_id(app)] = alias
    for principal, role in connection.execute("SELECT principal, role FROM assignment"):
        lines += ["[[assignments]]", f'who = ["{who[principal]}"]', f'role = "{role}"']
        lines += ['scope = "security/soc"']
    return "\n".join(lines)


def test_the_default_world_can_be_written_as_a_file(tmp_path):
    default = connect()
    default.execute("BEGIN")
    cast.settle(default, seed=3)
    default.execute("COMMIT")
    ours = made(written(tmp_path, the_default(default)), seed=3)
    assert [*ours.iterdump()] == [*default.iterdump()]
    default.close()
    ours.close()


def test_the_example_of_the_documentation_makes_a_world(tmp_path):
    text = "\n".join(
        line.removeprefix("    ")
        for line in worldfile.__doc__.splitlines()
        if line.startswith("    ")
    )
    now = datetime.now(UTC)
    (tmp_path / "nightly.pem").write_bytes(certificate(now))
    connection = made(written(tmp_path, text), environ={"NIGHTLY_SECRET": "of the night"})
    (secret,) = connection.execute("SELECT secret FROM app").fetchone()
    assert secret == "of the night"
    for table in ("certificate", "federated"):
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)
    assert connection.execute("SELECT count(*) FROM assignment").fetchone() == (2,)
    assert settings(connection).sync_delay == 30
    connection.close()


def certificate(now):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "nightly")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(1))
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


# ---- several tenants

TWO = """
[tenants.contoso]
name = "Contoso"
[tenants.fabrikam]
name = "Fabrikam"
first_incident = 40
[subscriptions.security]
name = "Contoso Security"
tenant = "contoso"
[subscriptions.other]
name = "Fabrikam Security"
tenant = "fabrikam"
[workspaces.fab-soc]
subscription = "other"
resource_group = "soc"
defender = true
sample = 40
[workspaces.soc-eu]
subscription = "security"
resource_group = "soc"
defender = true
sample = 25
[people.linda]
tenant = "contoso"
name = "Linda Okafor"
[people.farah]
tenant = "fabrikam"
name = "Farah Siddiqui"
[applications.nightly]
tenant = "contoso"
name = "nightly"
graph = ["SecurityIncident.ReadWrite.All"]
[applications.weekly]
tenant = "fabrikam"
name = "weekly"
graph = ["SecurityIncident.ReadWrite.All"]
[[assignments]]
who = ["nightly"]
role = "Microsoft Sentinel Contributor"
scope = "soc-eu"
[[assignments]]
who = ["weekly"]
role = "microsoft sentinel reader"
scope = "other"
"""


@pytest.fixture
def two(tmp_path):
    connection = connect()
    plan = Plan(seed=1, file=read(written(tmp_path, TWO)))
    inhabited(connection, plan, now=NOW, draw=lambda: "drawn")
    it = Memory(connection, Clock())
    yield it
    it.close()


def test_every_tenant_has_its_own_incidents_people_and_defender(two):
    for app, place, count in (("nightly", "soc-eu", 25), ("weekly", "fab-soc", 40)):
        (path,) = two.connection.execute(
            "SELECT path FROM workspace WHERE name = ?", (place,)
        ).fetchone()
        listed = list(
            two.pages(
                f"{path}/providers/Microsoft.SecurityInsights/incidents?api-version={VERSION}",
                app=cast.id_of("app", app),
            )
        )
        assert len(listed) == count
        owners = {one["properties"]["owner"]["assignedTo"] for one in listed} - {None}
        assert owners == {"Linda Okafor" if app == "nightly" else "Farah Siddiqui"}
        told = two.graph("GET", "?$top=50", app=cast.id_of("app", app))
        lowest = min(int(one["id"]) for one in told.json["value"])
        assert lowest == (2_900_000 if app == "nightly" else 40)
        assert {one["tenantId"] for one in told.json["value"]} == {
            cast.id_of("tenant", "contoso" if app == "nightly" else "fabrikam")
        }


def test_nobody_sees_what_another_tenant_has(two):
    (path,) = two.connection.execute("SELECT path FROM workspace WHERE name = 'fab-soc'").fetchone()
    url = f"{path}/providers/Microsoft.SecurityInsights/incidents?api-version={VERSION}"
    assert two.ask("GET", url, app=cast.id_of("app", "nightly")).code == "SubscriptionNotFound"


def test_clients_come_in_the_name_of_the_first_application_to_its_own_workspace(two):
    told = described(two.connection, "https://x", authority="a", bundle="b", process=1)
    assert told["tenant"] == cast.id_of("tenant", "contoso")
    assert told["environment"]["AZURE_CLIENT_ID"] == cast.id_of("app", "nightly")
    assert told["environment"]["VEDETTE_WORKSPACE"] == "soc-eu", "though it is not the first"
    assert [one["name"] for one in told["tenants"]] == ["Contoso", "Fabrikam"]


def test_the_same_file_seed_and_time_make_the_same_world(tmp_path):
    dumps = []
    for _ in range(2):
        connection = connect()
        plan = Plan(seed=1, file=read(written(tmp_path, TWO)))
        inhabited(connection, plan, now=NOW, draw=lambda: "drawn")
        dumps.append([*connection.iterdump()])
        connection.close()
    assert dumps[0] == dumps[1]


# ---- what is refused


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("[people.linda]", "[persons.linda]"), r"persons: no such section"),
        (('name = "Linda Okafor"', "name = 3"), r"people\.linda\.name: Expected `str`"),
        (('name = "Linda Okafor"', 'nam = "L"'), r"people\.linda: Object .* `nam`"),
        (('name = "Linda Okafor"', ""), r"people\.linda: Object missing .* `name`"),
        (("[people.linda]", '[people."a b"]'), r"people\.a b: this is no name here"),
        (("[workspaces.soc-eu]", "[workspaces.s]"), r"workspaces\.s: this is no name here"),
        (('"soc"', '"so/c"'), r"workspaces\.soc-eu\.resource_group: "),
        (('"soc"', '"soc"\nsample = -1'), r"workspaces\.soc-eu\.sample: "),
        (('"soc"', '"soc"\nsubscription = "x"'), r"soc-eu\.subscription: 'x' is nowhere"),
        (("[workspaces.soc-eu]", "[workspaces.soc-eu]\nid = 1"), r"soc-eu: Object .* `id`"),
        (("[workspaces.soc-eu]\n", "[workspace_list]\n"), r"workspace_list: no such section"),
        (("[people.linda]", "[tenants.acme]"), r"security\.tenant: it does not go without"),
        (("[people.linda]", '[people.linda]\nupn = "x"'), r"people\.linda\.upn: "),
        (("[people.linda]", "[people.nightly]"), r"applications\.nightly: nightly is people\."),
        (("[tenants.contoso]", '[tenants.contoso]\nid = "x"'), r"tenants\.contoso\.id: "),
    ],
)
def test_what_is_wrong_is_named_by_file_and_key(tmp_path, change, said):
    assert change[0] in SMALL
    path = written(tmp_path, SMALL.replace(*change))
    with pytest.raises(Asked, match=said) as caught:
        read(path)
    assert caught.value.message.startswith(f"{path}: ")
    assert caught.value.hint


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[service]\nsync = 1", r"service\.sync: no such setting"),
        ("[service]\nsync_delay = nan", r"service\.sync_delay: nan is no time"),
        ("[service]\nlog_keep = -1", r"service\.log_keep: -1 is no time"),
        ("[service]\nsync_delay = 'x'", r"service\.sync_delay: Expected `float`"),
        ('[[assignments]]\nwho=["x"]\nrole="Reader"\nscope="soc-eu"', r"\[0\]\.who: 'x' is now"),
        ('[[assignments]]\nwho=["linda"]\nrole="x"\nscope="soc-eu"', r"\[0\]\.role: 'x' is no"),
        ('[[assignments]]\nwho=["linda"]\nrole="Reader"\nscope="x"', r"\[0\]\.scope: 'x' is now"),
        (
            '[[assignments]]\nwho=["linda"]\nrole="Reader"\nscope="/subscriptions/x"',
            r"\[0\]\.scope: '/subscriptions/x' is now",
        ),
        ('[[assignments]]\nwho="linda"\nrole="Reader"\nscope="x"', r"\[0\]\.who: Expected `array`"),
        ('[applications.other]\nname="o"\nfederated=[{}]', r"other\.federated\[0\]: .*`subject`"),
        ("[people.x]\nname = 1", r"people\.x\.name: Expected"),
        ("[broken", "is no TOML"),
    ],
)
def test_names_that_lead_nowhere_are_refused(tmp_path, more, said):
    with pytest.raises(Asked, match=said):
        read(written(tmp_path, f"{SMALL}\n{more}\n"))


@pytest.mark.parametrize("name", ["tenants", "subscriptions", "workspaces", "applications"])
def test_a_world_has_at_least_one_of_each(tmp_path, name):
    kept = {key: value for key, value in tomllib.loads(SMALL).items() if key != name}
    text = "\n".join(
        f"[{section}.{alias}]\n"
        + "\n".join(f"{key} = {json.dumps(value)}" for key, value in row.items())
        for section, table in kept.items()
        for alias, row in table.items()
    )
    with pytest.raises(Asked, match=f"{name}: a world has at least one"):
        read(written(tmp_path, text))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('secret_env = "NOWHERE_SET"', r"nightly\.secret_env: NOWHERE_SET is not set"),
        ('certificate = "none.pem"', r"nightly\.certificate: cannot read none\.pem"),
        ('certificate = "world.toml"', r"nightly\.certificate: world\.toml is no certificate"),
        (
            'federated = [{subject = "s", issuer = "https://x.example"}]',
            r"nightly\.federated\[0\]\.keys: nobody knows the keys",
        ),
        (
            'federated = [{subject = "s", issuer = "https://x.example", keys = "world.toml"}]',
            r"nightly\.federated\[0\]\.keys: world\.toml is no JWK set",
        ),
    ],
)
def test_what_a_file_points_to_has_to_be_there(tmp_path, line, said):
    with pytest.raises(Asked, match=said):
        made(written(tmp_path, f"{SMALL}\n{line}\n"))


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("SecurityIncidents.ReadWrite.All", "SecurityIncident.ReadWrite.All"),
        ("securityincident.read.all", "SecurityIncident.Read.All"),
        ("Zzz.Qqq", "there are Directory.Read.All, "),
    ],
)
def test_a_permission_that_nothing_asks_for_is_refused_with_the_nearest(tmp_path, name, hint):
    text = f'{SMALL}\ngraph = ["User.Read.All", "{name}"]\n'
    with pytest.raises(Asked, match=rf"nightly\.graph\[1\]: {name} is no permission") as caught:
        read(written(tmp_path, text))
    assert hint in caught.value.hint


def test_every_permission_that_the_service_asks_for_may_be_given(tmp_path):
    asked = {
        *(name for one in (incidents, alerts, defender) for name in (*one.READ, *one.WRITE)),
        *(name for names in people._READS.values() for name in names),
        *apps._CONSENTED,
        *(name for names in cast._ROLES.values() for name in names),
    }
    assert asked <= {*PERMISSIONS}
    text = f"{SMALL}\ngraph = {json.dumps(sorted(asked))}\n"
    assert {*read(written(tmp_path, text)).applications["nightly"].graph} == asked


def test_a_profile_of_limits_that_there_is_not_is_refused_and_nothing_is_made(tmp_path):
    connection = connect()
    plan = Plan(file=read(written(tmp_path, f'{SMALL}\n[service]\nlimits = "none"\n')))
    with pytest.raises(Asked, match=r"service\.limits: 'none' is no profile"):
        inhabited(connection, plan, now=NOW, draw=lambda: "drawn")
    assert not cast.settled(connection)
    connection.close()


def test_a_setting_may_name_an_application_or_a_person(tmp_path):
    told = '[service]\nmanaged_identity = "nightly"\ndevice_person = "linda"\n'
    service = read(written(tmp_path, f"{SMALL}\n{told}")).service
    assert service.managed_identity == cast.id_of("app", "nightly")
    assert service.device_person == "linda@contoso.example"


def test_two_workspaces_that_differ_by_case_are_one(tmp_path):
    text = f'{SMALL}\n[workspaces.SOC-EU]\nresource_group = "soc"\n'
    with pytest.raises(Asked, match="two differ by nothing but the case"):
        made(written(tmp_path, text))


_SCALARS = st.one_of(st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
_KEYS = st.sampled_from(
    (*worldfile._TABLES, "assignments", "service", "name", "tenant", "subscription", "sample",
     "resource_group", "id", "upn", "who", "role", "scope", "federated", "limits", "x-y", "")
)  # fmt: skip
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_KEYS, inner, max_size=4)),
    max_leaves=12,
)


@settings_of(max_examples=80, deadline=None)
@given(st.dictionaries(_KEYS, _VALUES, max_size=5))
def test_whatever_it_says_it_is_understood_or_refused_by_key(told):
    base = tomllib.loads(SMALL)
    for one in (told, base | told, {**base, "people": told}, {**base, "service": told}):
        with contextlib.suppress(worldfile._Wrong):
            assert worldfile._understood(Path("x"), one).applications
