"""Recorded exchanges about watchlists and indicators, asked of the service once more."""

from __future__ import annotations

import json
import re

import pytest

from golden import GOLDEN, needs_golden
from served import edge

pytestmark = needs_golden

_ELIDED = "..."
# What differs from world to world: ids, times, etags, and who asked.
_OURS = re.compile(
    r"indicator--|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,7})?(?=Z|\+00:00)"
    r"|testRG-\w+(-ws)?|aspstest\w+|asptest\w+|soc(-eu)?\b",
    re.IGNORECASE,
)
_LIMITS = re.compile(r"x-ms-ratelimit-remaining-", re.IGNORECASE)


def exchanges(*paths):
    if not GOLDEN.is_dir():
        return []
    told = json.loads((GOLDEN / "recordings" / "exchanges.json").read_text())
    told = told["exchanges"] if isinstance(told, dict) else told
    found = [one for one in told if any(path in one["request"]["path"] for path in paths)]
    assert found
    return found


def called(exchange):
    told = exchange["request"]
    name = told["path"].rpartition("/")[2]
    return f"{told['method']}-{name}-{exchange['response']['status']}-{len(str(exchange))}"


@pytest.fixture
def it(tmp_path):
    made = edge("memory", tmp_path)
    yield made
    made.close()


def shape(told):
    """Return a document with its order of members, and what varies from world to world masked."""
    if isinstance(told, dict):
        return [(name, shape(value)) for name, value in told.items()]
    if isinstance(told, list):
        return [shape(one) for one in told]
    return _OURS.sub("~", told) if isinstance(told, str) else told


def below(exchange):
    """Return the path behind the provider; some recordings begin with an ellipsis."""
    path = exchange["request"]["path"]
    return "/" + re.split(r"/SecurityInsights/|Microsoft\.SecurityInsights/|\.\.\./", path)[-1]


def ready(it, exchange, path):
    """Make what the recording found there."""
    told, version = exchange["request"], exchange["request"]["api-version"]
    alias = path.split("/")[2]
    body = {
        "properties": {
            "displayName": "SDK Test",
            "provider": "SDK Test",
            "source": "sdktest",
            "itemsSearchKey": "ipaddress",
        }
    }
    item = "watchlistItems" in path
    again = "second PUT" in exchange.get("note", "")
    if item or again or told["method"] == "DELETE":
        assert it.arm("PUT", f"/watchlists/{alias}", body, version=version).status == 200
        it.clock.pass_(seconds=2)
    if item and told["method"] == "DELETE":
        row = {"properties": {"itemsKeyValue": {"ipaddress": "1.1.1.2"}}}
        assert it.arm("PUT", path, row, version=version).status == 200


@pytest.mark.parametrize("exchange", exchanges("/watchlists/"), ids=called)
def test_watchlists_answer_as_recorded(it, exchange):
    told, path = exchange["request"], below(exchange)
    ready(it, exchange, path)
    answer = it.arm(told["method"], path, told["body"], version=told["api-version"])
    wanted = exchange["response"]
    assert answer.status == wanted["status"]
    assert shape(answer.json) == shape(wanted["body"])
    if wanted["headers"] and answer.status == 200:
        kinds = {
            re.sub(r".*subscription-(?:global-)?", "", name.lower())
            for headers in (wanted["headers"], answer.headers)
            for name in headers
            if _LIMITS.match(name)
        }
        assert len(kinds) == 1


@pytest.mark.parametrize("exchange", exchanges("/threatIntelligence/"), ids=called)
def test_indicators_answer_as_recorded(it, exchange):
    told, path = exchange["request"], below(exchange)
    wanted = exchange["response"]["body"]
    seen = wanted.get("value", [wanted])[-1]["properties"]
    name = seen.get("displayName", "any")
    said = {
        "displayName": name,
        "pattern": "[ipv4-addr:value = '8.8.8.1']",
        "patternType": "ipv4-addr",
        "threatTypes": ["unknown"],
        "validFrom": "2026-03-25T07:00:00Z",
    }
    made = it.arm(
        "POST",
        "/threatIntelligence/main/createIndicator",
        {"kind": "indicator", "properties": said},
        version=told["api-version"],
    ).json
    path = re.sub(r"(?<=indicators/).*", made["name"], path)
    answer = it.arm(told["method"], path, told["body"], version=told["api-version"])
    assert answer.status == exchange["response"]["status"]
    if path.endswith("metrics"):
        # How many there were when it was recorded is no law: the counts lagged behind.
        def plain(document):
            return re.sub(r'(?<="metricValue": )\d+', "0", json.dumps(document))

        assert shape(json.loads(plain(answer.json))) == shape(json.loads(plain(wanted)))
    elif "value" in wanted:
        assert shape(answer.json["value"][-1]) == shape(wanted["value"][-1])
    else:
        assert shape(answer.json) == shape(wanted)
    limits = {n.lower(): v for n, v in exchange["response"]["headers"].items() if _LIMITS.match(n)}
    assert limits == {n: v for n, v in answer.headers.items() if _LIMITS.match(n)}
