"""The sample world: believable, hostile where it should be, and the same every time."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import msgspec
import pytest

from served import NOW
from vedette.model import Incident, instant
from vedette.service.state import cast, sample
from vedette.service.state.schema import connect
from vedette.service.state.words import HOSTILE, TECHNIQUES, TEMPLATES


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
        assert 1 <= one.alerts <= 150


def test_nothing_open_is_merged_and_nothing_merged_leads_to_a_merged_one():
    rows = world().execute(
        "SELECT i.status, t.redirect, t.serial < i.serial, t.number, i.record FROM incident i"
        " LEFT JOIN incident t ON t.xdr = i.redirect WHERE i.redirect IS NOT NULL"
    )
    for status, further, older, number, record in rows:
        assert (status, further, older) == ("Closed", None, 1)
        assert msgspec.json.decode(record)["mergedInto"] == f"soc-eu#{number}"


def test_titles_mix_the_spellings_that_people_search_for(incidents):
    titles = " ".join(one.title for one in incidents)
    for spelling in ("Brute force", "brute-force", "bruteforce"):
        assert spelling in titles
    assert {*HOSTILE} <= {one.title for one in incidents}
    assert len({one.title for one in incidents}) > 250


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
