"""Watchlists and their items on ARM, in memory and over a socket."""

from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from served import EU, INSIGHTS, US, edge
from vedette.service.arm import rawcontent, watchlists
from vedette.service.caller import Caller
from vedette.service.state import cast
from vedette.service.state.settings import Settings, keep

SAID = {"displayName": "Scanners", "provider": "SOC", "source": "local", "itemsSearchKey": "ip"}
ONE = "/watchlists/scanners"
ITEM = f"{ONE}/watchlistItems/6d37a904-d199-43ff-892b-53653b784122"


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def inside(tmp_path):
    made = edge("memory", tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """Return a world for what leaves no trace that matters to the next."""
    made = edge("memory", tmp_path_factory.mktemp("world"))
    yield made
    made.close()


def put(it, content=None, *, alias="scanners", version="2025-09-01", at=EU, **said):
    told = SAID | said | ({} if content is None else {"rawContent": content})
    body = {"properties": {name: value for name, value in told.items() if value is not None}}
    return it.arm("PUT", f"/watchlists/{alias}", body, version=version, at=at)


def items(it, alias="scanners", top=1000):
    path = f"{EU}{INSIGHTS}/watchlists/{alias}/watchlistItems?api-version=2025-09-01&$top={top}"
    return [one["properties"]["itemsKeyValue"] for one in it.pages(path)]


def test_a_watchlist_is_made_and_replaced_with_200_and_its_upload_is_new_once(it):
    made = put(it, description="ours", defaultDuration="P1DT12H", labels=["a"])
    assert made.status == 200
    told = made.json["properties"]
    assert told["uploadStatus"] == "New"
    assert told["watchlistId"] != told["watchlistAlias"] == "scanners"
    assert told["created"] == told["updated"] == "2026-11-22T07:00:00+00:00"
    assert told["createdBy"] == {
        "objectId": cast.object_id(cast.OPERATOR),
        "name": cast.OPERATOR,
    }
    assert made.json["systemData"]["lastModifiedByType"] == "Application"
    assert made.headers["x-ms-ratelimit-remaining-subscription-writes"] == "799"
    assert it.arm("GET", ONE).json == made.json
    it.clock.pass_(seconds=2)
    again = put(it)
    assert again.status == 200
    after = again.json["properties"]
    assert "uploadStatus" not in after
    assert "description" not in after
    assert after["watchlistId"] == told["watchlistId"]
    assert (after["created"], after["updated"]) == (
        "2026-11-22T07:00:00+00:00",
        "2026-11-22T07:00:02+00:00",
    )
    assert it.arm("GET", "/watchlists").json == {"value": [again.json]}


def test_errors_have_their_status_for_a_code_but_those_of_arm_have_words(it):
    missing = it.arm("GET", ONE)
    assert (missing.status, missing.code) == (404, "404")
    assert missing.message == "Resource 'scanners' does not exist"
    put(it)
    gone = it.arm("GET", ITEM)
    assert (gone.status, gone.code) == (404, "404")
    assert it.arm("GET", "/watchlists/other/watchlistItems").code == "404"
    assert it.arm("PUT", ONE, b"[").code == "400"
    stale = it.arm("PUT", ONE, {"etag": '"1"', "properties": SAID})
    assert (stale.status, stale.code) == (409, "409")
    denied = it.arm("PUT", ONE, {"properties": SAID}, app=cast.READER_APP)
    assert (denied.status, denied.code) == (403, "AuthorizationFailed")
    assert "'Microsoft.SecurityInsights/watchlists/write'" in denied.message
    assert it.arm("GET", ONE, app=cast.READER_APP).status == 200
    assert it.arm("GET", ONE, version="2020-01-01").code == "UnsupportedApiVersion"


def test_content_is_added_to_what_is_there_and_takes_nothing_away(it):
    put(it, "ip,owner\n10.0.0.1,linda\n")
    put(it, "ip,owner\r\n10.0.0.2,amir\r\n10.0.0.1,linda")
    put(it)
    assert items(it) == [
        {"ip": "10.0.0.1", "owner": "linda"},
        {"ip": "10.0.0.2", "owner": "amir"},
        {"ip": "10.0.0.1", "owner": "linda"},
    ]
    assert items(it, top=2) == items(it)


def test_content_may_be_quoted_marked_or_separated_by_tabs(inside):
    content = (
        '\ufeffnot this\r\nip,"a ""note"""\r\n10.0.0.1,"two\nlines, one cell"\r\n\r\n10.0.0.2\r\n'
    )
    assert put(inside, content, numberOfLinesToSkip=1).status == 200
    assert put(inside, "ip\twho\n10.0.0.3\tamir, linda", contentType="text/tsv").status == 200
    assert items(inside) == [
        {"ip": "10.0.0.1", 'a "note"': "two\nlines, one cell"},
        {"ip": "10.0.0.2"},
        {"ip": "10.0.0.3", "who": "amir, linda"},
    ]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("ip", "no watchlist items found in the provided rawContent <ip>"),
        ("\n\n", "no watchlist items found in the provided rawContent <>"),
        ('ip\n"10.0.0.1', "unexpected end of data"),
        ('ip\n"10.0.0.1"x', "',' expected after '\"'"),
        ("name\nx", "there is no column 'ip', which itemsSearchKey names"),
        ("ip,ip\n1,2", "two columns have the same name"),
        ("ip,\n1,2", "a column has no name"),
        ("ip\n1,2", "row 1 has more cells than there are columns"),
        (f"ip\n{'x' * 10_241}\n", "line 2 is longer than 10240 characters"),
        (f"ip\n{'x' * 10_241}", "the last line is longer than 10240 characters"),
        (f"ip\n{'ß' * 5_121}", "row 1 is larger than 10240 bytes"),
        ("ip\n" + "x" * 3_800_000, "the provided rawContent is larger than 3.8 MB"),
        ("ip\n" + "x\n" * 100_001, "there are more than 100000 rows"),
    ],
)
def test_content_that_is_none_is_refused_and_leaves_no_watchlist(shared, content, why):
    refused = put(shared, content, alias="bad")
    assert (refused.status, refused.code) == (400, "400")
    assert refused.message == f"Invalid csv content : {why}!"
    assert shared.arm("GET", "/watchlists/bad").status == 404


