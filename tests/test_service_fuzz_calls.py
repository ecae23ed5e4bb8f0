"""
Calls that nearly make sense: each is answered, or refused as its face does it. Short runs here,
long ones with `make soak`.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import strategies as st

from hostility import ROUTES, good, target, town
from nearly import BRIEFLY, JSON, SHORTLY, answered, look, nearly, tried, valid
from served import EU, INSIGHTS, NOW
from spoilt import packed
from vedette.service.logs.query import understood


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_token_of_a_page_goes_on_or_is_refused(examples):
    lists = [
        f"{EU}{INSIGHTS}/incidents?api-version=2025-09-01&$skipToken=",
        f"{EU}{INSIGHTS}/watchlists?api-version=2025-09-01&$skipToken=",
        f"{EU}{INSIGHTS}/threatIntelligence/main/indicators?api-version=2025-09-01&$skipToken=",
        "/v1.0/security/incidents?$skiptoken=",
        "/v1.0/security/alerts_v2?$skiptoken=",
    ]
    samples = [packed(one) for one in ('["",1]', "[1,1]", "[-5,99999]", '{"a":1}', "[[[1]]]")]
    content = JSON.map(json.dumps).map(packed) | nearly(("[1,2]", '["x",2]')).map(valid).map(packed)

    @look(examples, st.sampled_from(lists), nearly(samples) | content)
    def check(where, token):
        told = "".join(one for one in valid(token) if one.isalnum() or one in "-_=.~ ")
        assert answered("GET", f"{where}{told}").status in (200, 400)


BATCH = json.dumps(
    {
        "requests": [
            {"id": "1", "method": "GET", "url": "/security/incidents?$top=1"},
            {
                "id": "2",
                "method": "PATCH",
                "url": "/security/incidents/1",
                "headers": {"content-type": "application/json"},
                "body": {"status": "resolved"},
                "dependsOn": ["1"],
            },
            {"id": "3", "method": "GET", "url": "https://graph.microsoft.com/beta/users?$top=1"},
        ]
    }
)


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_batch_is_answered_or_refused(examples):
    words = ("$batch", "//", "[::1]", "http://", "%24batch", "..", "GET", "\\u0000", "TRACE")

    @look(examples, nearly((BATCH,), words))
    def check(told):
        answered("POST", "/v1.0/$batch", told.encode(errors="surrogatepass"))

    @look(examples, nearly((BATCH.replace("url", "path"),), words))
    def check_logs(told):
        answered("POST", "/v1/$batch", told.encode(errors="surrogatepass"))


@pytest.mark.parametrize("examples", BRIEFLY)
@pytest.mark.parametrize(
    ("method", "route"),
    [one for one in ROUTES if one[0] in ("PUT", "PATCH", "POST") and "oauth2" not in one[1]],
)
def test_a_body_that_nearly_makes_sense_is_taken_or_refused(examples, method, route):
    body = good(method, route, town().names) or {"a": [1, "b", None]}
    where = target(route)
    few = max(5, examples // 5)

    @look(few, _edited(body))
    def check(told):
        headers = (("x-vedette-key", "the key"), ("content-type", "application/json"))
        answered(method, where, json.dumps(told).encode(), headers)


@st.composite
def _edited(draw, body):
    """Give the document with one or two of its members made something else."""
    made = json.loads(json.dumps(body))
    for _ in range(draw(st.integers(1, 2))):
        at, last = made, None
        while isinstance(at, dict | list) and at:
            keys = list(at) if isinstance(at, dict) else range(len(at))
            last = (at, draw(st.sampled_from(list(keys))))
            at = last[0][last[1]]
            if draw(st.integers(0, 3)) == 0:
                break
        if last is not None:
            last[0][last[1]] = draw(JSON | st.just("x" * 5_000) | st.just("\0") | st.just(10**25))
    return made


QUERIES = (
    "let a = ago(3d);\nSecurityIncident | where TimeGenerated > a and Status in ('New', 'Active')",
    "SecurityIncident | summarize arg_max(TimeGenerated, *) by IncidentName | sort by IncidentNumber",
    "SecurityIncident | where Title has 'x' // c\n | project Title, Severity | take 5",
    "SecurityIncident | where Labels has_any (dynamic(['a'])) | count",
    "SecurityIncident | where CreatedTime between (datetime(2026-01-01) .. now()) | extend a = b",
)


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_query_of_logs_is_answered_or_refused(examples):
    words = (
        " | ",
        "where ",
        "let x = ",
        ";",
        "ago(",
        "datetime(",
        "dynamic([",
        "@'",
        "h'",
        "..",
        "-",
    )

    @look(examples, nearly(QUERIES, words) | st.text(max_size=40))
    def check(told):
        tried(understood, told, NOW, has_table=True)
        body = json.dumps({"query": valid(told)}).encode()
        where = target("v1/workspaces/{}/query")
        assert answered("POST", where, body).status in (200, 400)
