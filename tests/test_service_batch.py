"""Several calls to Graph in one."""

from __future__ import annotations

import pytest

from alerting import alert, clear, open_incidents
from served import edge
from vedette.service.faults import Trouble
from vedette.service.state import cast

BATCH = "/v1.0/$batch"
JSON = {"Content-Type": "application/json"}


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path, 60)
    clear(made)
    yield made
    made.close()


@pytest.fixture
def near(tmp_path):
    made = edge("memory", tmp_path, 60)
    clear(made)
    yield made
    made.close()


def _get(name, url="/security/incidents?$top=1", **more):
    return {"id": name, "method": "GET", "url": url, **more}


def _patch(name, xdr, body, **more):
    url = f"/security/incidents/{xdr}"
    return {"id": name, "method": "PATCH", "url": url, "headers": JSON, "body": body, **more}


def _batch(it, *items, path=BATCH, **more):
    return it.ask("POST", path, {"requests": list(items)}, **more)


def _answers(told):
    assert told.status == 200, told.body
    return {one["id"]: one for one in told.json["responses"]}


def test_items_are_answered_each_as_if_it_had_come_alone(it):
    (xdr,) = open_incidents(it, 1)
    told = _batch(
        it,
        _get("1", f"/security/incidents/{xdr}"),
        _get("2", f"security/incidents/{xdr}"),
        _get("3", f"{it.url}/v1.0/security/incidents/{xdr}"),
        _get("4", f"https://graph.microsoft.com/v1.0/security/incidents/{xdr}"),
        _get("5", "/security/incidents/1"),
        _get("6", "/users/linda@contoso.example?$select=id"),
        {"id": "7", "method": "DELETE", "url": f"/security/incidents/{xdr}"},
        headers={"client-request-id": "mine"},
    )
    found = _answers(told)
    alone = it.graph("GET", f"/{xdr}")
    for name in "1234":
        assert (found[name]["status"], found[name]["body"]) == (200, alone.json)
        assert found[name]["headers"]["Content-Type"] == alone.headers["content-type"]
        assert found[name]["headers"]["OData-Version"] == "4.0"
    assert [found[name]["status"] for name in "567"] == [404, 200, 405]
    assert found["6"]["body"]["id"] == cast.id_of("user", "linda")
    inner = {tuple(found[name]["body"]["error"]["innerError"].items()) for name in "57"}
    assert len(inner) == 1, "the items of a batch share its ids"
    assert found["5"]["body"]["error"]["innerError"]["client-request-id"] == "mine"


def test_an_item_that_fails_undoes_nothing_of_the_others(it):
    one, two = open_incidents(it, 2)
    comment = {"comment": "in a batch"}
    found = _answers(
        _batch(
            it,
            _patch("a", one, {"severity": "low"}),
            _patch("b", two, {"severity": "low", "status": "nonsense"}),
            {
                "id": "c",
                "method": "POST",
                "url": f"/security/incidents/{two}/comments",
                "headers": JSON,
                "body": comment,
            },
        )
    )
    assert [found[name]["status"] for name in "abc"] == [200, 400, 200]
    assert it.graph("GET", f"/{one}").json["severity"] == "low"
    assert it.graph("GET", f"/{two}").json["comments"][-1]["comment"] == "in a batch"


def test_what_depends_comes_after_and_fails_with_what_it_depends_on(near):
    (xdr,) = open_incidents(near, 1)
    told = _batch(
        near,
        _get("last", f"/security/incidents/{xdr}", dependsOn=["first"]),
        _get("free", depends_on=[]),
        _patch("first", xdr, {"severity": "low"}),
        _get("lost", "/security/incidents/1"),
        _patch("never", xdr, {"severity": "high"}, dependsOn=["LOST"]),
        _get("nor", dependsOn=["never"]),
    )
    found = _answers(told)
    order = [one["id"] for one in told.json["responses"]]
    assert order.index("first") < order.index("last")
    assert found["last"]["body"]["severity"] == "low"
    assert [found[name]["status"] for name in ("lost", "never", "nor")] == [404, 424, 424]
    assert near.graph("GET", f"/{xdr}").json["severity"] == "low"


