"""
Documents as the services send them, written by hand from what is known of them. Each names
what it follows; persons and tenants are made up.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from vedette.wire.dialect import Place

SUBSCRIPTION = "/subscriptions/11111111-2222-4333-8444-555555555555"
WORKSPACE = (
    f"{SUBSCRIPTION}/resourceGroups/soc/providers/Microsoft.OperationalInsights/workspaces/soc-eu"
)
INSIGHTS = f"{WORKSPACE}/providers/Microsoft.SecurityInsights"
TENANT = "99999999-8888-4777-8666-555555555555"
LINDA = "aaaaaaaa-0000-4000-8000-000000000001"

ARM = Place(endpoint="https://management.azure.com", path=WORKSPACE, name="soc-eu")
GRAPH = Place(
    endpoint="https://graph.microsoft.com", path="/v1.0", name="contoso", tenant_id=TENANT
)
PORTAL = "https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident"


def incident(name: str, etag: str, **properties: Any) -> dict[str, Any]:
    """The envelope and the key order of recordings of 2021 to 2026."""
    return {
        "id": f"{INSIGHTS}/Incidents/{name}",
        "name": name,
        "etag": f'"{etag}-0000-0100-0000-69c3929c0000"',
        "type": "Microsoft.SecurityInsights/Incidents",
        "properties": properties,
    }


NOBODY = {
    "objectId": None,
    "email": None,
    "assignedTo": None,
    "userPrincipalName": None,
    "ownerType": None,
}

# azure-powershell, session of 2026-03-25 (2021-09-01-preview): an incident just made.
NEW = incident(
    "00e9d3c0-f5d7-4ad1-95cc-a0c481ce6e17",
    "2f00d49c",
    title="Sign-in from an unfamiliar place",
    severity="Informational",
    status="New",
    owner=NOBODY,
    labels=[],
    lastModifiedTimeUtc="2026-03-25T07:45:32.8870612Z",
    createdTimeUtc="2026-03-25T07:45:32.8870612Z",
    incidentNumber=23,
    additionalData={
        "alertsCount": 0,
        "bookmarksCount": 0,
        "commentsCount": 0,
        "alertProductNames": [],
        "tactics": [],
    },
    relatedAnalyticRuleIds=[],
    incidentUrl=f"{PORTAL}{INSIGHTS}/Incidents/00e9d3c0-f5d7-4ad1-95cc-a0c481ce6e17",
    providerName="Azure Sentinel",
    providerIncidentId="23",
)

# azure-sdk-for-net, session of 2021-04-13 (2020-01-01): no ownerType, no provider.
OLD = incident(
    "4c3f56e0-c40c-4c03-af08-a40f6be36715",
    "e0009892",
    title="Impossible travel",
    severity="Low",
    status="Closed",
    classification="FalsePositive",
    classificationReason="InaccurateData",
    owner={name: None for name in NOBODY if name != "ownerType"},
    labels=[],
    lastModifiedTimeUtc="2021-04-13T22:28:07.8365926Z",
    createdTimeUtc="2021-04-13T22:28:07.48Z",
    incidentNumber=16,
    additionalData={
        "alertsCount": 0,
        "bookmarksCount": 0,
        "commentsCount": 0,
        "alertProductNames": [],
        "tactics": [],
    },
    relatedAnalyticRuleIds=[],
    incidentUrl=f"{PORTAL}{INSIGHTS}/Incidents/4c3f56e0-c40c-4c03-af08-a40f6be36715",
)

# azure-powershell, session of 2026-03-25: born of five alerts; owner, labels and techniques
# as the specification of 2024-03-01 has them, and members that nobody knows yet.
ALERTS = incident(
    "71e9e642-df65-4cca-8feb-921622daddb5",
    "2f000490",
    title="Sign-ins from IPs that attempt sign-ins to disabled accounts",
    description="Failed sign-ins to several disabled accounts from one address.",
    severity="Medium",
    status="Active",
    owner={
        "objectId": LINDA,
        "email": "linda@contoso.example",
        "assignedTo": "Linda",
        "userPrincipalName": "linda@contoso.example",
        "ownerType": "User",
        "department": {"id": 12},
    },
    labels=[
        {"labelName": "brute-force", "labelType": "User", "colour": "red"},
        {"labelName": "Identity", "labelType": "AutoAssigned"},
        {"labelName": "tier-1", "labelType": "User"},
    ],
    lastModifiedTimeUtc="2026-03-25T07:43:56.7204744Z",
    createdTimeUtc="2026-03-25T07:24:00.5835442Z",
    incidentNumber=1,
    additionalData={
        "alertsCount": 5,
        "bookmarksCount": 0,
        "commentsCount": 2,
        "alertProductNames": ["Azure Sentinel"],
        "tactics": ["InitialAccess", "Persistence"],
        "techniques": ["T1078"],
        "score": 12345678901234567890123,
    },
    relatedAnalyticRuleIds=[f"{INSIGHTS}/alertRules/5fa8a509-b73d-4f80-a32c-c6ff8dbbfb07"],
    incidentUrl=f"{PORTAL}{INSIGHTS}/Incidents/71e9e642-df65-4cca-8feb-921622daddb5",
    providerName="Azure Sentinel",
    providerIncidentId="1",
    firstActivityTimeUtc="2026-03-25T06:48:50.7525804Z",
    lastActivityTimeUtc="2026-03-25T07:38:50.7525804Z",
    teamInformation=None,
)

# Microsoft's page on Defender's integration (2025-07): provider name and URL of a twin.
TWIN = incident(
    "5d9f0b5e-3f0b-4c55-8d0e-6f1f3a1f0a11",
    "2f00aaaa",
    title="Multi-stage incident involving execution on one endpoint",
    severity="High",
    status="Active",
    owner=NOBODY,
    labels=[],
    lastModifiedTimeUtc="2026-03-25T07:43:56Z",
    createdTimeUtc="2026-03-25T07:24:00.5Z",
    incidentNumber=4711,
    additionalData={
        "alertsCount": 2,
        "bookmarksCount": 0,
        "commentsCount": 0,
        "alertProductNames": ["Microsoft Defender Advanced Threat Protection"],
        "tactics": [],
        "providerIncidentUrl": f"https://security.microsoft.com/incident2/29/overview?tid={TENANT}",
    },
    relatedAnalyticRuleIds=[],
    incidentUrl=f"{PORTAL}{INSIGHTS}/Incidents/5d9f0b5e-3f0b-4c55-8d0e-6f1f3a1f0a11",
    providerName="Microsoft XDR",
    providerIncidentId="29",
)

# The same page: the incident that a merge empties is closed, with a tag that says so.
MERGED = incident(
    "6e0f0b5e-3f0b-4c55-8d0e-6f1f3a1f0a22",
    "2f00bbbb",
    title="Suspicious inbox rule",
    severity="Low",
    status="Closed",
    classification="Undetermined",
    owner=NOBODY,
    labels=[{"labelName": "Redirected", "labelType": "AutoAssigned"}],
    lastModifiedTimeUtc="2026-03-25T07:43:56Z",
    createdTimeUtc="2026-03-25T07:24:00.5Z",
    incidentNumber=4712,
    additionalData={},
    relatedAnalyticRuleIds=[],
    providerName="Microsoft XDR",
    providerIncidentId="30",
)

INCIDENTS = {"new": NEW, "old": OLD, "alerts": ALERTS, "twin": TWIN, "merged": MERGED}

# Microsoft's specification, 2019-01-01-preview, example of a case.
CASE: dict[str, Any] = {
    "id": f"{INSIGHTS}/cases/73e01a99-5cd7-4139-a149-9f2736ff2ab5",
    "name": "73e01a99-5cd7-4139-a149-9f2736ff2ab5",
    "type": "Microsoft.SecurityInsights/cases",
    "etag": '"0300bf09-0000-0000-0000-5c37296e0000"',
    "properties": {
        "lastUpdatedTimeUtc": "2019-01-01T13:15:30Z",
        "createdTimeUtc": "2019-01-01T13:15:30Z",
        "endTimeUtc": "2019-01-01T13:05:30Z",
        "startTimeUtc": "2019-01-01T13:00:30Z",
        "labels": ["Tag1", "Tag2"],
        "description": "A case to try things on",
        "title": "My case",
        "owner": {"objectId": LINDA, "email": "linda@contoso.example", "name": "Linda"},
        "severity": "Critical",
        "closeReason": "Resolved",
        "status": "Closed",
        "closedReasonText": "done",
        "relatedAlertIds": ["cf441808-2d50-4c10-81af-cdd0b908c121"],
        "relatedAlertProductNames": ["Azure Sentinel"],
        "tactics": ["InitialAccess"],
        "caseNumber": 3177,
        "lastComment": "done",
        "totalComments": 3,
        "metrics": {"SecurityAlert": 1},
    },
}
OPEN_CASE: dict[str, Any] = {
    **CASE,
    "properties": {
        "labels": [],
        "title": "Another",
        "owner": {"objectId": None, "email": None, "name": None},
        "severity": "Low",
        "status": "InProgress",
        "caseNumber": 3178,
        "tactics": [],
    },
}
CASES = {"closed": CASE, "open": OPEN_CASE}

# Microsoft's page of 2026-03: an incident on Graph, with its keys in this order.
XDR: dict[str, Any] = {
    "@odata.context": "https://graph.microsoft.com/v1.0/$metadata#security/incidents/$entity",
    "id": "29",
    "tenantId": TENANT,
    "status": "active",
    "incidentWebUrl": f"https://security.microsoft.com/incident2/29/overview?tid={TENANT}",
    "redirectIncidentId": None,
    "displayName": "Multi-stage incident involving execution on one endpoint",
    "createdDateTime": "2026-01-22T12:09:23.1433333Z",
    "lastUpdateDateTime": "2026-02-25T16:29:33.1Z",
    "assignedTo": "linda@contoso.example",
    "classification": "truePositive",
    "determination": "multiStagedAttack",
    "severity": "high",
    "customTags": ["Demo", "tier-1"],
    "systemTags": ["Defender Experts"],
    "description": "A worm that spreads through USB devices.",
    "lastModifiedBy": "API-App:linda@contoso.example",
    "resolvingComment": None,
    "summary": "Raised for your awareness.",
    "priorityScore": 100,
    "comments": [],
}
# wazuh/wazuh#37898 (2026-07): resolved by the service itself, nothing classified.
XDR_RESOLVED = XDR | {
    "id": "81",
    "status": "resolved",
    "assignedTo": None,
    "classification": "unknown",
    "determination": "unknown",
    "severity": "low",
    "customTags": [],
    "systemTags": ["Credential Phish"],
    "resolvingComment": "Incident automatically resolved as all alerts were resolved.",
    "summary": None,
}
# demisto/content: what is left of an incident that was merged into another.
XDR_MERGED = XDR_RESOLVED | {
    "id": "82",
    "status": "redirected",
    "redirectIncidentId": "29",
    "customTags": ["Redirected"],
}
# demisto/content, capture of 2024: no summary, score or resolving comment yet; one alert.
XDR_2024 = {
    name: value
    for name, value in XDR.items()
    if name not in {"@odata.context", "resolvingComment", "summary", "priorityScore"}
} | {
    "alerts": [
        {
            "id": "da637865765418431569_-773071023",
            "productName": "Microsoft Defender for Endpoint",
            "mitreTechniques": ["T1059.001"],
            "classification": None,
        }
    ]
}
# The page of 2022, written by hand: PascalCase, and half of the members.
XDR_2022: dict[str, Any] = {
    "@odata.type": "#microsoft.graph.incident",
    "id": "2972395",
    "redirectIncidentId": None,
    "classification": "TruePositive",
    "determination": "MultiStagedAttack",
    "status": "Active",
    "severity": "Medium",
    "customTags": ["Demo"],
    "comments": [
        {
            "comment": "Demo incident",
            "createdBy": "linda@contoso.example",
            "createdTime": "2021-09-30T12:07:37.2756993Z",
        }
    ],
}
XDRS = {
    "active": XDR,
    "resolved": XDR_RESOLVED,
    "merged": XDR_MERGED,
    "2024": XDR_2024,
    "2022": XDR_2022,
}


def documents_in(folder: Path, wanted: Callable[[dict[str, Any]], bool]) -> Iterator[Any]:
    """Every object that is wanted, however deep, in the JSON files of a folder."""
    for path in sorted(folder.rglob("*.json")):
        yield from objects(json.loads(path.read_text(encoding="utf-8")), wanted)


def objects(value: Any, wanted: Callable[[dict[str, Any]], bool]) -> Iterator[Any]:
    if isinstance(value, dict):
        if wanted(value):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from objects(inner, wanted)
