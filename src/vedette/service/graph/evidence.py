"""
What an alert is about, as Graph sends it: evidence of the type its entity has there.

https://learn.microsoft.com/graph/api/resources/security-alertevidence
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vedette.service.state.alerts import Alert, Entity

VERDICT = "suspicious"
REMEDIATION = "none"
"""Nobody here judges evidence, and nobody remedies: every piece has the same two words."""

_Told = Mapping[str, Any]


def spelled(alert: Alert) -> list[dict[str, Any]]:
    """Return the alert's evidence; an entity that has no type there is left out."""
    return [
        _evidence(alert, entity) | _KINDS[entity.kind][1](entity.properties)
        for entity in alert.entities
        if entity.kind in _KINDS
    ]


def _evidence(alert: Alert, entity: Entity) -> dict[str, Any]:
    return {
        "@odata.type": f"#microsoft.graph.security.{_KINDS[entity.kind][0]}",
        "createdDateTime": alert.created,
        "verdict": VERDICT,
        "remediationStatus": REMEDIATION,
        "remediationStatusDetails": None,
        "roles": [],
        "detailedRoles": [],
        "tags": [],
    }


def _ip(told: _Told) -> dict[str, Any]:
    location = told.get("location")
    country = location.get("countryCode") if isinstance(location, dict) else None
    return {
        "ipAddress": told.get("address"),
        "countryLetterCode": country,
        "stream": None,
        "location": None,
    }


def upn(told: _Told) -> str | None:
    """Return the sign-in name of an account, which ARM has in two halves."""
    name, suffix = told.get("accountName"), told.get("upnSuffix")
    if told.get("userPrincipalName"):
        return str(told["userPrincipalName"])
    return f"{name}@{suffix}" if name and suffix else None


def _account(told: _Told) -> dict[str, Any]:
    return {
        "accountName": told.get("accountName"),
        "domainName": told.get("ntDomain"),
        "userSid": told.get("sid"),
        "azureAdUserId": told.get("aadUserId"),
        "userPrincipalName": upn(told),
        "displayName": told.get("displayName"),
        "activeDirectoryObjectGuid": told.get("objectGuid"),
        "resourceAccessEvents": [],
    }


def _user(told: _Told) -> dict[str, Any]:
    return {"stream": None, "userAccount": _account(told)}


def _device(told: _Told) -> dict[str, Any]:
    host, domain = told.get("hostName"), told.get("dnsDomain")
    return {
        "firstSeenDateTime": None,
        "mdeDeviceId": told.get("mdeDeviceId"),
        "azureAdDeviceId": told.get("aadDeviceId"),
        "deviceDnsName": f"{host}.{domain}" if host and domain else host,
        "hostName": host,
        "ntDomain": told.get("ntDomain"),
        "dnsDomain": domain,
        "osPlatform": told.get("osFamily"),
        "osBuild": None,
        "version": told.get("osVersion"),
        "healthStatus": "unknown",
        "riskScore": "none",
        "rbacGroupId": 0,
        "rbacGroupName": None,
        "onboardingStatus": "unknown",
        "defenderAvStatus": "unknown",
        "lastIpAddress": None,
        "lastExternalIpAddress": None,
        "ipInterfaces": [],
        "vmMetadata": None,
        "loggedOnUsers": [],
        "resourceAccessEvents": [],
    }


def _url(told: _Told) -> dict[str, Any]:
    return {"url": told.get("url")}


def _details(told: _Told) -> dict[str, Any]:
    return {
        "sha1": told.get("sha1"),
        "sha256": told.get("sha256"),
        "md5": told.get("md5"),
        "fileName": told.get("fileName"),
        "filePath": told.get("directory"),
        "fileSize": None,
        "filePublisher": None,
        "signer": None,
        "issuer": None,
    }


def _file(told: _Told) -> dict[str, Any]:
    return {"detectionStatus": "detected", "mdeDeviceId": None, "fileDetails": _details(told)}


