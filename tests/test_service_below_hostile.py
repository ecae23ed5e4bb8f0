"""Whatever callers say below incidents: answered or refused, never an error of the service."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from served import edge

SAID = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
MEMBERS = (
    "title",
    "status",
    "displayName",
    "query",
    "labels",
    "eventTime",
    "relatedResourceId",
    "targetRelationNode",
    "logicAppsResourceId",
    "tenantId",
    "incidentArmId",
    "teamName",
    "teamDescription",
)
ASKED = (
    ("PUT", "/bookmarks/b", "2025-09-01"),
    ("PUT", "/incidents/one/tasks/t", "2025-09-01"),
    ("PUT", "/incidents/one/relations/rel", "2025-09-01"),
    ("PUT", "/cases/one/relations/rel", "2019-01-01-preview"),
    ("POST", "/incidents/one/runPlaybook", "2025-09-01"),
    ("POST", "/incidents/one/createTeam", "2025-07-01-preview"),
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    made = edge("memory", tmp_path_factory.mktemp("edge"))
    made.make("one")
    yield made
    made.close()


@settings(max_examples=150, deadline=None)
@given(
    asked=st.sampled_from(ASKED),
    said=st.dictionaries(st.sampled_from(MEMBERS), SAID, max_size=4),
    etag=st.none() | SAID,
)
def test_whatever_is_said_is_answered_or_refused(hostile, asked, said, etag):
    method, path, version = asked
    body = said if method == "POST" else {"properties": said, "etag": etag}
    told = hostile.arm(method, path, body, version=version)
    assert told.status in (200, 201, 204, 400, 404, 409), told.body
    if told.status in (200, 201) and method == "PUT":
        assert hostile.arm("GET", path, version=version).status == 200


@settings(max_examples=60, deadline=None)
@given(name=st.text(min_size=1, max_size=70))
def test_whatever_a_thing_is_called_it_is_found_again(hostile, name):
    path = f"/incidents/one/tasks/{quote(name, safe='')}"
    made = hostile.arm("PUT", path, {"properties": {"title": "t", "status": "New"}})
    if made.status == 201:
        assert hostile.arm("GET", path).json == made.json
        assert hostile.arm("DELETE", path).status == 200
    else:
        # A slash in a name leads elsewhere, as on ARM.
        assert made.status in (400, 404, 405)
