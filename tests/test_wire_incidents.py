from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from golden import GOLDEN, needs_golden
from golden_documents import (
    ALERTS,
    ARM,
    INCIDENTS,
    INSIGHTS,
    LINDA,
    NEW,
    OLD,
    TWIN,
    documents_in,
    objects,
)
from vedette.model import AddTags, Incident, Owner, SetStatus, edited
from vedette.model.change import FIELDS, values
from vedette.model.select import Bound
from vedette.wire.dialect import Place
from vedette.wire.filters import ticks
from vedette.wire.http import Reply
from vedette.wire.incidents import PLANE, Incidents, decode, heard, spell_comment
from vedette.wire.incidents import spell as spelled_for
from wired import edits, text

PUT = Incidents(ARM)
PATCH = Incidents(ARM, update="patch")
AT = f"https://management.azure.com{INSIGHTS}/incidents"


def spell(*told, **more):
    """Spell an incident, as it is read on the other side."""
    return msgspec.json.decode(msgspec.json.encode(spelled_for(*told, **more)))


def reply(document):
    return Reply(status=200, body=msgspec.json.encode(document))


def sent(call):
    return msgspec.json.decode(call.body)


# ---- the client's side


def test_a_page_of_a_thousand_is_asked_for_newest_first():
    call = PUT.list()
    assert (call.method, call.kind) == ("GET", "read")
    assert call.url == f"{AT}?api-version=2025-09-01&$top=1000"
    assert PUT.list(top=50).url.endswith("&$top=50")
    assert PUT.list(top=5_000).url.endswith("&$top=1000")


def test_bounds_narrow_the_list_and_are_encoded():
    bounds = (
        Bound(field="status", operator="ne", values=("Closed",)),
        Bound(field="created", operator="ge", values=("2026-03-25T00:00:00+00:00",)),
    )
    assert PUT.list(bounds).url == (
        f"{AT}?api-version=2025-09-01&$filter=properties/status%20ne%20'Closed'"
        "%20and%20properties/createdTimeUtc%20ge%202026-03-25T00:00:00Z&$top=1000"
    )


def test_one_is_asked_for_by_its_name():
    assert PUT.read("4711").url == f"{AT}/4711?api-version=2025-09-01"
    assert PUT.read("a b/../c?d").url == f"{AT}/a%20b%2F..%2Fc%3Fd?api-version=2025-09-01"


@given(st.sampled_from(list(INCIDENTS.values())), edits(PLANE))
def test_what_did_not_change_is_sent_back_byte_for_byte(document, wanted):
    seen = PUT.seen(reply(document))
    call = PUT.update(seen, edited(seen.incident, wanted))
    before = json.loads(seen.document)
    after = json.loads(call.body)
    changed = {"owner", "labels", *_SPOKEN}
    for name, value in before["properties"].items():
        assert name in changed or text(after["properties"][name]) == text(value)
    assert text({**after, "properties": 0}) == text({**before, "properties": 0})


_SPOKEN = (
    "title",
    "description",
    "severity",
    "status",
    "classification",
    "classificationReason",
    "classificationComment",
    "firstActivityTimeUtc",
    "lastActivityTimeUtc",
)


def test_numbers_too_long_for_a_machine_survive_an_update():
    body = json.dumps(ALERTS).encode()
    seen = PUT.seen(Reply(status=200, body=body))
    call = PUT.update(seen, replace(seen.incident, title="x"))
    assert b"12345678901234567890123" in call.body


def test_an_update_is_a_put_of_the_whole_document_with_the_etag_in_it():
    seen = PUT.seen(reply(ALERTS))
    call = PUT.update(seen, edited(seen.incident, (SetStatus(status="New"),)))
    assert (call.method, call.kind) == ("PUT", "write")
    assert call.url == f"{AT}/{ALERTS['name']}?api-version=2025-09-01"
    assert sent(call)["etag"] == ALERTS["etag"]
    assert sent(call)["properties"] == {
        **sent_back(ALERTS),
        "status": "New",
    }


def sent_back(document):
    return msgspec.json.decode(msgspec.json.encode(document))["properties"]


def test_an_update_may_be_a_patch_of_what_changed():
    seen = PATCH.seen(reply(ALERTS))
    call = PATCH.update(seen, edited(seen.incident, (AddTags(tags=("new",)),)))
    assert call.method == "PATCH"
    assert sent(call) == {
        "etag": ALERTS["etag"],
        "properties": {
            "labels": [
                *ALERTS["properties"]["labels"],
                {"labelName": "new", "labelType": "User"},
            ]
        },
    }


def test_an_incident_is_made_under_its_own_id():
    incident = Incident(
        key="",
        id="vedette-1",
        plane="sentinel",
        title="Made by hand",
        severity="Low",
        status="New",
        tags=("drill",),
        owner=Owner(object_id=LINDA),
    )
    call = PUT.create(incident)
    assert (call.method, call.url) == ("PUT", f"{AT}/vedette-1?api-version=2025-09-01")
    assert sent(call)["properties"] == {
        "title": "Made by hand",
        "severity": "Low",
        "status": "New",
        "owner": {
            "objectId": LINDA,
            "email": None,
            "assignedTo": None,
            "userPrincipalName": None,
        },
        "labels": [{"labelName": "drill", "labelType": "User"}],
    }


def test_deleting_costs_as_deleting():
    call = PUT.delete("4711")
    assert (call.method, call.kind) == ("DELETE", "delete")


def test_a_page_carries_whole_documents_and_the_link():
    link = f"{AT}?api-version=2025-09-01&$skipToken=abc"
    page = PUT.page(reply({"value": [NEW, ALERTS], "nextLink": link}))
    assert [seen.incident.number for seen in page.seen] == [23, 1]
    assert json.loads(page.seen[0].document) == NEW
    assert page.link == link
    assert PUT.page(reply({"value": []})).link is None