def test_lines_that_are_skipped_may_be_all_there_are(shared):
    assert put(shared, "ip\n1", alias="bad", numberOfLinesToSkip="9").status == 400


def test_what_has_to_be_said_depends_on_the_version(shared):
    missing = put(shared, displayName=" ")
    assert missing.message == "'DisplayName' must have a non-empty value"
    assert put(shared, provider=None).status == put(shared, itemsSearchKey=None).status == 400
    assert put(shared, itemsSearchKey=None, version="2019-01-01-preview").status == 200
    assert put(shared, source=None, version="2022-08-01").status == 400
    assert put(shared, source=None, version="2023-11-01").status == 200


@pytest.mark.parametrize(
    "said",
    [
        {"labels": "a"},
        {"labels": [1]},
        {"defaultDuration": "P"},
        {"defaultDuration": "one day"},
        {"numberOfLinesToSkip": -1},
        {"numberOfLinesToSkip": 2**31},
        {"numberOfLinesToSkip": True},
        {"contentType": "text/html"},
        {"rawContent": 1},
        {"displayName": ["x"]},
        {"description": "x" * 65_536},
        {"sourceType": "AzureStorage"},
    ],
)
def test_what_is_said_in_a_wrong_way_is_refused(shared, said):
    refused = put(shared, **said)
    assert (refused.status, refused.code) == (400, "400")


def test_a_person_is_named_with_an_address_and_a_program_by_its_id(inside, monkeypatch):
    person = Caller(
        object_id=cast.object_id(cast.OPERATOR),
        tenant=cast.TENANT,
        name="Linda Okafor",
        upn="linda@contoso.example",
        kind="user",
    )
    monkeypatch.setattr(inside.world, "caller", lambda _: person)
    made = put(inside).json
    assert made["properties"]["createdBy"] == {
        "objectId": person.object_id,
        "email": "linda@contoso.example",
        "name": "Linda Okafor",
    }
    assert made["systemData"]["createdBy"] == "linda@contoso.example"
    assert made["systemData"]["createdByType"] == "User"


def test_a_source_type_is_one_of_few_words(shared):
    refused = put(shared, sourceType="Local file")
    assert refused.message == (
        "There is an issue with deserializing : "
        "Error converting 'Local file' for path 'properties.sourceType'."
    )
    assert put(shared, sourceType="local").json["properties"]["sourceType"] == "Local"


