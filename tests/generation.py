"""
One program for every generation of the vendor's SDK, run with that generation on its path. It
does with each group of operations what a script would, and prints what it saw as JSON.
"""

import json
import os
import sys

import azure.mgmt.securityinsight as sdk
from azure.identity import ClientSecretCredential
from azure.mgmt.securityinsight import models

WHERE = os.environ["VEDETTE_RESOURCE_GROUP"], os.environ["VEDETTE_WORKSPACE"]
BOOKMARK = "73e01a99-5cd7-4139-a149-9f2736ff2ab5"
ITEM = "3f8901fe-63d9-4875-9ad5-9fb3b8105797"
TAGGED = models.ThreatIntelligenceAppendTags(threat_intelligence_tags=["seen"])


def client():
    made = getattr(sdk, "SecurityInsights", None) or sdk.SecurityInsightsMgmtClient
    return made(
        ClientSecretCredential(
            os.environ["VEDETTE_TENANT"],
            os.environ["AZURE_CLIENT_ID"],
            os.environ["AZURE_CLIENT_SECRET"],
            authority=os.environ["AZURE_AUTHORITY_HOST"],
            disable_instance_discovery=True,
        ),
        os.environ["AZURE_SUBSCRIPTION_ID"],
        base_url=os.environ["VEDETTE_ARM"],
    )


def ended(answer):
    """Wait for a long-running operation, where a generation makes it one."""
    return answer.result() if hasattr(answer, "result") else answer


def operation(group, name):
    """Return an operation, by whichever of its names this generation knows."""
    return getattr(group, name, None) or getattr(group, f"begin_{name}")


def incidents(it):
    made = it.incidents.create_or_update(
        *WHERE, "of-a-generation", models.Incident(title="One", severity="High", status="New")
    )
    made.severity = "Low"
    made.labels = [models.IncidentLabel(label_name="vip")]
    changed = it.incidents.create_or_update(*WHERE, made.name, made)
    listed = [one.name for one in it.incidents.list(*WHERE, top=20)]
    filtered = [
        one.name for one in it.incidents.list(*WHERE, filter="properties/severity eq 'Low'", top=7)
    ]
    return {
        "number": made.incident_number is not None,
        "severity": changed.severity,
        "labels": [label.label_name for label in changed.labels],
        "etag moved": made.etag != changed.etag,
        "all": len(listed) == len(set(listed)) and made.name in listed,
        "filtered": made.name in filtered,
        "listed": len(listed),
    }


def beneath(it):
    name = "of-a-generation"
    comments, relations = it.incident_comments, it.incident_relations
    said = comments.create_or_update(*WHERE, name, "c1", models.IncidentComment(message="hello"))
    it.bookmarks.create_or_update(
        *WHERE, BOOKMARK, models.Bookmark(display_name="b", query="SecurityEvent | take 1")
    )
    there = it.bookmarks.get(*WHERE, BOOKMARK)
    relation = relations.create_or_update(
        *WHERE, name, "related", models.Relation(related_resource_id=there.id)
    )
    alerted = next(
        one for one in it.incidents.list(*WHERE) if (one.additional_data.alerts_count or 0) > 0
    )
    alerts = it.incidents.list_alerts(*WHERE, alerted.name).value
    entities = it.incidents.list_entities(*WHERE, alerted.name)
    found = {
        "comment": (said.message, [one.message for one in comments.list(*WHERE, name)]),
        "relation": (relation.related_resource_type, len(list(relations.list(*WHERE, name)))),
        "bookmark": (there.display_name, len(list(it.bookmarks.list(*WHERE)))),
        "alerts": len(alerts) == alerted.additional_data.alerts_count,
        "alert": type(alerts[0]).__name__,
        "entities": len(entities.entities) == sum(one.count for one in entities.meta_data),
        "bookmarks": len(it.incidents.list_bookmarks(*WHERE, name).value),
    }
    relations.delete(*WHERE, name, "related")
    comments.delete(*WHERE, name, "c1")
    it.bookmarks.delete(*WHERE, BOOKMARK)
    if hasattr(it, "incident_tasks"):
        made = it.incident_tasks.create_or_update(
            *WHERE, name, "t1", models.IncidentTask(title="look", status="New")
        )
        found["task"] = made.title, len(list(it.incident_tasks.list(*WHERE, name)))
        it.incident_tasks.delete(*WHERE, name, "t1")
    return found


