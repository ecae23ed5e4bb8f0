"""Checks over the logs: what they let pass, and that each of them can fail."""

from __future__ import annotations

import http.client
import json
import threading
from urllib.parse import quote

import pytest
from msgspec.structs import replace

from served import EU, INSIGHTS, VERSION, Clock, Memory, edge, inhabited
from vedette.errors import Asked
from vedette.service import calls as called
from vedette.service.checks import checked, names, wanted
from vedette.service.faults.meet import place
from vedette.service.faults.script import Rule
from vedette.service.state import cast
from vedette.service.state.log import changes
from vedette.service.state.settings import keep, settings

BODY = {"properties": {"title": "Brute force", "severity": "High", "status": "New"}}
RESOURCES = EU.partition("/providers/")[0]
ALL = "no-lost-update,no-double-effect,linear-etags,no-errors,all-pages,within-limits"


@pytest.fixture
def it():
    made = Memory(inhabited(), Clock())
    yield made
    made.close()


def written(it):
    it.connection.execute("BEGIN")
    it.world.write_calls(anyway=True)
    it.connection.execute("COMMIT")


def found(it, expression, since=(0, 0)):
    """Return what each check says is wrong, by its name."""
    written(it)
    told = checked(it.connection, expression, since=since)
    assert all(one.ok == (not one.found) for one in told)
    return {one.name: [finding.why for finding in one.found] for one in told if not one.ok}


def let(it, **rule):
    it.connection.execute("BEGIN")
    place(it.connection, [Rule(**rule)])
    it.connection.execute("COMMIT")
    it.world._faults.forget()


def put(it, document, app=cast.OPERATOR, *, guarded=True, **properties):
    told = {"properties": {**document["properties"], **properties}}
    if guarded:
        told["etag"] = document["etag"]
    return it.arm("PUT", f"/incidents/{document['name']}", told, app=app)


def others(it):
    """Return another application that may write."""
    (other,) = it.connection.execute(
        "SELECT id FROM app WHERE id <> ? AND object_id IN (SELECT principal FROM assignment)"
        " AND tenant = ? ORDER BY name LIMIT 1",
        (cast.OPERATOR, cast.TENANT),
    ).fetchone()
    it.connection.execute("BEGIN")
    it.connection.execute(
        "INSERT OR IGNORE INTO assignment SELECT (SELECT object_id FROM app WHERE id = ?), role,"
        " scope FROM assignment WHERE principal = (SELECT object_id FROM app WHERE id = ?)",
        (other, cast.OPERATOR),
    )
    it.connection.execute("COMMIT")
    return other


def test_a_client_that_works_well_passes(it):
    other = others(it)
    it.make("two")
    made = it.make("one")
    made = put(it, made, status="Active").json
    made = put(it, it.arm("GET", "/incidents/one", app=other).json, app=other, title="x").json
    it.arm("PUT", "/incidents/one/comments/a", {"properties": {"message": "hello"}})
    it.arm("PUT", "/incidents/one/comments/b", {"properties": {"message": "hello again"}})
    list(it.pages(f"{EU}{INSIGHTS}/incidents?api-version={VERSION}&$top=1"))
    it.arm("DELETE", "/incidents/one")
    assert found(it, ALL) == {}


def test_a_writer_who_looked_before_may_write_without_a_guard(it):
    other = others(it)
    made = it.make("one")
    put(it, made, app=other, title="theirs")
    put(it, it.arm("GET", "/incidents/one").json, guarded=False, title="ours")
    assert found(it, "no-lost-update") == {}


@pytest.mark.parametrize("looks", [False, True])
def test_an_unguarded_write_over_what_was_not_seen_is_a_lost_update(it, looks):
    other = others(it)
    made = it.make("one")
    assert put(it, made, app=other, severity="Low").status == 200
    if looks:
        it.arm("GET", "/incidents")
    assert put(it, made, guarded=False, status="Active").status == 200
    told = found(it, "no-lost-update")
    assert bool(told) != looks
    if told:
        assert "wrote over severity of" in told["no-lost-update"][0]


@pytest.mark.parametrize(("labels", "is_lost"), [(["a", "b"], False), (["b"], True)])
def test_a_tag_is_lost_only_where_it_is_gone(it, labels, is_lost):
    other = others(it)
    made = it.make("one")
    put(it, made, app=other, labels=[{"labelName": "a"}])
    put(it, made, guarded=False, labels=[{"labelName": name} for name in labels])
    assert bool(found(it, "no-lost-update")) == is_lost


def test_graph_guards_nothing_and_that_is_seen(tmp_path):
    it = edge("memory", tmp_path, count=60)
    other = others(it)
    name, xdr = it.twin()
    begun = it.connection.execute("SELECT coalesce(max(serial), 0) FROM change").fetchone()[0]
    it.arm("GET", f"/incidents/{name}")
    it.arm("PUT", f"/incidents/{name}", BODY | {"properties": {**BODY["properties"], "title": "x"}},
           app=other)  # fmt: skip
    it.graph("PATCH", f"/{xdr}", {"displayName": "y"})
    told = found(it, "no-lost-update", (begun, 0)).get("no-lost-update", [""])
    assert "wrote over title" in told[0]
    it.close()


