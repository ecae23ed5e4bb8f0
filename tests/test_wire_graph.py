from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from golden import GOLDEN, needs_golden
from golden_documents import GRAPH, TENANT, XDR, XDR_MERGED, XDR_RESOLVED, XDRS, documents_in
from vedette.errors import Asked, Garbled, Strayed
from vedette.model import AddTags, Incident, Owner, edited
from vedette.model.change import FIELDS, values
from vedette.model.select import Bound
from vedette.wire.bodies import graph_body
from vedette.wire.defender import PLANE, decode
from vedette.wire.graph import Graph
from vedette.wire.graph_documents import (
    comments_listed,
    heard,
    heard_comment,
    listed,
    single,
    spell,
    spell_comment,
)
from vedette.wire.http import Reply
from vedette.wire.problems import Fault
from wired import edits

DIALECT = Graph(GRAPH)
AT = "https://graph.microsoft.com/v1.0/security/incidents"
CURRENT = decode(XDR, GRAPH)


def reply(document):
    return Reply(status=200, body=msgspec.json.encode(document))


def sent(call):
    return msgspec.json.decode(call.body)


# ---- the client's side


def test_a_page_of_fifty_is_asked_for():
    call = DIALECT.list()
    assert (call.method, call.kind, call.url) == ("GET", "read", f"{AT}?$top=50")
    assert DIALECT.list(top=1000).url == f"{AT}?$top=50"
    assert dict(call.headers) == {"prefer": "include-unknown-enum-members"}


def test_bounds_narrow_the_list_in_its_own_words():
    bounds = (
        Bound(field="status", operator="eq", values=("Closed",)),
        Bound(field="modified", operator="ge", values=("2026-07-22T18:36:10.5Z",)),
        Bound(field="number", operator="eq", values=(29,)),
    )
    assert DIALECT.list(bounds).url == (
        f"{AT}?$top=50&$filter=(status%20eq%20'resolved'%20or%20status%20eq%20'redirected')"
        "%20and%20lastUpdateDateTime%20ge%202026-07-22T18:36:10.500000Z"
    )


def test_an_update_sends_what_changed_and_nothing_else():
    seen = DIALECT.seen(reply(XDR))
    call = DIALECT.update(seen, edited(seen.incident, (PLANE.closing("tp:malware", "done"),)))
    assert (call.method, call.kind, call.url) == ("PATCH", "write", f"{AT}/29")
    assert sent(call) == {
        "status": "resolved",
        "determination": "malware",
        "resolvingComment": "done",
    }


def test_defender_makes_and_removes_its_incidents_itself():
    with pytest.raises(Asked, match="cannot be created"):
        DIALECT.create(CURRENT)
    with pytest.raises(Asked, match="cannot be deleted"):
        DIALECT.delete("29")


def test_a_comment_is_posted_and_has_no_id():
    call = DIALECT.comment("29", "never used", "hello")
    assert (call.method, call.kind, call.url) == ("POST", "write", f"{AT}/29/comments")
    assert sent(call)["comment"] == "hello"
    assert DIALECT.read_comment("29", "never used") is None
    assert DIALECT.comments("29") == DIALECT.read("29")
    assert DIALECT.alerts("29").url == f"{AT}/29?$expand=alerts"


def test_comments_are_read_from_an_answer_and_from_an_incident():
    told = spell_comment("hello", "Linda", "2026-01-01T00:00:00Z")
    answer = comments_listed([told], GRAPH, "29")
    assert answer["@odata.context"].endswith("$metadata#security/incidents('29')/comments")
    (said,), link = DIALECT.said(reply(answer))
    assert (said.id, said.message, said.author, link) == (None, "hello", "Linda", None)
    assert DIALECT.said(reply({**XDR, "comments": [told]})) == ((said,), None)
    (old,), _ = DIALECT.said(reply(XDRS["2022"]))
    assert (old.message, old.author) == ("Demo incident", "linda@contoso.example")
    assert old.created == "2021-09-30T12:07:37.2756993Z"


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"value":3}'])
def test_an_answer_that_lacks_what_was_asked_for_is_garbled(body):
    answer = Reply(status=200, body=body)
    for understand in (DIALECT.page, DIALECT.seen, DIALECT.said):
        with pytest.raises(Garbled):
            understand(answer)


def test_a_page_carries_whole_documents_and_the_link():
    link = f"{AT}?$top=2&$skiptoken=abc"
    page = DIALECT.page(reply(listed([XDR, XDR_MERGED], GRAPH, link)))
    assert [seen.incident.key for seen in page.seen] == ["xdr#29", "xdr#82"]
    assert json.loads(page.seen[0].document) == XDR
    assert DIALECT.follow(page.link).url == link


@pytest.mark.parametrize(
    "link",
    [
        "https://graph.microsoft.com/beta/security/incidents?$skip=50",
        "https://graph.microsoft.com/v1.0/users",
        "https://graph.microsoft.us/v1.0/security/incidents",
    ],
)
def test_a_link_that_leads_out_of_the_incidents_is_not_followed(link):
    with pytest.raises(Strayed):
        DIALECT.follow(link)


# ---- the service's side


@pytest.mark.parametrize("name", ["active", "resolved", "merged"])
def test_what_is_spelled_is_what_was_read(name):
    document = XDRS[name]
    spelled = spell(
        decode(document, GRAPH),
        GRAPH,
        redirect=document["redirectIncidentId"],
        priority=document["priorityScore"],
    )
    wanted = {key: value for key, value in document.items() if key != "@odata.context"}
    wanted["incidentWebUrl"] = spelled["incidentWebUrl"]
    assert json.dumps(spelled) == json.dumps(wanted)