def rules(it):
    rule = models.AutomationRule(
        display_name="tag high",
        order=1,
        triggering_logic=models.AutomationRuleTriggeringLogic(
            is_enabled=True, triggers_on="Incidents", triggers_when="Created", conditions=[]
        ),
        actions=[
            models.AutomationRuleModifyPropertiesAction(
                order=1,
                action_configuration=models.IncidentPropertiesAction(
                    labels=[models.IncidentLabel(label_name="ruled")]
                ),
            )
        ],
    )
    made = it.automation_rules.create_or_update(*WHERE, "r1", rule)
    it.incidents.create_or_update(
        *WHERE, "ruled", models.Incident(title="Two", severity="High", status="New")
    )
    seen = it.incidents.get(*WHERE, "ruled")
    found = {
        "rule": (made.display_name, [one.name for one in it.automation_rules.list(*WHERE)]),
        "ran": [label.label_name for label in seen.labels],
    }
    it.automation_rules.delete(*WHERE, "r1")
    it.incidents.delete(*WHERE, "ruled")
    return found


def watchlists(it):
    told = models.Watchlist(
        display_name="w",
        provider="Microsoft",
        source="Local file",
        items_search_key="ip",
        raw_content="ip,why\n192.0.2.1,scanner\n192.0.2.2,proxy\n",
        content_type="text/csv",
        number_of_lines_to_skip=0,
    )
    made = ended(operation(it.watchlists, "create_or_update")(*WHERE, "scanners", told))
    it.watchlist_items.create_or_update(
        *WHERE,
        "scanners",
        ITEM,
        models.WatchlistItem(items_key_value={"ip": "192.0.2.3", "why": "printer"}),
    )
    items = [one.items_key_value["ip"] for one in it.watchlist_items.list(*WHERE, "scanners")]
    it.watchlist_items.delete(*WHERE, "scanners", ITEM)
    left = len(list(it.watchlist_items.list(*WHERE, "scanners")))
    ended(operation(it.watchlists, "delete")(*WHERE, "scanners"))
    gone = [one.name for one in it.watchlists.list(*WHERE)]
    return {"name": made.watchlist_alias, "items": sorted(items), "left": left, "gone": gone}


def indicators(it):
    group = it.threat_intelligence_indicator
    for number in range(5):
        told = models.ThreatIntelligenceIndicatorModel(
            display_name=f"bad {number}",
            pattern=f"[ipv4-addr:value = '198.51.100.{number}']",
            pattern_type="ipv4-addr",
            source="generations",
            threat_types=["malicious-activity"],
            confidence=number * 10,
            valid_from="2026-11-22T00:00:00Z",
        )
        made = group.create_indicator(*WHERE, told)
    criteria = models.ThreatIntelligenceFilteringCriteria(page_size=2, min_confidence=10)
    queried = [one.name for one in group.query_indicators(*WHERE, criteria)]
    group.append_tags(*WHERE, made.name, TAGGED)
    tags = group.get(*WHERE, made.name).threat_intelligence_tags
    metrics = it.threat_intelligence_indicator_metrics.list(*WHERE).value
    listed = [one.name for one in it.threat_intelligence_indicators.list(*WHERE, top=2)]
    for name in listed:
        group.delete(*WHERE, name)
    return {
        "kind": made.kind,
        "queried": len(set(queried)),
        "tags": tags,
        "listed": len(set(listed)),
        "metrics": len(metrics) > 0,
        "left": len(list(it.threat_intelligence_indicators.list(*WHERE))),
    }


def around(it):
    states = it.sentinel_onboarding_states.list(*WHERE).value
    return {
        "operations": any(
            one.name == "Microsoft.SecurityInsights/incidents/read" for one in it.operations.list()
        ),
        "onboarded": [one.name for one in states],
        "rules": len(list(it.alert_rules.list(*WHERE))) > 0,
    }


def main():
    it = client()
    groups = (incidents, beneath, rules, watchlists, indicators, around)
    found = {group.__name__: group(it) for group in groups}
    it.incidents.delete(*WHERE, "of-a-generation")
    json.dump({"generation": sdk._version.VERSION, **found}, sys.stdout, default=str)


if __name__ == "__main__":
    main()