def test_a_chain_that_forks_is_no_line(it):
    made = it.make("one")
    put(it, put(it, made, title="x").json, title="y")
    (last,) = it.connection.execute("SELECT max(serial) FROM change").fetchone()
    it.connection.execute(
        "UPDATE change SET etag_before = ? WHERE serial = ?", (made["etag"], last)
    )
    told = found(it, "linear-etags,no-lost-update")
    assert set(told) == {"linear-etags", "no-lost-update"}


def test_a_write_that_was_carried_out_on_an_older_version_is_found(it):
    """As a service would have it that looks at no etag."""
    made = it.make("one")
    put(it, made, title="x")
    put(it, it.arm("GET", "/incidents/one").json, title="y")
    written(it)
    it.connection.execute(
        "UPDATE call SET based = ? WHERE serial = (SELECT max(serial) FROM call)", (made["etag"],)
    )
    assert "written on version" in found(it, "no-lost-update")["no-lost-update"][0]


def test_what_is_said_or_done_twice_is_found(it):
    made = it.make("one")
    for name in ("a", "b"):
        it.arm("PUT", f"/incidents/one/comments/{name}", {"properties": {"message": "hello"}})
    let(it, what="twice", method="PUT", path="incidents/*")
    put(it, made, guarded=False, status="Active")
    told = found(it, "no-double-effect")["no-double-effect"]
    assert [why.rpartition("operator ")[2] for why in told] == [
        "said the same twice",
        "made the same update twice",
    ]


def test_a_comment_that_is_sent_again_under_its_id_is_one_comment(it):
    it.make("one")
    for status in (201, 200):
        body = {"properties": {"message": "hello"}}
        assert it.arm("PUT", "/incidents/one/comments/a", body).status == status
    assert found(it, "no-double-effect") == {}


@pytest.mark.parametrize("again", [False, True])
def test_a_playbook_that_one_call_ran_twice_is_found(it, again):
    it.make("one")
    body = {"logicAppsResourceId": f"{RESOURCES}/providers/Microsoft.Logic/workflows/block"}
    for number in (1, 1 if again else 2):
        told = {"x-ms-client-request-id": f"call {number}"}
        assert it.arm("POST", "/incidents/one/runPlaybook", body, headers=told).status == 204
    assert bool(found(it, "no-double-effect")) == again


def test_a_guarded_update_that_comes_twice_has_one_effect(it):
    made = it.make("one")
    let(it, what="twice", method="PUT", path="incidents/*")
    assert put(it, made, status="Active").status == 200
    assert found(it, "no-double-effect,no-lost-update") == {}


def test_only_the_fields_that_were_allowed_changed(it):
    made = it.make("one")
    begun = it.connection.execute("SELECT max(serial) FROM change").fetchone()[0]
    made = put(it, made, status="Closed", classification="Undetermined").json
    assert found(it, "only=status+classification", (begun, 0)) == {}
    put(it, made, title="x")
    it.arm("PUT", "/incidents/one/comments/a", {"properties": {"message": "hello"}})
    told = found(it, "only=status+classification", (begun, 0))
    (whys,) = told.values()
    assert [why.rpartition("changed ")[2] for why in whys] == [
        'title ("Brute force" → "x")',
        "comment",
    ]


def test_errors_count_unless_they_were_on_purpose(it):
    let(it, what="refuse", status=429, times=1)
    it.arm("GET", "/incidents")
    assert found(it, "no-errors,within-limits") == {}
    it.arm("GET", "/incidents/none")
    assert set(found(it, "no-errors,within-limits")) == {"no-errors"}
    it.connection.execute("UPDATE call SET status = 429")
    it.connection.execute("UPDATE call SET fault = NULL")
    assert set(found(it, "no-errors,within-limits")) == {"no-errors", "within-limits"}


def test_a_list_that_is_not_read_to_its_end_is_found(tmp_path):
    for ask in ("arm", "graph"):
        it = edge("memory", tmp_path, count=60)
        where = f"{EU}{INSIGHTS}/incidents?api-version={VERSION}&$top=7"
        path = (
            where if ask == "arm" else "/v1.0/security/incidents?$top=7&$filter=status eq 'active'"
        )
        pages = it.ask("GET", path).json
        link = pages.get("nextLink") or pages["@odata.nextLink"]
        assert "had a next page" in found(it, "all-pages")["all-pages"][0]
        list(it.pages(link.replace(":443/", "/")))
        assert found(it, "all-pages") == {}
        it.close()


@pytest.mark.parametrize("wrong", ["", ",", "no-such", "only", "only=", "no-errors=2"])
def test_an_expression_that_means_nothing_is_refused(wrong):
    with pytest.raises(Asked):
        wanted(wrong)


