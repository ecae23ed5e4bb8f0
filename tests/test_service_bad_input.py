"""
Every route, with everything that may be wrong with a call: it is answered, or refused in words
of its face, and what was refused changed nothing.
"""

from __future__ import annotations

import json
from time import process_time
from urllib.parse import quote

import pytest

from hostility import INDICATOR, ROUTES, RULE, WATCHLIST, WRITES, good, is_told, keyed, target, town
from spoilt import BODIES, HEADERS, METHODS, NAMES, QUERIES
from vedette.service.routes import answers


def _check(method, route, where, body=None, headers=()):
    reply = town().ask(method, where, body, (*keyed(route), *headers))
    seen = (method, route, where[:300], (body or b"")[:200], headers, reply.status)
    assert 200 <= reply.status < 500, (seen, reply.body[:500])
    if reply.status >= 400:
        assert is_told(reply), (seen, reply.body[:500])
    for name, value in reply.headers.items():
        assert not {*"\r\n\0"} & {*name, *value}, (seen, name, value)
    return reply


NEEDING = ("query", "queryindicators", "msi/token", "metadata/identity/oauth2/token", "checks")
"""What a plain call cannot read: it has to say what."""


def test_every_route_answers_a_plain_call():
    """The names in the paths are real: what is spoilt below is spoilt behind the door."""
    for method, route in ROUTES:
        if method == "GET" and not route.endswith(NEEDING):
            assert _check(method, route, target(route)).status == 200, route


def test_every_route_takes_a_good_body():
    """What the others refuse is refused for what is bad in it."""
    taken = 0
    for method, route in ROUTES:
        if method in WRITES and "oauth2" not in route and "_vedette" not in route:
            body = json.dumps(good(method, route, town().names)).encode()
            taken += _check(method, route, target(route), body).status < 300
    assert taken >= 45


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_no_body_breaks_a_route(body):
    for method, route in ROUTES:
        if method in WRITES:
            _check(method, route, target(route), body, (("Content-Type", "application/json"),))


THINLY = [4, pytest.param(1, marks=pytest.mark.soak)]
"""Of what spoils a call, how much each route meets: in turn a part of it, or all."""


@pytest.mark.parametrize("part", THINLY)
def test_no_query_breaks_a_route(part):
    for turn, (method, route) in enumerate(ROUTES):
        if method == "GET":
            for query in QUERIES[turn % part :: part]:
                _check(method, route, target(route, query))


@pytest.mark.parametrize("part", THINLY)
def test_no_name_breaks_a_route(part):
    for turn, (method, route) in enumerate(ROUTES):
        if "{}" in route:
            for name in NAMES[turn % part :: part]:
                _check(method, route, target(route, last=name), b"{}")


@pytest.mark.parametrize("part", THINLY)
def test_no_header_breaks_a_route(part):
    for turn, (method, route) in enumerate(ROUTES):
        for header in HEADERS[turn % part :: part]:
            _check(method, route, target(route), b"{}", (header,))


def test_a_method_that_a_path_does_not_have_is_refused():
    for route, methods in answers().items():
        for method in {*METHODS, *WRITES, "GET"} - {*methods}:
            reply = _check(method, route, target(route), b"{}")
            assert reply.status in (400, 404, 405), (method, route, reply.status)


# ---- what is the service's own