def test_an_item_is_written_read_listed_and_deleted_under_its_guid(it):
    put(it)
    body = {"properties": {"itemsKeyValue": {"ip": "10.0.0.9"}}}
    made = it.arm("PUT", ITEM, body)
    assert made.status == 200
    assert made.json["properties"]["entityMapping"] == {}
    it.clock.pass_(seconds=1)
    body["etag"] = made.json["etag"]
    body["properties"]["entityMapping"] = {"ip": "IP"}
    saved = it.arm("PUT", ITEM, body)
    assert saved.status == 200
    assert saved.json["properties"]["updated"] == "2026-11-22T07:00:01+00:00"
    assert it.arm("PUT", ITEM, body).status == 409
    assert it.arm("GET", ITEM).json == saved.json
    assert it.arm("GET", f"{ONE}/watchlistItems").json == {"value": [saved.json]}
    deleted = it.arm("DELETE", ITEM)
    assert (deleted.status, deleted.body) == (200, b"{}")
    assert it.arm("DELETE", ITEM).status == 204
    assert it.arm("GET", ITEM).status == 404


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"itemsKeyValue": {}},
        {"itemsKeyValue": "ip"},
        {"itemsKeyValue": {"ip": "x" * 10_240}},
        {"itemsKeyValue": {"ip": "x"}, "entityMapping": [1]},
    ],
)
def test_an_item_without_a_row_is_refused(shared, said):
    put(shared)
    refused = shared.arm("PUT", ITEM, {"properties": said})
    assert (refused.status, refused.code) == (400, "400")


def test_a_watchlist_goes_with_its_items_and_says_so_as_its_version_does(it):
    put(it, "ip\n10.0.0.1")
    deleted = it.arm("DELETE", ONE, version="2022-08-01")
    assert (deleted.status, deleted.body) == (200, b"{}")
    assert it.arm("DELETE", ONE, version="2022-08-01").status == 204
    assert it.arm("GET", f"{ONE}/watchlistItems").status == 404
    made = put(it, version="2025-10-01-preview").json["properties"]
    assert made["provisioningState"] == "Succeeded"
    assert items(it) == []
    assert it.arm("DELETE", ONE, version="2025-10-01-preview").status == 204
    assert it.arm("GET", ONE).status == 404


def test_what_is_in_one_workspace_is_in_no_other(inside):
    put(inside, "ip\n10.0.0.1")
    assert inside.arm("GET", ONE, at=US).status == 404
    assert inside.arm("GET", "/watchlists", at=US).json == {"value": []}
    put(inside, "ip\n10.0.0.2", at=US)
    inside.arm("DELETE", ONE, at=US)
    assert items(inside) == [{"ip": "10.0.0.1"}]


def test_items_are_seen_after_a_while_and_go_after_a_while(inside):
    keep(inside.connection, Settings(item_delay=5))
    made = put(inside, "ip\n10.0.0.1\n10.0.0.2")
    assert made.json["properties"]["uploadStatus"] == "New"
    assert items(inside) == []
    assert inside.arm("GET", ONE).json["properties"]["uploadStatus"] == "InProgress"
    assert inside.arm("DELETE", ONE).status == watchlists.BUSY
    inside.clock.pass_(seconds=4)
    body = {"properties": {"itemsKeyValue": {"ip": "10.0.0.9"}}}
    first = inside.arm("PUT", ITEM, body).json
    assert inside.arm("GET", ITEM).status == 404
    inside.clock.pass_(seconds=1)
    assert inside.arm("GET", ONE).json["properties"]["uploadStatus"] == "Complete"
    assert items(inside) == [{"ip": "10.0.0.1"}, {"ip": "10.0.0.2"}]
    inside.clock.pass_(seconds=4)
    assert inside.arm("GET", ITEM).json == first
    body["properties"]["itemsKeyValue"] = {"ip": "10.0.0.8"}
    inside.arm("PUT", ITEM, body)
    assert inside.arm("GET", ITEM).json == first
    inside.arm("DELETE", ITEM)
    assert inside.arm("GET", ITEM).json == first
    assert items(inside, top=1)[-1] == {"ip": "10.0.0.9"}
    inside.clock.pass_(seconds=5)
    assert inside.arm("GET", ITEM).status == 404
    assert inside.arm("DELETE", ONE).status == 204


