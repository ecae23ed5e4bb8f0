"""The vendor's own SDK, unmodified, on watchlists and indicators over TLS on loopback."""

from __future__ import annotations

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.securityinsight import SecurityInsights
from azure.mgmt.securityinsight.models import (
    ThreatIntelligenceAppendTags,
    ThreatIntelligenceFilteringCriteria,
    ThreatIntelligenceIndicatorModel,
    ThreatIntelligenceSortingCriteria,
    Watchlist,
    WatchlistItem,
)

from served import edge
from vedette.service.state import cast

WHERE = (cast.RESOURCE_GROUP, "soc-eu")
ROW = "6d37a904-d199-43ff-892b-53653b784122"


@pytest.fixture
def it(tmp_path, monkeypatch):
    made = edge("socket", tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "bundle.pem"))
    yield made
    made.close()


@pytest.fixture
def sdk(it):
    (secret,) = it.connection.execute(
        "SELECT secret FROM app WHERE id = ?", (cast.OPERATOR,)
    ).fetchone()
    known = ClientSecretCredential(
        cast.TENANT, cast.OPERATOR, secret, authority=it.url, disable_instance_discovery=True
    )
    with SecurityInsights(known, cast.SUBSCRIPTION, base_url=it.url) as client:
        yield client


def indicator(name, **more):
    return ThreatIntelligenceIndicatorModel(
        display_name=name,
        pattern="[domain-name:value = 'evil.example']",
        pattern_type="domain-name",
        threat_types=["malicious-activity"],
        source="Feed",
        **more,
    )


def test_it_keeps_a_watchlist_and_its_items(sdk):
    lists, items = sdk.watchlists, sdk.watchlist_items
    said = Watchlist(
        display_name="Scanners",
        provider="SOC",
        source="Local file",
        items_search_key="ip",
        raw_content="ip,owner\r\n10.0.0.1,linda\r\n10.0.0.2,amir\r\n",
        content_type="text/csv",
    )
    made = lists.create_or_update(*WHERE, "scanners", said)
    assert made.watchlist_alias == made.name == "scanners"
    assert made.created == made.system_data.created_at
    assert [one.items_key_value["ip"] for one in items.list(*WHERE, "scanners")] == [
        "10.0.0.1",
        "10.0.0.2",
    ]
    row = WatchlistItem(items_key_value={"ip": "10.0.0.3"})
    assert items.create_or_update(*WHERE, "scanners", ROW, row).watchlist_item_id == ROW
    assert items.get(*WHERE, "scanners", ROW).items_key_value == {"ip": "10.0.0.3"}
    items.delete(*WHERE, "scanners", ROW)
    with pytest.raises(ResourceNotFoundError) as caught:
        items.get(*WHERE, "scanners", ROW)
    assert caught.value.error.code == "404"
    made.description = "approved"
    assert lists.create_or_update(*WHERE, "scanners", made).description == "approved"
    with pytest.raises(ResourceExistsError):
        lists.create_or_update(*WHERE, "scanners", made)
    assert [one.name for one in lists.list(*WHERE)] == ["scanners"]
    lists.delete(*WHERE, "scanners")
    assert list(lists.list(*WHERE)) == []


def test_it_follows_the_pages_of_many_items(sdk):
    content = "ip\n" + "".join(f"10.0.0.{number}\n" for number in range(120))
    said = Watchlist(
        display_name="x", provider="x", source="x", items_search_key="ip", raw_content=content
    )
    sdk.watchlists.create_or_update(*WHERE, "many", said)
    found = [one.items_key_value["ip"] for one in sdk.watchlist_items.list(*WHERE, "many")]
    assert found == content.split()[1:]


def test_it_makes_queries_tags_and_deletes_indicators(sdk):
    one, every = sdk.threat_intelligence_indicator, sdk.threat_intelligence_indicators
    made = [one.create_indicator(*WHERE, indicator(f"no {n}", confidence=n)) for n in range(5)]
    assert {type(told) for told in made} == {ThreatIntelligenceIndicatorModel}
    assert made[0].parsed_pattern[0].pattern_type_values[0].value == "evil.example"
    asked = ThreatIntelligenceFilteringCriteria(
        page_size=2,
        min_confidence=1,
        sources=["Feed"],
        sort_by=[ThreatIntelligenceSortingCriteria(item_key="confidence", sort_order="ascending")],
    )
    found = [told.name for told in one.query_indicators(*WHERE, asked)]
    assert found == [told.name for told in made[1:]]
    name = found[0]
    tags = ThreatIntelligenceAppendTags(threat_intelligence_tags=["seen"])
    one.append_tags(*WHERE, name, tags)
    tagged = one.get(*WHERE, name)
    assert tagged.threat_intelligence_tags == ["seen"]
    tagged.threat_intelligence_tags = ["blocked"]
    assert one.replace_tags(*WHERE, name, tagged).threat_intelligence_tags == ["blocked"]
    with pytest.raises(ResourceExistsError):
        one.create(*WHERE, name, tagged)
    fresh = one.get(*WHERE, name)
    fresh.revoked = True
    assert one.create(*WHERE, name, fresh).revoked is True
    (counted,) = sdk.threat_intelligence_indicator_metrics.list(*WHERE).value
    assert counted.properties.source_metrics[0].metric_value == 5
    one.delete(*WHERE, name)
    one.delete(*WHERE, name)
    left = [told.name for told in every.list(*WHERE, top=3, orderby="properties/confidence asc")]
    assert left == [told.name for told in made if told.name != name]


def test_an_indicator_without_a_name_is_refused_in_a_way_it_understands(sdk):
    with pytest.raises(HttpResponseError, match=r"data\.name is not specified") as caught:
        sdk.threat_intelligence_indicator.create_indicator(*WHERE, indicator(None))
    assert (caught.value.status_code, caught.value.error.code) == (400, "BadRequest")