OWN_WORDS = {
    "type": "polluted", "systemData": {"createdBy": "polluted"},
    "tenantId": "11111111-1111-1111-1111-111111111111", "polluted": "polluted",
}  # fmt: skip
"""What stands at the top of a document, and is never heard there."""
OWN = {
    **dict.fromkeys(
        (
            "createdTimeUtc", "lastModifiedTimeUtc", "lastUpdatedTimeUtc", "created", "updated",
            "createdDateTime", "lastUpdateDateTime", "createdTime", "lastUpdateTime",
        ),
        "2001-01-01T00:00:00Z",
    ),
    **{key: {"name": "polluted"} for key in ("author", "createdBy", "lastModifiedBy", "updatedBy")},
    **dict.fromkeys(("incidentNumber", "caseNumber", "redirectIncidentId", "incidentId"), 666),
    **dict.fromkeys(("isDeleted",), True),
    **dict.fromkeys(
        (
            "incidentUrl", "incidentWebUrl", "providerName", "providerIncidentId", "watchlistId",
            "watchlistItemId", "watchlistType", "watchlistItemType", "uploadStatus",
            "provisioningState", "relatedResourceName", "relatedResourceType", "tenantId",
            "relatedResourceKind", "friendlyName", "polluted", "providerAlertId", "detectorId",
            "serviceSource", "firstActivityDateTime", "resolvedDateTime", "alertWebUrl",
        ),
        "polluted",
    ),
    "additionalData": {"alertsCount": 666, "commentsCount": 666, "polluted": "polluted"},
    "relatedAnalyticRuleIds": ["polluted"],
    "teamInformation": {"teamId": "polluted"},
    "incidentInfo": {"incidentId": "polluted", "title": "polluted"},
    "comments": [{"comment": "polluted"}],
    "alerts": [{"id": "polluted"}],
    "evidence": [{"id": "polluted"}],
}  # fmt: skip
KEPT = tuple(
    (method, route)
    for method, route in ROUTES
    if method in ("PUT", "PATCH") and not route.startswith("_vedette") and ("GET", route) in ROUTES
)
MADE = tuple(one for one in KEPT if one[0] == "PUT" and "onboarding" not in one[1])
CHANGED = tuple(one for one in KEPT if "relations" not in one[1])


def _after(method, route, body, name=""):
    """Return how a call ends, and what is read afterwards."""
    told = town()
    where = target(route, last=name) if name else target(route)
    if route.endswith("cases/{}") and not name and "etag" not in body:
        body = {**body, "etag": json.loads(told.ask("GET", where).body)["etag"]}
    content = (("Content-Type", "application/json"),)
    with told.staying():
        reply = told.world(method, where, json.dumps(body).encode(), content)
        read = told.world("GET", where)
    return reply.status, json.loads(reply.body), json.loads(read.body)


NAMED = tuple(one for one in CHANGED if "providers" in one[1] and "onboarding" not in one[1])


@pytest.mark.parametrize("told", [{"name": "polluted"}, {"id": "/x/polluted"}], ids=["name", "id"])
@pytest.mark.parametrize(("method", "route"), NAMED)
def test_a_document_that_says_it_is_another_one_is_refused(method, route, told):
    body = good(method, route, town().names)
    before = _after(method, route, {"properties": []})[2]
    status, answer, read = _after(method, route, {**body, **told})
    assert status == 400, answer
    assert "does not match" in answer["error"]["message"]
    assert read == before


def _own_is_kept(method, route, name):
    body = good(method, route, town().names)
    if "properties" in body:
        bad = {**OWN_WORDS, **body, "properties": {**OWN, **body["properties"]}}
    else:
        bad = {**OWN_WORDS, **OWN, **body}
    plain = _after(method, route, body, name)
    assert plain[0] in (200, 201), plain
    assert _after(method, route, bad, name) == plain


@pytest.mark.parametrize(("method", "route"), CHANGED)
def test_what_is_the_services_own_cannot_be_changed(method, route):
    _own_is_kept(method, route, "")


@pytest.mark.parametrize(("method", "route"), MADE)
def test_what_is_the_services_own_cannot_be_said_of_something_new(method, route):
    _own_is_kept(method, route, "brand-new")


@pytest.mark.parametrize(("method", "route"), KEPT)
def test_an_etag_that_was_made_up_is_kept_nowhere(method, route):
    body = {**good(method, route, town().names), "etag": '"polluted"'}
    status, _, read = _after(method, route, body)
    assert status in (200, 400, 409)
    assert "polluted" not in json.dumps(read)


# ---- what takes long

