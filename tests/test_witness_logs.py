"""The vendor's client of the log API, unmodified, over TLS: a witness that is not us."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from azure.core.exceptions import HttpResponseError
from azure.identity import ClientSecretCredential
from azure.identity.aio import ClientSecretCredential as AsyncCredential
from azure.monitor.query import (
    LogsBatchQuery,
    LogsQueryClient,
    LogsQueryError,
    LogsQueryPartialResult,
    LogsQueryResult,
)
from azure.monitor.query.aio import LogsQueryClient as AsyncClient

from served import EU, NOW, edge
from vedette.service.state import cast

GUID = cast.id_of("customer", "soc-eu")
TEXT = "SecurityIncident | sort by TimeGenerated desc"


@pytest.fixture(scope="module")
def it(tmp_path_factory):
    folder = tmp_path_factory.mktemp("world")
    with pytest.MonkeyPatch.context() as patch:
        made = edge("socket", folder, 60)
        # What service.env says, for those who speak through `requests`.
        patch.setenv("REQUESTS_CA_BUNDLE", str(folder / "bundle.pem"))
        made.bundle = str(folder / "bundle.pem")
        yield made
        made.close()


def signed_in(it, kind=ClientSecretCredential, **more):
    (secret,) = it.connection.execute(
        "SELECT secret FROM app WHERE id = ?", (cast.OPERATOR,)
    ).fetchone()
    return kind(
        cast.TENANT,
        cast.OPERATOR,
        secret,
        authority=it.url,
        disable_instance_discovery=True,
        **more,
    )


@pytest.fixture(params=["its own address", "https://api.loganalytics.io"])
def client(it, request):
    audience = it.url if "own" in request.param else request.param
    with LogsQueryClient(signed_in(it), endpoint=it.url, audience=audience) as made:
        yield made


def test_it_asks_a_workspace_and_reads_every_type(it, client):
    result = client.query_workspace(GUID, TEXT, timespan=None)
    assert isinstance(result, LogsQueryResult)
    (table,) = result.tables
    assert len(table.rows) == len({row["IncidentName"] for row in table.rows}) * 2 > 40
    times = [row["TimeGenerated"] for row in table.rows]
    assert times == sorted(times, reverse=True)
    assert all(isinstance(at, datetime) and at <= NOW for at in times)
    assert all(isinstance(row["IncidentNumber"], int) for row in table.rows)
    assert {type(row["ClosedTime"]) for row in table.rows} == {datetime, type(None)}


def test_it_asks_a_resource_with_a_timespan_and_statistics(it, client):
    # The client counts from the machine's clock where it is given a duration alone.
    since = NOW.astimezone(UTC) - timedelta(days=30)
    result = client.query_resource(
        EU, TEXT, timespan=(since, NOW), include_statistics=True, include_visualization=True
    )
    (table,) = result.tables
    assert 0 < len(table.rows) < 80
    assert min(row["TimeGenerated"] for row in table.rows) >= since
    assert result.statistics["query"]["datasetStatistics"][0]["tableRowCount"] == len(table.rows)
    lasting = client.query_resource(EU, TEXT, timespan=(since, timedelta(days=30)))
    assert len(lasting.tables[0].rows) == len(table.rows)
    shorter = client.query_resource(EU, TEXT, timespan=timedelta(days=30), server_timeout=600)
    assert len(shorter.tables[0].rows) == len(table.rows)


def test_it_understands_what_is_partial_and_what_fails(client):
    partial = client.query_workspace(GUID, f"set truncationmaxrecords=4; {TEXT}", timespan=None)
    assert isinstance(partial, LogsQueryPartialResult)
    assert len(partial.partial_data[0].rows) == 4
    assert partial.partial_error.code == "PartialError"
    with pytest.raises(HttpResponseError, match="some invalid properties") as caught:
        client.query_workspace(GUID, "SecurityIncident | where Foo == 1", timespan=None)
    assert caught.value.status_code == 400
    assert caught.value.error.code == "BadArgumentError"
    assert caught.value.error.innererror["code"] == "SemanticError"
    with pytest.raises(HttpResponseError, match="The requested path does not exist") as caught:
        client.query_workspace("unknown", TEXT, timespan=None)
    assert caught.value.status_code == 404


def test_it_asks_several_at_once_and_gets_them_in_its_order(client):
    found = client.query_batch(
        [
            LogsBatchQuery(GUID, "SecurityIncident | count", timespan=None),
            LogsBatchQuery(GUID, "nonsense |", timespan=None),
            LogsBatchQuery(GUID, f"set truncationmaxrecords=2; {TEXT}", timespan=None),
            LogsBatchQuery(GUID, TEXT, timespan=timedelta(days=9), include_statistics=True),
        ]
    )
    assert [type(one) for one in found] == [
        LogsQueryResult,
        LogsQueryError,
        LogsQueryPartialResult,
        LogsQueryResult,
    ]
    assert found[0].tables[0].rows[0]["Count"] > 40
    assert found[1].message == "Query could not be parsed at '|' on line [1,9]"
    assert found[3].statistics is not None


def test_it_asks_without_waiting(it):
    # aiohttp reads the environment once, when it is imported.
    trust = {"connection_verify": it.bundle}

    async def ask():
        async with (
            signed_in(it, AsyncCredential, **trust) as credential,
            AsyncClient(credential, endpoint=it.url, **trust) as client,
        ):
            several = await asyncio.gather(
                client.query_workspace(GUID, TEXT, timespan=None),
                client.query_resource(EU, "SecurityIncident | take 3", timespan=None),
                client.query_batch([LogsBatchQuery(GUID, TEXT, timespan=None)]),
            )
            with pytest.raises(HttpResponseError):
                await client.query_workspace(GUID, "SecurityIncident |", timespan=None)
            return several

    one, two, (three,) = asyncio.run(ask())
    assert len(one.tables[0].rows) == len(three.tables[0].rows) > 40
    assert len(two.tables[0].rows) == 3