def test_saying_something_else_of_a_watchlist_does_not_end_its_upload(inside):
    keep(inside.connection, Settings(item_delay=5))
    put(inside, "ip\n10.0.0.1", itemsSearchKey="ip")
    assert "uploadStatus" not in put(inside, itemsSearchKey="ip").json["properties"]
    assert inside.arm("GET", ONE).json["properties"]["uploadStatus"] == "InProgress"
    assert inside.arm("DELETE", ONE).status == 409
    inside.clock.pass_(seconds=6)
    assert inside.arm("DELETE", ONE).status in (200, 204)


def test_a_new_watchlist_has_nothing_of_the_one_before_it(inside):
    put(inside)
    inside.arm("PUT", ITEM, {"properties": {"itemsKeyValue": {"ip": "10.0.0.9"}}})
    keep(inside.connection, Settings(item_delay=5))
    inside.clock.pass_(seconds=9)
    inside.arm("DELETE", ONE)
    put(inside)
    assert items(inside) == []
    assert inside.arm("GET", ITEM).status == 404


def test_ten_thousand_rows_are_ten_thousand_items(inside):
    content = "ip,owner\n" + "".join(f"10.0.{n // 256}.{n % 256},linda\n" for n in range(10_000))
    assert put(inside, content).status == 200
    there = items(inside)
    assert len(there) == 10_000
    assert there[-1] == {"ip": "10.0.39.15", "owner": "linda"}


def test_a_workspace_has_room_for_so_many_items(inside, monkeypatch):
    put(inside, "ip\n1\n2\n3")
    monkeypatch.setattr(watchlists, "MOST_ITEMS", 4)
    assert put(inside, "ip\n4").status == 200
    full = put(inside, "ip\n5")
    assert (full.status, full.code) == (400, "400")
    body = {"properties": {"itemsKeyValue": {"ip": "5"}}}
    assert inside.arm("PUT", ITEM, body).status == 400
    assert len(items(inside)) == 4


_CELL = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
_ROWS = st.integers(1, 4).flatmap(
    lambda width: st.lists(st.lists(_CELL, min_size=width, max_size=width), min_size=1, max_size=6)
)


@settings(max_examples=60, deadline=None)
@given(_ROWS, st.sampled_from([",", "\t"]), st.sampled_from(["\n", "\r\n"]))
def test_whatever_is_written_as_csv_comes_back(shared, rows, delimiter, end):
    kind = {",": "text/csv", "\t": "text/tsv"}[delimiter]
    columns = ["ip", "b", "c", "d"][: len(rows[0])]
    out = io.StringIO(newline="")
    # Python before 3.13 quotes a lone \\r only where lines end with one.
    quoting = csv.QUOTE_MINIMAL if end == "\r\n" else csv.QUOTE_ALL
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([columns, *rows])
    shared.arm("DELETE", "/watchlists/any")
    assert put(shared, out.getvalue(), alias="any", contentType=kind).status == 200
    assert items(shared, "any") == [dict(zip(columns, row, strict=True)) for row in rows]


@settings(max_examples=80, deadline=None)
@given(
    st.text(st.sampled_from('ip,"\n\r\t\0\ufeff1 \\'), max_size=30),
    st.integers(0, 3),
)
def test_no_content_is_too_much_for_it(shared, content, skipped):
    told = put(shared, f"ip\n{content}", alias="any", numberOfLinesToSkip=skipped)
    assert told.status == 200 or (told.status, told.code) == (400, "400")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | _CELL,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_CELL, inner, max_size=3),
    max_leaves=4,
)
_MEMBERS = ["displayName", "labels", "rawContent", "itemsKeyValue", "entityMapping", "contentType"]


@settings(max_examples=80, deadline=None)
@given(st.dictionaries(st.sampled_from(_MEMBERS), _JSON), st.sampled_from([ONE, ITEM]))
def test_no_body_is_too_much_for_it(shared, said, path):
    put(shared)
    told = shared.arm("PUT", path, {"properties": {**SAID, **said}})
    assert told.status == 200 or (told.status, told.code) == (400, "400")


def test_limits_are_those_of_the_page():
    assert rawcontent.MOST_BYTES == 3_800_000
    assert (rawcontent.LONGEST_LINE, rawcontent.LARGEST_ROW) == (10_240, 10_240)
    assert watchlists.MOST_ITEMS == 10_000_000