SECOND = 1.0
_OR = " or "
FILTERS = (
    "(" * 4_000 + "status eq 'new'" + ")" * 4_000,
    "not (" * 2_000 + "status eq 'new'" + ")" * 2_000,
    _OR.join(["id eq '1'"] * 10_000),
    _OR.join(["status eq 'active'"] * 400),
    "severity in (" + ",".join(["'low'"] * 1_300) + ")",
    "status in (" + ",".join(["'active'"] * 800) + ")",
    "createdDateTime in (" + ",".join(["2026-01-01"] * 740) + ")",
    _OR.join(["properties/status eq 'New'"] * 300),
    _OR.join(["displayName eq 'x'"] * 2_000),
    " and ".join(["startswith(displayName,'x')"] * 3_000),
    "status eq '" + "x" * 100_000 + "'",
    "status eq '" + "''" * 5_000,
    "properties/incidentNumber eq " + "9" * 5_000,
    "properties/incidentNumber eq 999999999999999999",
    "properties/incidentNumber eq -1.999999999",
    "properties/createdTimeUtc ge 9999-12-31T23:59:59.9999999-23:59",
    "properties/createdTimeUtc ge 0001-01-01T00:00:00+23:59",
    "createdDateTime ge 0001-01-01T00:00:00+23:59",
    _OR.join(["properties/labels/any(l: l/labelName eq 'x')"] * 150),
    "properties/labels/any(l: " * 300,
    "tolower(" * 500 + "properties/title" + ")" * 500 + " eq 'x'",
    "\u0130\u200b\ud83d\ude00 eq '\u0130'".encode("utf-16", "surrogatepass").decode("utf-16"),
    " " * 8_000 + "x",
    "contains(" * 1_000,
)
LISTS = tuple(
    route for method, route in ROUTES
    if method == "GET" and route.endswith(("incidents", "cases", "alerts_v2", "users", "groups",
        "bookmarks", "watchlists", "watchlistitems", "indicators", "tasks", "relations", "comments",
        "automationrules", "alertrules", "entities"))
)  # fmt: skip


def _quick(method, route, where, body=None, headers=()):
    began = process_time()
    reply = _check(method, route, where, body, headers)
    assert process_time() - began < SECOND, (route, where[:200], (body or b"")[:200])
    return reply


@pytest.mark.parametrize("told", FILTERS, ids=range(len(FILTERS)))
def test_a_filter_is_answered_or_refused_at_once(told):
    for route in LISTS:
        is_graph = route.startswith("@")
        for name in ("$filter", "$orderby", "$search") if is_graph else ("$filter",):
            query = f"{name}={quote(told)}"
            _quick("GET", route, target(route, query), None, (("ConsistencyLevel", "eventual"),))


_WHERE = "SecurityIncident | where "
QUERIES_OF_LOGS = (
    _WHERE + "(" * 2_000 + "true" + ")" * 2_000,
    _WHERE + " or ".join(["Title == 'x'"] * 3_000),
    _WHERE + "not(" * 2_000,
    _WHERE + "Title matches regex '(a+)+$'",
    _WHERE + "Title matches regex '" + "(a|a)*" * 500 + "'",
    _WHERE + "Title contains '" + "x" * 1_000_000 + "'",
    _WHERE + "IncidentNumber == " + "9" * 5_000,
    _WHERE + "IncidentNumber in (" + ",".join("1" * 9 for _ in range(20_000)) + ")",
    "let a = 1;" * 10_000 + "SecurityIncident",
    "".join(f"let a{n} = {'a' + str(n - 1) if n else '1'};" for n in range(500))
    + _WHERE
    + "a499 == 1",
    "SecurityIncident" + " | where true" * 3_000,
    "SecurityIncident" + " | extend a = Title" * 3_000,
    "SecurityIncident | project " + ",".join(["Title"] * 5_000),
    "SecurityIncident" + " | summarize count() by Title" * 500,
    "SecurityIncident | take " + "9" * 5_000,
    "SecurityIncident | sort by " + ",".join(["Title"] * 3_000),
    "union " + ",".join(["SecurityIncident"] * 3_000),
    "|" * 50_000,
    "'" * 50_001,
    "//" * 100_000,
    "/*" * 50_000,
    _WHERE + "TimeGenerated > ago(" + "9" * 400 + "d)",
    _WHERE + "TimeGenerated between (datetime(0001-01-01) .. 99999999999d)",
    _WHERE + "Title has_any (dynamic([" + "[" * 3_000,
    "\u0000\ufeff\u202e",
    _WHERE + "Title == h@'" + "\\" * 10_000,
    _WHERE + "-" * 5_000 + "1 == 1",
    _WHERE + "Labels" + "[0]" * 3_000 + " == 1",
    _WHERE + "Labels" + ".a" * 3_000 + " == 1",
    _WHERE + "strcat(" * 2_000,
)


