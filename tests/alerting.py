"""Alerts of a test's own, on incidents that Defender has."""

from __future__ import annotations

from served import NOW
from vedette.service.state import cast
from vedette.service.state.alerts import Alert, Alerts, Entity
from vedette.service.state.moments import moment, ticks_of
from vedette.service.state.records import Records

AT = ticks_of(NOW)
ENTITIES = (
    Entity(kind="Ip", name="e1", properties={"address": "192.0.2.7"}),
    Entity(
        kind="Account",
        name="e2",
        properties={"accountName": "amir", "upnSuffix": cast.DOMAIN, "ntDomain": "CONTOSO"},
    ),
    Entity(kind="Host", name="e3", properties={"hostName": "WS-0117", "osFamily": "Windows11"}),
    Entity(kind="Url", name="e4", properties={"url": "https://cdn-files.example/a"}),
    Entity(kind="File", name="e5", properties={"fileName": "a.js", "directory": "C:\\temp"}),
    Entity(kind="FileHash", name="e6", properties={"algorithm": "SHA256", "hashValue": "00"}),
    Entity(kind="Mailbox", name="e7", properties={"mailboxPrimaryAddress": "amir@contoso.example"}),
    Entity(kind="MailMessage", name="e8", properties={"subject": "s", "p1Sender": "a@b.example"}),
    Entity(kind="Process", name="e9", properties={"processId": "17", "commandLine": "x"}),
    Entity(kind="DnsResolution", name="e10", properties={"domainName": "cdn-files.example"}),
    Entity(kind="CloudApplication", name="e11", properties={"appId": 1, "appName": "Exchange"}),
    Entity(kind="AzureResource", name="e12", properties={"resourceId": "/subscriptions/1"}),
    Entity(kind="Malware", name="e13", properties={}),
)


def records(it):
    return Records(it.connection, at=AT, who="tests", dialect="defender")


def keeper(it):
    return Alerts(it.connection, at=AT, who="tests", dialect="defender")


def clear(it):
    """Take the sample's alerts away: a test knows its own."""
    it.connection.execute("DELETE FROM alert")


def open_incidents(it, count):
    """Return numbers of open incidents on Defender, oldest first, that differ in nothing."""
    rows = it.connection.execute(
        "SELECT xdr FROM incident WHERE xdr IS NOT NULL AND redirect IS NULL AND status <> 'Closed'"
        " ORDER BY created, xdr"
    ).fetchall()
    found = [str(xdr) for (xdr,) in rows][:count]
    for xdr in found:
        it.graph("PATCH", f"/{xdr}", {"assignedTo": None, "customTags": [f"from-{xdr}"]})
    return found


def alert(it, xdr, name, **told):
    """Keep an alert of this name on an incident."""
    kept = records(it).on_defender(cast.TENANT, int(xdr))
    facts = {
        "id": cast.id_of("alert", name),
        "xdr": name,
        "title": f"Alert {name}",
        "severity": "Medium",
        "status": "New",
        "created": moment(AT),
        "modified": moment(AT),
        "source": "microsoftDefenderForEndpoint",
        "detector": "antivirus",
        "product": "Microsoft Defender for Endpoint",
        **told,
    }
    return keeper(it).add(kept, cast.TENANT, Alert(**facts))


def alert_of(it, name):
    """Return an alert as it is kept now."""
    return keeper(it).on_defender(cast.TENANT, name)