def test_every_check_has_a_name_that_can_be_said():
    assert wanted(",".join(names()))


# ---- many writers at once


def race(tmp_path, *, writers, rounds, guarded):
    """Let many writers at once each add tags to one incident: read, change, write, again."""
    it = edge("socket", tmp_path)
    it.make("one")
    apps = (cast.OPERATOR, others(it))
    tokens = [it.sign_in(app).json["access_token"] for app in apps]
    path = quote(f"{EU}{INSIGHTS}/incidents/one") + f"?api-version={VERSION}"
    gate = threading.Barrier(writers)

    def writer(number):
        wire = http.client.HTTPSConnection(
            "localhost", it.service.port, context=it.context, timeout=20
        )
        token = tokens[number % len(tokens)]
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

        def ask(method, body=None):
            wire.request(method, path, None if body is None else json.dumps(body), headers)
            told = wire.getresponse()
            return told.status, json.loads(told.read())

        gate.wait(20)
        for turn in range(rounds):
            while True:
                _, document = ask("GET")
                labels = document["properties"]["labels"]
                labels.append({"labelName": f"w{number}-{turn}"})
                if not guarded:
                    del document["etag"]
                    gate.wait(20)
                if ask("PUT", document)[0] == 200:
                    break
        wire.close()

    threads = [threading.Thread(target=writer, args=(number,)) for number in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    it._wire.close()
    tags = {
        one["labelName"] for one in it.arm("GET", "/incidents/one").json["properties"]["labels"]
    }
    return it, tags


def proven(tmp_path, writers, rounds):
    it, tags = race(tmp_path, writers=writers, rounds=rounds, guarded=True)
    assert tags == {f"w{number}-{turn}" for number in range(writers) for turn in range(rounds)}
    assert found(it, "linear-etags,no-lost-update,no-double-effect,only=tags+create") == {}
    rows = list(changes(it.connection, name="one"))
    assert len(rows) == 1 + writers * rounds
    requests = {call.request: call for call in called.calls(it.connection)}
    assert {requests[row.request].status for row in rows} <= {200, 201}
    it.close()


def test_sixteen_writers_at_once_lose_nothing(tmp_path):
    proven(tmp_path, 16, 2)


@pytest.mark.soak
def test_sixteen_writers_at_once_lose_nothing_for_long(tmp_path):
    proven(tmp_path, 16, 40)


def test_without_guards_tags_are_lost_and_the_check_finds_it(tmp_path):
    it, tags = race(tmp_path, writers=2, rounds=1, guarded=False)
    assert len(tags) == 1
    assert "wrote over tags of" in found(it, "no-lost-update")["no-lost-update"][0]
    assert found(it, "linear-etags") == {}, "the service itself kept its versions in a line"
    it.close()


def test_a_trimmed_log_of_calls_accuses_nobody(it):
    other = others(it)
    made = it.make("one")
    put(it, made, app=other, severity="Low")
    put(it, made, guarded=False, status="Active")
    written(it)
    it.connection.execute("DELETE FROM call")
    assert found(it, "no-lost-update") == {}


def test_calls_that_are_forgotten_are_no_pass(it):
    keep(it.connection, replace(settings(it.connection), log_keep=2))
    for name in "abcd":
        it.make(name)
    told = found(it, ALL)
    assert set(told) == {*ALL.split(",")} - {"linear-etags"}
    assert told["no-errors"] == ["2 calls are forgotten (log_keep), and what they did is not known"]
    assert found(it, ALL, (0, 2)) == {}


def test_a_log_that_keeps_nothing_still_counts(it):
    keep(it.connection, replace(settings(it.connection), log_keep=0))
    for name in "ab":
        it.make(name)
        written(it)
    assert called.latest(it.connection) == 2
    assert "no-errors" in found(it, "no-errors")


def test_a_field_nobody_knows_is_refused():
    with pytest.raises(Asked, match="only=stauts: no such field; there are"):
        wanted("only=severity+stauts")


def test_a_next_page_that_was_refused_was_not_read(tmp_path):
    it = edge("memory", tmp_path, count=60)
    page = it.arm("GET", "/incidents", query="$top=7").json
    let(it, what="refuse", status=503, times=1)
    assert it.ask("GET", page["nextLink"].replace(":443/", "/")).status == 503
    assert "all-pages" in found(it, "all-pages")
    assert list(it.pages(page["nextLink"].replace(":443/", "/")))
    assert found(it, "all-pages") == {}
    it.close()


def test_the_items_of_a_batch_are_checked_like_any_call(tmp_path):
    it = edge("memory", tmp_path)
    items = [{"id": "1", "method": "GET", "url": "/security/incidents/999999"}]
    assert it.ask("POST", "/v1.0/$batch", {"requests": items}).status == 200
    (why,) = found(it, "no-errors")["no-errors"]
    assert "/security/incidents/999999 was answered 404" in why
    it.close()