def test_a_comment_is_written_under_its_id_and_read_back():
    call = PUT.comment("4711", "c1", "hello")
    assert call.method == "PUT"
    assert call.url == f"{AT}/4711/comments/c1?api-version=2025-09-01"
    assert sent(call) == {"properties": {"message": "hello"}}
    assert PUT.read_comment("4711", "c1").url == call.url

    told = comment("2025-09-01")
    assert told["properties"]["lastModifiedTimeUtc"] == "2026-03-25T07:45:34.9952961Z"
    (said,), link = PUT.said(reply({"value": [told]}))
    assert (said.id, said.message, said.author) == ("c1", "hello", "Linda")
    assert link is None
    assert PUT.said(reply(told)) == ((said,), None)


class Linda:
    object_id, email, name, upn = LINDA, "linda@contoso.example", "Linda", "linda@contoso.example"


def comment(version):
    at = "2026-03-25T07:45:34.9952961Z"
    return spell_comment(
        ARM,
        "4711",
        version,
        id="c1",
        message="hello",
        author=Linda(),
        created=at,
        modified=at,
        etag='"1"',
    )


# ---- the service's side


@needs_golden
def test_the_service_says_what_was_recorded_to_the_key():
    exchanges = json.loads((GOLDEN / "recordings" / "exchanges.json").read_text())
    compared = 0
    for exchange in exchanges:
        version = exchange["request"].get("api-version")
        for document in objects(exchange["response"].get("body"), _is_incident):
            path = document["id"].partition("/providers/Microsoft.SecurityInsights")[0]
            place = Place(endpoint="https://management.azure.com", path=path, name="x")
            spelled = spell(decode(document, place), place, version)
            assert spelled == document
            if "firstActivityTimeUtc" not in document["properties"]:
                assert json.dumps(spelled) == json.dumps(document)
            compared += 1
    assert compared >= 10


def _is_incident(found):
    said = found.get("properties")
    return isinstance(said, dict) and isinstance(said.get("incidentNumber"), int)


@needs_golden
def test_the_service_understands_every_incident_that_is_specified():
    found = [d for d in documents_in(GOLDEN / "spec", _is_incident) if d.get("etag")]
    assert len(found) >= 4
    for document in found:
        current = decode(document, ARM)
        after = heard(document, current, ARM, current.id)
        assert values(after, FIELDS) == values(current, FIELDS)


@pytest.mark.parametrize("document", INCIDENTS.values(), ids=INCIDENTS)
def test_what_is_spelled_is_read_as_it_was(document):
    incident = decode(document, ARM)
    version = "2020-01-01" if document is OLD else "2024-01-01-preview"
    url = incident.url if document is TWIN else None
    again = decode(spell(incident, ARM, version, provider_url=url), ARM)
    # The two that were written down without all that a service sends are not complete.
    names = [name for name in incident.__struct_fields__ if getattr(incident, name) is not None]
    assert {n: getattr(again, n) for n in names} == {n: getattr(incident, n) for n in names}


@given(st.sampled_from([NEW, OLD, TWIN]), edits(PLANE), st.sampled_from([PUT, PATCH]))
def test_what_one_side_writes_the_other_hears(document, wanted, dialect):
    current = decode(document, ARM)
    after = edited(current, wanted)
    if after.status == "Closed" and not (after.reason or after.classification == "Undetermined"):
        return
    seen = dialect.seen(reply(document))
    kept = heard(
        sent(dialect.update(seen, after)), current, ARM, current.id, patch=dialect is PATCH
    )
    again, meant = values(kept, FIELDS), values(after, FIELDS)
    assert set(again.pop("tags")) == set(meant.pop("tags"))
    for name, value in meant.items():
        held = again[name]
        if name in ("firstActivity", "lastActivity") and value:
            assert ticks(held) == ticks(value)
        else:
            assert PLANE.same(name, held, value)


def test_versions_differ_in_what_they_know():
    twin = replace(decode(TWIN, ARM), techniques=("T1059",), owner=Owner(upn="a@b.example"))
    old = spell(twin, ARM, "2020-01-01", provider_url="https://x")["properties"]
    assert "ownerType" not in old["owner"]
    assert {"providerName", "providerIncidentId"} & old.keys() == set()
    assert {"techniques", "providerIncidentUrl"} & old["additionalData"].keys() == set()
    assert "ownerType" not in spell(twin, ARM, "2022-08-01")["properties"]["owner"]
    preview = spell(twin, ARM, "2024-01-01-preview", provider_url="https://x")["properties"]
    assert preview["owner"]["ownerType"] is None
    assert preview["additionalData"]["techniques"] == ["T1059"]
    assert preview["additionalData"]["providerIncidentUrl"] == "https://x"
    assert "techniques" not in spell(twin, ARM, "2025-09-01")["properties"]["additionalData"]


def test_the_first_version_knows_no_versions_of_comments():
    first, later = comment("2020-01-01"), comment("2021-09-01-preview")
    assert {"etag", "lastModifiedTimeUtc"} & {*first, *first["properties"]} == set()
    assert list(later) == ["id", "name", "etag", "type", "properties"]
    assert later["id"] == f"{INSIGHTS}/Incidents/4711/Comments/c1"


def test_a_reason_that_only_cases_know_is_not_said():
    closed = replace(decode(NEW, ARM), status="Closed", classification="Undetermined")
    spelled = spell(replace(closed, reason="Resolved"), ARM)["properties"]
    assert "classificationReason" not in spelled
    assert spelled["classification"] == "Undetermined"
