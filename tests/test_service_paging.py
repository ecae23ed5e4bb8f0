"""Lists: pages, order, filters, links, in memory and over a socket."""

from __future__ import annotations

import pytest

from served import EU, INSIGHTS, edge


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path)
    yield made
    made.close()


@pytest.fixture
def full(tmp_path):
    made = edge("memory", tmp_path, 300)
    yield made
    made.close()


def test_pages_hold_every_incident_once_while_others_write(full):
    path = f"{EU}{INSIGHTS}/incidents?api-version=2025-09-01&$top=7"
    (there,) = full.connection.execute(
        "SELECT count(*) FROM incident WHERE workspace = 1"
    ).fetchone()
    names = []
    for position, found in enumerate(full.pages(path)):
        names.append(found["name"])
        if position % 20 == 0:
            full.make(f"new-{position}")
            body = {"etag": found["etag"], "properties": found["properties"]}
            full.arm("PUT", f"/incidents/{found['name']}", body)
    assert len(names) == len(set(names)) == there


@pytest.mark.parametrize("way", ["asc", "desc"])
@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("createdTimeUtc", "createdTimeUtc"),
        ("lastModifiedTimeUtc", "lastModifiedTimeUtc"),
        ("incidentNumber", "incidentNumber"),
        ("severity", "severity"),
        ("title", "title"),
    ],
)
def test_lists_come_in_the_order_asked_for(full, path, key, way):
    query = f"api-version=2025-09-01&$top=40&$orderby=properties/{path} {way}"
    found = [one["properties"][key] for one in full.pages(f"{EU}{INSIGHTS}/incidents?{query}")]
    if key.endswith("Utc"):
        found = [moment.rstrip("Z").ljust(27, "0") for moment in found]
    assert found == sorted(found, reverse=way == "desc")
    assert len(found) > 150


def test_a_filter_gives_exactly_what_a_reader_of_everything_would_pick(full):
    base = f"{EU}{INSIGHTS}/incidents?api-version=2025-09-01&$top=1000"
    everything = list(full.pages(base))
    where = "properties/status eq 'New' and contains(properties/title,'uspicious')"
    found = list(full.pages(f"{base[:-4]}9&$filter={where}&$orderby=properties/severity asc"))
    picked = [
        one
        for one in everything
        if one["properties"]["status"] == "New" and "uspicious" in one["properties"]["title"]
    ]
    assert picked
    assert {one["name"] for one in found} == {one["name"] for one in picked}
    bad = full.arm("GET", "/incidents", query="$filter=properties/nothing eq 1")
    assert (bad.status, bad.message) == (400, "OData query syntax error")


def test_links_are_absolute_with_a_literal_dollar_and_end_with_the_list(it):
    for number in range(3):
        it.make(f"n{number}")
    page = it.arm("GET", "/incidents", query="$top=2&$orderby=properties/incidentNumber asc").json
    assert page["nextLink"].startswith(
        f"{it.url}{EU}{INSIGHTS}/incidents?api-version=2025-09-01&$top=2"
        "&$orderby=properties/incidentNumber asc&$skipToken="
    )
    last = it.ask("GET", page["nextLink"]).json
    assert [one["name"] for one in last["value"]] == ["n2"]
    assert "nextLink" not in last
    assert it.arm("GET", "/incidents", query="$filter=properties/title eq 'no'").json == {
        "value": []
    }


def test_a_link_names_port_443_where_it_goes_without_saying(full):
    full.url = "https://management.azure.com"
    link = full.arm("GET", "/incidents", query="$top=1").json["nextLink"]
    assert link.startswith("https://management.azure.com:443/subscriptions/")


@pytest.mark.parametrize("top", ["0", "1001", "-1", "x", "9" * 400])
def test_a_page_has_one_to_a_thousand(it, top):
    refused = it.arm("GET", "/incidents", query=f"$top={top}")
    assert (refused.status, refused.code) == (400, "BadRequest")


def test_a_token_that_is_not_ours_is_refused(it):
    for token in ("x", "H4sI", "%00", "e30", "A" * 5_000):
        assert it.arm("GET", "/incidents", query=f"$skipToken={token}").status == 400
