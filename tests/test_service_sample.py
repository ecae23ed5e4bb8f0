"""The sample world: believable, hostile where it should be, and the same every time."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from ipaddress import ip_address, ip_network

import msgspec
import pytest

from served import NOW
from vedette.model import Incident, instant
from vedette.service.state import cast, sample
from vedette.service.state.alerts import Alert
from vedette.service.state.moments import ticks
from vedette.service.state.schema import connect
from vedette.service.state.words import HOSTILE, TEMPLATES

# RFC 5737 and RFC 3849.
DOCUMENTATION = ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")


def world(count=1_500, seed=3, now=NOW):
    connection = connect()
    connection.execute("BEGIN")
    sample.fill(connection, count=count, seed=seed, now=now)
    connection.execute("COMMIT")
    return connection


@pytest.fixture(scope="module")
def incidents():
    rows = world().execute("SELECT record FROM incident ORDER BY created")
    return [msgspec.json.decode(record, type=Incident) for (record,) in rows]


@pytest.fixture(scope="module")
def alerts():
    """Every alert with the incident it belongs to."""
    rows = world().execute(
        "SELECT i.record, a.record, a.created, a.modified, a.xdr FROM alert a"
        " JOIN incident i ON i.serial = a.incident ORDER BY i.serial, a.created"
    )
    return [
        (
            msgspec.json.decode(of, type=Incident),
            msgspec.json.decode(record, type=Alert),
            created,
            modified,
            xdr,
        )
        for of, record, created, modified, xdr in rows
    ]


def dump(connection):
    return [*connection.iterdump()]


def test_the_same_seed_makes_the_same_world_to_the_byte():
    assert dump(world(300)) == dump(world(300))
    assert dump(world(300)) != dump(world(300, seed=4))


def test_another_now_moves_the_times_and_nothing_else():
    by = timedelta(days=3, microseconds=7)
    columns = "serial, name, number, xdr, redirect, status, severity"
    one, other = world(300), world(300, now=NOW + by)
    ask = f"SELECT {columns}, record FROM incident ORDER BY serial"
    for here, there in zip(one.execute(ask), other.execute(ask), strict=True):
        assert here[:-1] == there[:-1]
        before, after = msgspec.json.decode(here[-1]), msgspec.json.decode(there[-1])
        for name in ("created", "modified", "firstActivity", "lastActivity"):
            assert instant(after.pop(name)) - instant(before.pop(name)) == by
        assert before == after


def test_another_now_moves_the_times_of_alerts_and_nothing_else():
    by = timedelta(days=3, microseconds=7)
    ask = "SELECT tenant, incident, name, xdr, record FROM alert ORDER BY serial"
    pairs = zip(world(300).execute(ask), world(300, now=NOW + by).execute(ask), strict=True)
    times = ("created", "modified", "first_activity", "last_activity", "resolved")
    for here, there in pairs:
        assert here[:-1] == there[:-1]
        before, after = msgspec.json.decode(here[-1]), msgspec.json.decode(there[-1])
        for name in times:
            one, other = before.pop(name), after.pop(name)
            assert (one is None and other is None) or instant(other) - instant(one) == by
        assert before == after


def test_alerts_are_as_many_as_their_incidents_count_and_come_from_their_products(alerts):
    counts = Counter(of.key for of, *_ in alerts)
    assert all(counts[of.key] == of.alerts for of, *_ in alerts)
    assert 1.3 < len(alerts) / 1_500 < 1.9
    assert max(counts.values()) > 6
    for of, alert, *_ in alerts:
        assert (alert.product,) == of.products
        assert {*alert.tactics} <= {*of.tactics}
        assert {*alert.techniques} <= {*of.techniques}
        assert alert.rule in (of.rules or (None,))
        assert alert.severity == of.severity
    assert {of.title for of, *_ in alerts} <= {alert.title for _, alert, *_ in alerts}


def test_alerts_live_between_the_activity_and_the_incident_that_was_made_of_it(alerts):
    for of, alert, created, modified, _ in alerts:
        told = (of.first_activity, alert.first_activity, alert.last_activity, alert.created)
        times = [ticks(moment) for moment in (*told, of.created)]
        assert times == sorted(times)
        assert ticks(alert.last_activity) <= ticks(of.last_activity)
        assert (created, modified) == (ticks(alert.created), ticks(alert.modified))
        assert ticks(alert.modified) <= ticks(of.modified)
        assert (alert.status == "Resolved") == (of.status == "Closed")
        assert (alert.resolved is None) == (alert.status != "Resolved")


def test_defender_has_an_id_of_its_own_for_the_alerts_of_what_it_knows(alerts):
    for of, alert, _, _, xdr in alerts:
        assert alert.xdr == xdr
        assert (xdr is None) == (of.provider == "Azure Sentinel")
    known = [xdr for *_, xdr in alerts if xdr]
    assert len(known) == len({*known})
    assert {xdr[:2] for xdr in known} == {"sn", "da", "aa", "fa", "ca", "ad"}


def test_the_same_thing_has_the_same_name_and_comes_back_in_other_incidents(alerts):
    where, named = {}, {}
    for of, alert, *_ in alerts:
        assert alert.entities, alert.title
        for one in alert.entities:
            where.setdefault(one.name, set()).add(of.key)
            key = (of.workspace, one.kind, msgspec.json.encode(one.properties))
            assert named.setdefault(key, one.name) == one.name
    assert len({*named.values()}) == len(named)
    assert sum(len(some) > 1 for some in where.values()) > 200
    kinds = {kind for _, kind, _ in named}
    assert kinds >= {"Ip", "Account", "Host", "Url", "FileHash", "MailMessage", "Process"}


def test_addresses_and_names_of_entities_belong_to_nobody(alerts):
    nobody = [ip_network(one) for one in DOCUMENTATION]
    for _, alert, *_ in alerts:
        for one in alert.entities:
            told = one.properties
            if one.kind == "Ip":
                address = ip_address(told["address"])
                assert any(address in one for one in nobody if one.version == address.version)
            if one.kind == "Account":
                assert told["upnSuffix"] == cast.DOMAIN
            if one.kind == "DnsResolution":
                assert told["domainName"].endswith(".example")


def test_it_can_grow_and_the_numbers_go_on():
    connection = world(100)
    connection.execute("BEGIN")
    sample.fill(connection, count=50, seed=9, now=NOW)
    connection.execute("COMMIT")
    for workspace, total, most, following in connection.execute(
        "SELECT w.name, count(*), max(number), next_number FROM incident i"
        " JOIN workspace w ON w.serial = i.workspace GROUP BY w.serial"
    ):
        assert total == most == following - 1, workspace


def test_the_shares_are_those_of_a_soc(incidents):
    total = len(incidents)
    statuses = Counter(one.status for one in incidents)
    assert 0.48 < statuses["Closed"] / total < 0.64
    severities = Counter(one.severity for one in incidents)
    assert severities["High"] < severities["Informational"] < severities["Medium"]
    closings = {(one.classification, one.reason) for one in incidents if one.classification}
    assert len(closings) == 5
    onboarded = Counter(one.provider for one in incidents if one.workspace == "soc-eu")
    assert onboarded["Microsoft XDR"] > 3 * onboarded["Azure Sentinel"] > 0
    assert {one.provider for one in incidents if one.workspace == "soc-us"} == {"Azure Sentinel"}
    assert any(one.merged_into for one in incidents)
    assert any("no-automation" in one.tags for one in incidents)
    assert any(one.auto_tags for one in incidents)
    assert any(one.comments for one in incidents)


def test_every_incident_makes_sense(incidents):
    for one in incidents:
        moments = (one.first_activity, one.last_activity, one.created, one.modified)
        times = [instant(moment) for moment in moments]
        assert times == sorted(times)
        assert NOW - timedelta(days=91) < times[2] <= times[3] <= NOW
        assert not any(moment.split(".")[-1].endswith("0Z") for moment in moments if "." in moment)
        assert (one.classification is None) == (one.status != "Closed")
        assert one.provider_id == str(one.number) or one.provider == "Microsoft XDR"
        assert one.alerts == 0 if one.merged_into else 1 <= one.alerts <= 12


def test_nothing_open_is_merged_and_nothing_merged_leads_to_a_merged_one():
    rows = (
        world()
        .execute(
            "SELECT i.status, t.redirect, t.serial < i.serial, t.number, i.record FROM incident i"
            " LEFT JOIN incident t ON t.xdr = i.redirect WHERE i.redirect IS NOT NULL"
        )
        .fetchall()
    )
    assert rows
    for status, further, older, number, record in rows:
        assert (status, further, older) == ("Closed", None, 1)
        assert msgspec.json.decode(record)["mergedInto"] == f"soc-eu#{number}"


def test_titles_mix_the_spellings_that_people_search_for(incidents):
    titles = " ".join(one.title for one in incidents)
    for spelling in ("Brute force", "brute-force", "bruteforce"):
        assert spelling in titles
    assert {*HOSTILE} <= {one.title for one in incidents}
    assert len({one.title for one in incidents}) > 250


# https://attack.mitre.org/ - each technique with all the tactics it serves.
TECHNIQUES = {
    "T1003": "CredentialAccess",
    "T1016": "Discovery",
    "T1018": "Discovery",
    "T1021": "LateralMovement",
    "T1027": "DefenseEvasion",
    "T1030": "Exfiltration",
    "T1036": "DefenseEvasion",
    "T1040": "CredentialAccess Discovery",
    "T1041": "Exfiltration",
    "T1046": "Discovery",
    "T1047": "Execution",
    "T1048": "Exfiltration",
    "T1053": "Execution Persistence PrivilegeEscalation",
    "T1055": "DefenseEvasion PrivilegeEscalation",
    "T1059": "Execution",
    "T1068": "PrivilegeEscalation",
    "T1069": "Discovery",
    "T1070": "DefenseEvasion",
    "T1071": "CommandAndControl",
    "T1072": "Execution LateralMovement",
    "T1074": "Collection",
    "T1078": "DefenseEvasion InitialAccess Persistence PrivilegeEscalation",
    "T1087": "Discovery",
    "T1090": "CommandAndControl",
    "T1095": "CommandAndControl",
    "T1098": "Persistence PrivilegeEscalation",
    "T1102": "CommandAndControl",
    "T1105": "CommandAndControl",
    "T1110": "CredentialAccess",
    "T1112": "DefenseEvasion",
    "T1114": "Collection",
    "T1133": "InitialAccess Persistence",
    "T1136": "Persistence",
    "T1140": "DefenseEvasion",
    "T1190": "InitialAccess",
    "T1195": "InitialAccess",
    "T1199": "InitialAccess",
    "T1204": "Execution",
    "T1207": "DefenseEvasion",
    "T1210": "LateralMovement",
    "T1213": "Collection",
    "T1218": "DefenseEvasion",
    "T1219": "CommandAndControl",
    "T1484": "DefenseEvasion PrivilegeEscalation",
    "T1485": "Impact",
    "T1486": "Impact",
    "T1489": "Impact",
    "T1490": "Impact",
    "T1496": "Impact",
    "T1498": "Impact",
    "T1505": "Persistence",
    "T1526": "Discovery",
    "T1528": "CredentialAccess",
    "T1530": "Collection",
    "T1534": "LateralMovement",
    "T1537": "Exfiltration",
    "T1539": "CredentialAccess",
    "T1543": "Persistence PrivilegeEscalation",
    "T1547": "Persistence PrivilegeEscalation",
    "T1548": "DefenseEvasion PrivilegeEscalation",
    "T1550": "DefenseEvasion LateralMovement",
    "T1552": "CredentialAccess",
    "T1555": "CredentialAccess",
    "T1556": "CredentialAccess DefenseEvasion Persistence",
    "T1557": "Collection CredentialAccess",
    "T1558": "CredentialAccess",
    "T1562": "DefenseEvasion",
    "T1564": "DefenseEvasion",
    "T1566": "InitialAccess",
    "T1567": "Exfiltration",
    "T1568": "CommandAndControl",
    "T1570": "LateralMovement",
    "T1578": "DefenseEvasion",
    "T1595": "Reconnaissance",
    "T1606": "CredentialAccess",
    "T1621": "CredentialAccess",
}


def test_tactics_and_techniques_belong_together():
    assert len(TEMPLATES) >= 80
    for template in TEMPLATES:
        served = [{*TECHNIQUES[technique].split()} for technique in template.techniques]
        assert all(tactics & {*template.tactics} for tactics in served), template.title
        assert {*template.tactics} <= set().union(*served), template.title


def test_the_cast_has_fixed_ids_and_addresses_that_belong_to_nobody():
    rows = world(1).execute("SELECT id, kind, upn FROM principal").fetchall()
    assert sorted(kind for _, kind, _ in rows) == ["group"] * 2 + ["user"] * 12
    assert all(upn.endswith("@contoso.example") for _, kind, upn in rows if kind == "user")
    assert {row[0] for row in rows} >= {cast.id_of("user", "linda")}
