"""Whatever somebody sends to Graph, it is answered, and never with a failure of ours."""

from __future__ import annotations

import base64
import gzip
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alerting import ENTITIES, alert, clear, open_incidents
from served import edge

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
NAMES = (
    "status", "severity", "classification", "determination", "assignedTo", "customTags",
    "displayName", "description", "summary", "resolvingComment", "customDetails", "comment",
    "incidentIds", "incidentComment", "mergeReasons", "alertIds", "incidentId", "alertComment",
    "newCorrelationReasons", "requests", "tags",
)  # fmt: skip
ITEM = st.fixed_dictionaries(
    {},
    optional={
        "id": st.text(max_size=3) | JSON,
        "method": st.sampled_from(("GET", "PATCH", "POST", "trace")) | JSON,
        "url": st.text(max_size=12) | JSON,
        "headers": st.just({"content-type": "a"}) | JSON,
        "body": JSON,
        "dependsOn": st.lists(st.text(max_size=2), max_size=2) | JSON,
    },
)
BODY = st.dictionaries(st.sampled_from(NAMES), JSON | st.lists(ITEM, max_size=3), max_size=4)


@cache
def _world():
    made = edge("memory", None, 40)
    clear(made)
    (xdr,) = open_incidents(made, 1)
    alert(made, xdr, "da1", entities=ENTITIES)
    return made, xdr


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 7), BODY | JSON)
def test_no_body_breaks_anything(which, body):
    it, xdr = _world()
    method, path = (
        ("PATCH", f"/v1.0/security/incidents/{xdr}"),
        ("POST", f"/v1.0/security/incidents/{xdr}/comments"),
        ("POST", "/beta/security/incidents/mergeIncidents"),
        ("PATCH", "/v1.0/security/alerts_v2/da1"),
        ("POST", "/v1.0/security/alerts_v2/da1/comments"),
        ("POST", "/v1.0/security/alerts_v2/moveAlerts"),
        ("POST", "/v1.0/$batch"),
        ("PATCH", f"/api/incidents/{xdr}"),
    )[which]
    assert it.ask(method, path, body).status < 500
    assert it.ask("GET", f"/v1.0/security/incidents/{xdr}?$expand=alerts").status == 200


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(("incidents", "alerts_v2")),
    st.sampled_from(
        ("$filter", "$orderby", "$select", "$expand", "$skip", "$top", "$count", "$skiptoken")
    ),
    st.text(max_size=20) | st.sampled_from(("createdDateTime ge 0001-01-01", "status eq null")),
)
def test_no_query_breaks_anything(of, name, value):
    it, _ = _world()
    value = "".join(letter for letter in value if letter not in "&#\r\n\t%+")
    assert it.ask("GET", f"/v1.0/security/{of}?{name}={value}").status in (200, 400)


@pytest.mark.parametrize("depth", [20, 900, 100_000])
def test_what_is_nested_deeply_is_refused(depth):
    it, _ = _world()
    body = b'{"customDetails":{"a":' + b"[" * depth + b"]" * depth + b"}}"
    told = it.ask("PATCH", "/v1.0/security/alerts_v2/da1", body)
    assert (told.status, told.code) == (400, "InvalidRequestBody")


@pytest.mark.parametrize("key", ["[99999999999999999999,1]", "[1,99999999999999999999]"])
def test_a_token_of_somebody_elses_making_is_refused(key):
    it, _ = _world()
    token = base64.urlsafe_b64encode(gzip.compress(key.encode())).rstrip(b"=").decode()
    for path in ("/v1.0/security/incidents", "/v1.0/security/alerts_v2"):
        assert it.ask("GET", f"{path}?$skiptoken={token}").status == 400