@pytest.mark.parametrize("told", QUERIES_OF_LOGS, ids=range(len(QUERIES_OF_LOGS)))
def test_a_query_of_logs_is_answered_or_refused_at_once(told):
    route = "v1/workspaces/{}/query"
    _quick("POST", route, target(route), json.dumps({"query": told}).encode())


CONTENTS = (
    "a,b\n" + '"' * 500_000,
    "a,b\n" + "," * 500_000,
    ",".join(["a"] * 20_000) + "\n1",
    "a" + "\n" * 500_000,
    "a\n" + "x" * 3_000_000,
    "a,a,a\n1,2,3",
    "\x00,b\n1,2",
    "a,b\r\r\n\u2028\u0085x,y",
    ",\n,",
    "a\n" + '"x\n' * 50_000,
    "\ufeffa,b\n1,2",
)


@pytest.mark.parametrize("told", CONTENTS, ids=range(len(CONTENTS)))
@pytest.mark.parametrize("kind", ["text/csv", "text/tsv", "Text/CSV"])
def test_the_content_of_a_watchlist_is_taken_or_refused_at_once(told, kind):
    route = next(one for one in answers() if one.endswith("watchlists/{}"))
    for skipped in (0, 1, 10**9, -1):
        properties = {
            **WATCHLIST,
            "rawContent": told,
            "contentType": kind,
            "numberOfLinesToSkip": skipped,
        }
        body = json.dumps({"properties": properties}).encode()
        _quick("PUT", route, target(route, last="brand-new"), body)


PATTERNS = (
    "[" * 50_000,
    "[url:value = '" + "x" * 500_000 + "']",
    "[url:value = '" + "\\" * 100_001 + "']",
    " AND ".join(["[url:value = 'x']"] * 10_000),
    "(" * 10_000 + "[url:value = 'x']" + ")" * 10_000,
    "[url:value = 'x'] " + "WITHIN 1 SECONDS " * 10_000,
    "[" + " OR ".join(["url:value = 'x'"] * 10_000) + "]",
    "[file:hashes.'" + "a" * 100_000 + "' = 'x']",
    "[url:value MATCHES '(a+)+$']",
    "\x00",
    "",
)


@pytest.mark.parametrize("told", PATTERNS, ids=range(len(PATTERNS)))
def test_a_pattern_is_taken_or_refused_at_once(told):
    for route in (one for one in answers() if one.endswith(("createindicator", "indicators/{}"))):
        method = "PUT" if route.endswith("{}") else "POST"
        for kind in ("url", "stix", "file", "ipv4-addr"):
            properties = {**INDICATOR, "pattern": told, "patternType": kind}
            body = json.dumps({"kind": "indicator", "properties": properties}).encode()
            _quick(method, route, target(route), body)


def _nested(depth):
    inner = {
        "conditionType": "Property",
        "conditionProperties": {
            "propertyName": "IncidentTitle",
            "operator": "Contains",
            "propertyValues": ["t"],
        },
    }
    for _ in range(depth):
        inner = {
            "conditionType": "Boolean",
            "conditionProperties": {"operator": "Or", "innerConditions": [inner, inner]}
            if depth < 12
            else {"operator": "And", "innerConditions": [inner]},
        }
    return inner


@pytest.mark.parametrize("depth", [1, 2, 3, 11, 60])
def test_conditions_within_conditions_are_taken_or_refused_at_once(depth):
    route = next(one for one in answers() if one.endswith("automationrules/{}"))
    logic = {**RULE["triggeringLogic"], "conditions": [_nested(depth)] * 3}
    body = json.dumps({"properties": {**RULE, "triggeringLogic": logic}}).encode()
    _quick("PUT", route, target(route), body)
    with town().staying():
        town().world("PUT", target(route), body)
        made = next(one for one in answers() if one.endswith("incidents/{}"))
        document = json.dumps(good("PUT", made, town().names)).encode()
        began = process_time()
        reply = town().world("PUT", target(made, last="brand-new"), document)
        assert reply.status == 201
        assert process_time() - began < SECOND