def _hash(told: _Told) -> dict[str, Any]:
    # Graph knows four algorithms, in small letters.
    algorithm = str(told.get("algorithm") or "unknown").lower()
    known = algorithm if algorithm in ("md5", "sha1", "sha256", "sha256ac") else "unknown"
    return {"algorithm": known, "value": told.get("hashValue")}


def _sender(address: object, name: object) -> dict[str, Any]:
    domain = address.rpartition("@")[2] if isinstance(address, str) and "@" in address else None
    return {"emailAddress": address, "displayName": name, "domainName": domain}


def _message(told: _Told) -> dict[str, Any]:
    urls = [url for url in _entries(told.get("urls")) if isinstance(url, str)]
    return {
        "networkMessageId": told.get("networkMessageId"),
        "internetMessageId": told.get("internetMessageId"),
        "subject": told.get("subject"),
        "language": told.get("language"),
        "senderIp": told.get("senderIP"),
        "recipientEmailAddress": told.get("recipient"),
        "antiSpamDirection": told.get("antispamDirection"),
        "deliveryAction": told.get("deliveryAction"),
        "deliveryLocation": told.get("deliveryLocation"),
        "urn": None,
        "threats": _entries(told.get("threats")),
        "threatDetectionMethods": _entries(told.get("threatDetectionMethods")),
        "urls": urls,
        "urlCount": len(urls),
        "attachmentsCount": 0,
        "receivedDateTime": told.get("receiveDate"),
        "p1Sender": _sender(told.get("p1Sender"), told.get("p1SenderDisplayName")),
        "p2Sender": _sender(told.get("p2Sender"), told.get("p2SenderDisplayName")),
    }


def _process(told: _Told) -> dict[str, Any]:
    number = str(told.get("processId") or "")
    return {
        "processId": int(number) if number.isdecimal() and len(number) < 10 else None,
        "parentProcessId": None,
        "processCommandLine": told.get("commandLine"),
        "processCreationDateTime": told.get("creationTimeUtc"),
        "parentProcessCreationDateTime": None,
        "detectionStatus": "detected",
        "mdeDeviceId": None,
        "imageFile": None,
        "parentProcessImageFile": None,
        "userAccount": None,
    }


def _dns(told: _Told) -> dict[str, Any]:
    return {
        "domainName": told.get("domainName"),
        "ipAddresses": [],
        "dnsServerIp": None,
        "hostIpAddress": None,
    }


def _application(told: _Told) -> dict[str, Any]:
    return {
        "appId": told.get("appId"),
        "displayName": told.get("appName"),
        "instanceId": 0,
        "instanceName": told.get("instanceName"),
        "saasAppId": None,
        "stream": None,
    }


def _mailbox(told: _Told) -> dict[str, Any]:
    return {
        "primaryAddress": told.get("mailboxPrimaryAddress"),
        "displayName": told.get("displayName"),
        "upn": told.get("upn"),
        "userAccount": None,
    }


def _resource(told: _Told) -> dict[str, Any]:
    parts = str(told.get("resourceId") or "").strip("/").split("/")
    kind = "/".join(parts[parts.index("providers") + 1 :][:2]) if "providers" in parts else None
    return {
        "resourceId": told.get("resourceId"),
        "resourceName": parts[-1] or None,
        "resourceType": kind,
    }


def _entries(value: object) -> list[Any]:
    return list(value) if isinstance(value, Iterable) and not isinstance(value, str) else []


_KINDS: Mapping[str, tuple[str, Callable[[_Told], dict[str, Any]]]] = {
    "Ip": ("ipEvidence", _ip),
    "Account": ("userEvidence", _user),
    "Host": ("deviceEvidence", _device),
    "Url": ("urlEvidence", _url),
    "File": ("fileEvidence", _file),
    "FileHash": ("fileHashEvidence", _hash),
    "MailMessage": ("analyzedMessageEvidence", _message),
    "Process": ("processEvidence", _process),
    "DnsResolution": ("dnsEvidence", _dns),
    "CloudApplication": ("cloudApplicationEvidence", _application),
    "Mailbox": ("mailboxEvidence", _mailbox),
    "AzureResource": ("azureResourceEvidence", _resource),
}