@pytest.mark.parametrize(
    ("items", "said"),
    [
        ([_get(str(number)) for number in range(21)], "exceeds the max value of 20"),
        ([_get("a"), _get("A")], "Request Id A has to be unique in a batch."),
        ([_get("a", dependsOn=["b"])], "'b' is depended on"),
        ([_get("a", dependsOn=["b"]), _get("b", dependsOn=["a"])], "in a circle"),
        ([_get("a", dependsOn=["a"])], "in a circle"),
        ([_get("a", "/$batch")], "cannot contain another"),
        ([_get("a", "/%24batch")], "cannot contain another"),
        ([_get("a", "https://evil.example/v1.0/users")], "leads out"),
        ([_get("a", "https://localhost:8443/subscriptions?api-version=1")], "leads out"),
        ([_get("a", "https://[")], "not valid"),
        ([{"id": "a", "method": "PATCH", "url": "/x", "body": {}}], "a Content-Type header"),
        ([{"id": "a", "method": "POST", "url": "/x", "headers": JSON}], "header or body"),
        ([{"method": "GET", "url": "/x"}], "needs an id"),
        ([{"id": 1, "method": "GET", "url": "/x"}], "needs an id"),
        (["text"], "Invalid batch payload"),
        ([], "Invalid batch payload"),
        ([_get("a", headers=["x"])], "Invalid batch payload"),
        ([_get("a", dependsOn="b")], "Invalid batch payload"),
    ],
)
def test_a_batch_that_is_malformed_is_refused_whole(near, items, said):
    told = _batch(near, *items)
    assert (told.status, told.code) == (400, "BadRequest")
    assert said in told.message


def test_nothing_below_a_version_leads_to_arm(near):
    for url in ("/../subscriptions", "//subscriptions", "/%2e%2e/subscriptions", "/#/", "?x"):
        (found,) = _answers(_batch(near, _get("a", url))).values()
        assert found["status"] == 400, url


def test_who_calls_is_settled_by_the_batch(it):
    (xdr,) = open_incidents(it, 1)
    sly = _patch("1", xdr, {"severity": "low"})
    sly["headers"] = JSON | {"Authorization": "Bearer of somebody else"}
    (found,) = _answers(_batch(it, sly, app=cast.READER_APP)).values()
    assert found["status"] == 403
    assert _batch(it, sly, app=None).status == 401


def test_beta_takes_twenty_items_with_preferences_of_their_own(near):
    (xdr,) = open_incidents(near, 1)
    alert(near, xdr, "da1", source="microsoftSentinel")
    prefer = {"Prefer": "include-unknown-enum-members"}
    items = [_get(str(n), "/security/alerts_v2/da1") for n in range(19)]
    found = _answers(
        _batch(
            near,
            *items,
            _get("all", "/security/alerts_v2/da1", headers=prefer),
            path="/beta/$batch",
        )
    )
    assert len(found) == 20
    assert found["0"]["body"]["serviceSource"] == "unknownFutureValue"
    assert found["all"]["body"]["serviceSource"] == "microsoftSentinel"
    assert "/beta/" in found["all"]["body"]["@odata.context"]
    assert found["all"]["headers"]["Preference-Applied"] == "include-unknown-enum-members"


def test_an_item_that_is_throttled_says_so_for_itself(near):
    one, two = open_incidents(near, 2)
    near.cause(
        Trouble(path=f"/v1.0/security/incidents/{two}", status=429, headers={"retry-after": "7"})
    )
    found = _answers(_batch(near, _get("1", f"/security/incidents/{one}"),
                            _get("2", f"/security/incidents/{two}")))  # fmt: skip
    assert [found[name]["status"] for name in "12"] == [200, 429]
    assert found["2"]["headers"]["Retry-After"] == "7"
    assert found["2"]["body"]["error"]["code"] == "TooManyRequests"


def test_consequences_follow_an_item_once(near):
    (xdr,) = open_incidents(near, 1)
    alert(near, xdr, "da1")
    (before,) = near.connection.execute("SELECT max(serial) FROM change").fetchone()
    found = _answers(
        _batch(
            near,
            _patch("1", xdr, {"status": "resolved"}),
            _get("2", "/security/alerts_v2/da1", dependsOn=["1"]),
        )
    )
    assert found["2"]["body"]["status"] == "resolved", "the next item sees what followed"
    rows = near.connection.execute("SELECT kind FROM change WHERE serial > ?", (before,)).fetchall()
    assert rows == [("incident",), ("alert",)]


def test_each_item_is_a_call_of_its_own_and_its_changes_say_so(near):
    (xdr,) = open_incidents(near, 1)
    url = f"/v1.0/security/incidents/{xdr}"
    near.world.write_calls(anyway=True)
    (since,) = near.connection.execute("SELECT max(serial) FROM call").fetchone()
    _batch(near, _patch("1", xdr, {"summary": "a"}), _patch("2", xdr, {"summary": "b"}),
           _patch("3", xdr, {"status": "nonsense"}))  # fmt: skip
    near.world.write_calls(anyway=True)
    rows = near.connection.execute(
        "SELECT request, method, url, status, who FROM call WHERE serial > ? ORDER BY serial",
        (since,),
    ).fetchall()
    assert [row[1:] for row in rows] == [
        ("PATCH", url, 200, "vedette operator"),
        ("PATCH", url, 200, "vedette operator"),
        ("PATCH", url, 400, "vedette operator"),
        ("POST", BATCH, 200, "vedette operator"),
    ]
    assert len({row[0] for row in rows}) == 4
    changes = near.connection.execute(
        "SELECT request FROM change ORDER BY serial DESC LIMIT 2"
    ).fetchall()
    assert [request for (request,) in changes] == [rows[1][0], rows[0][0]]