@needs_golden
def test_the_service_says_what_was_captured_to_the_key():
    found = [
        document
        for document in documents_in(GOLDEN / "graph", lambda d: "priorityScore" in d)
        if isinstance(document.get("id"), str)
    ]
    assert len(found) >= 3
    for document in found:
        place = replace(GRAPH, tenant_id=document["tenantId"])
        spelled = spell(
            decode(document, place),
            place,
            redirect=document["redirectIncidentId"],
            comments=document["comments"],
            alerts=document.get("alerts"),
            priority=document["priorityScore"],
        )
        wanted = {key: value for key, value in document.items() if key != "@odata.context"}
        assert json.dumps(spelled) == json.dumps(wanted)


def test_envelopes_name_their_context():
    assert next(iter(single(XDR_RESOLVED, GRAPH))) == "@odata.context"
    page = listed([], GRAPH, "https://x", 7)
    assert list(page) == ["@odata.context", "@odata.count", "@odata.nextLink", "value"]
    assert list(listed([], GRAPH)) == ["@odata.context", "value"]
    web = spell(CURRENT, GRAPH, id="7")["incidentWebUrl"]
    assert web == f"https://security.microsoft.com/incident2/7/overview?tid={TENANT}"


@given(st.sampled_from([XDR, XDR_RESOLVED]), edits(PLANE))
def test_what_one_side_writes_the_other_hears(document, wanted):
    seen = DIALECT.seen(reply(document))
    after = edited(seen.incident, wanted)
    kept = heard(graph_body(DIALECT.update(seen, after).body), seen.incident)
    again = values(decode(spell(kept, GRAPH), GRAPH), FIELDS)
    meant = values(after, FIELDS)
    assert set(again.pop("tags")) == set(meant.pop("tags"))
    for name in ("firstActivity", "lastActivity", "reason"):
        meant.pop(name)
    for name, value in meant.items():
        assert PLANE.same(name, again[name], value), name


def test_words_are_heard_in_camel_and_in_pascal_case():
    told = {"classification": "FalsePositive", "status": "Resolved", "determination": "other"}
    after = heard(told, CURRENT)
    assert (after.status, after.classification, after.determination) == (
        "Closed",
        "FalsePositive",
        "other",
    )
    assert after.reason == "InaccurateData"


@pytest.mark.parametrize(
    "told",
    [
        {"classification": "benignPositive"},
        {"classification": "TRUEPOSITIVE"},
        {"classification": None},
        {"status": "redirected"},
        {"status": "unknownFutureValue"},
        {"status": "new"},
        {"severity": "critical"},
        {"determination": "confirmedUserActivity"},
        {"customTags": "a"},
        {"customTags": [1]},
        {"assignedTo": 3},
        {"displayName": None},
        {"displayName": " "},
        {"description": ["x"]},
    ],
)
def test_a_word_that_is_none_makes_the_whole_body_wrong(told):
    with pytest.raises(Fault, match="Request body is incorrect") as refused:
        heard(told, CURRENT)
    assert (refused.value.status, refused.value.code) == (400, "InvalidRequestBody")


def test_what_cannot_be_written_is_ignored():
    assert heard({"id": "7", "priorityScore": 3, "systemTags": [], "x": {}}, CURRENT) == CURRENT
    assert heard({}, CURRENT) == CURRENT


def test_an_owner_that_is_known_stays_whole():
    linda = Owner(object_id="1", upn="linda@contoso.example", name="Linda")
    current = replace(CURRENT, owner=linda)
    assert heard({"assignedTo": "Linda@contoso.example"}, current).owner == linda
    other = heard({"assignedTo": "tier one"}, current).owner
    assert other == Owner(name="tier one")
    assert heard({"assignedTo": None}, current).owner is None
    assert heard({"assignedTo": ""}, current).owner is None


def test_a_reason_is_kept_while_its_classification_is():
    current = replace(CURRENT, classification="FalsePositive", reason="IncorrectAlertLogic")
    assert heard({"classification": "falsePositive"}, current).reason == "IncorrectAlertLogic"
    assert heard({"classification": "truePositive"}, current).reason == "SuspiciousActivity"


def test_what_is_closed_and_not_classified_is_undetermined_on_sentinel():
    current = replace(CURRENT, classification=None, reason=None)
    assert heard({"status": "resolved"}, current).classification == "Undetermined"
    assert heard({"classification": "unknown"}, CURRENT).classification is None


def test_tags_are_replaced_and_those_of_the_service_stay():
    after = heard({"customTags": ["a", "a", "Defender Experts"]}, CURRENT)
    assert (after.tags, after.auto_tags) == (("a",), ("Defender Experts",))


@pytest.mark.parametrize("received", [b"", b"[]", b"{'a': 1}", b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(received):
    with pytest.raises(Fault, match="Request body is incorrect"):
        graph_body(received)


@pytest.mark.parametrize("told", [{}, {"comment": ""}, {"comment": 3}, {"comment": "x" * 30_001}])
def test_a_comment_says_something_and_not_too_much(told):
    with pytest.raises(Fault):
        heard_comment(told)
    with_type = {"@odata.type": "#microsoft.graph.security.alertComment", "comment": "hello"}
    assert heard_comment(with_type) == "hello"


def test_an_incident_without_much_can_be_spelled():
    bare = Incident(key="", id="7", plane="sentinel", severity="Low", status="New")
    document = spell(bare, GRAPH)
    assert (document["classification"], document["determination"]) == ("unknown", "unknown")
    assert decode(document, GRAPH).tags == ()


def test_tags_are_written_from_the_list_that_was_received():
    seen = DIALECT.seen(reply(XDR))
    call = DIALECT.update(seen, edited(seen.incident, (AddTags(tags=("x",)),)))
    assert sent(call) == {"customTags": ["Demo", "tier-1", "x"]}
