"""
Sentinel's incidents on ARM: the dialect that speaks of them, and the documents of the
service that answers. The words of both are in `sentinel`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from msgspec.structs import replace

from vedette.model import Classification, Incident, Owner, Status
from vedette.model.select import Bound
from vedette.wire.arm import PROVIDER, Arm
from vedette.wire.bodies import (
    Author,
    a_moment,
    a_text,
    a_word,
    bag,
    body,
    envelope,
    fresh,
    heard_comment,
    refused,
)
from vedette.wire.bounds import narrow
from vedette.wire.dialect import Place
from vedette.wire.documents import (
    Additional,
    Document,
    Label,
    OwnerTyped,
    OwnerUntyped,
    Properties,
)
from vedette.wire.sentinel import (
    OWNER,
    PLANE,
    REASONS,
    SENTINEL,
    TEXTS,
    changes,
    decode,
    encode,
)

API_VERSION = "2025-09-01"


class Incidents(Arm):
    """Sentinel's incidents in one workspace."""

    def __init__(
        self,
        place: Place,
        *,
        api_version: str = API_VERSION,
        update: Literal["put", "patch"] = "put",
    ) -> None:
        super().__init__(
            place,
            # Versions before 2021 have no DELETE of a comment.
            replace(PLANE, uncomments=False) if api_version[:4] < "2021" else PLANE,
            "incidents",
            api_version=api_version,
            decode=decode,
            changes=changes,
            narrow=_narrow,
            update=update,
        )


def _narrow(bounds: tuple[Bound, ...]) -> str | None:
    return narrow(bounds, "sentinel")


# ---- the service's side

_PORTAL = "https://portal.azure.com/#asset/Microsoft_Azure_Security_Insights/Incident"
_TYPE = "Microsoft.SecurityInsights/Incidents"
_NOBODY, _NOBODY_UNTYPED = OwnerTyped(), OwnerUntyped()
_LONGEST_DESCRIPTION = 5_000


def _is_old(api_version: str) -> bool:
    # Recorded: neither ownerType nor provider names on 2020-01-01 and on 2022-08-01, both on
    # 2021-09-01-preview; the specification adds the provider on 2023-02-01.
    return api_version[:10] < "2021-09-01" or api_version == "2022-08-01"


def arm_id(place: Place, id: str) -> str:
    """Return the ARM id, in the case the service answers in whatever was asked."""
    return f"{place.path}{PROVIDER}/Incidents/{id}"


def portal_url(place: Place, id: str) -> str:
    """Return where the portal of Azure shows the incident."""
    return f"{_PORTAL}{arm_id(place, id)}"


def spell(
    incident: Incident,
    place: Place,
    api_version: str = API_VERSION,
    *,
    bookmarks: int = 0,
    provider_url: str | None = None,
    team: Mapping[str, Any] | None = None,
) -> Document:
    """
    Return the incident as the service sends it in this version. `provider_url` is where
    Defender shows it, if it does.
    """
    url = None if _is_old(api_version) else provider_url
    beside = _beside(incident, api_version, bookmarks, url)
    return Document(
        id=arm_id(place, incident.id),
        name=incident.id,
        etag=incident.etag,
        type=_TYPE,
        properties=_properties(incident, place, api_version, beside, team),
    )


def _properties(
    incident: Incident,
    place: Place,
    api_version: str,
    beside: Additional,
    team: Mapping[str, Any] | None,
) -> Properties:
    old = _is_old(api_version)
    # The first preview has it in its specification's examples.
    provided = not old or api_version == "2019-01-01-preview"
    rules = f"{place.path}{PROVIDER}/alertRules/"
    return Properties(
        title=incident.title,
        description=incident.description,
        severity=incident.severity,
        status=incident.status,
        classification=incident.classification,
        # A case may have been closed for a reason that no incident knows.
        classification_reason=incident.reason if incident.reason in REASONS else None,
        classification_comment=incident.note,
        owner=_spelled_owner(incident.owner, old=old),
        labels=_spelled_labels(incident),
        first_activity_time_utc=incident.first_activity,
        last_activity_time_utc=incident.last_activity,
        last_modified_time_utc=incident.modified,
        created_time_utc=incident.created,
        incident_number=incident.number,
        additional_data=beside,
        related_analytic_rule_ids=[f"{rules}{rule}" for rule in incident.rules or ()],
        incident_url=portal_url(place, incident.id),
        provider_name=(incident.provider or SENTINEL) if provided else None,
        provider_incident_id=(incident.provider_id or str(incident.number)) if provided else None,
        team_information=team,
    )


def _spelled_owner(owner: Owner | None, *, old: bool) -> OwnerTyped | OwnerUntyped:
    if owner is None:
        return _NOBODY_UNTYPED if old else _NOBODY
    if old:
        return OwnerUntyped(owner.object_id, owner.email, owner.name, owner.upn)
    return OwnerTyped(owner.object_id, owner.email, owner.name, owner.upn, owner.kind)


def _spelled_labels(incident: Incident) -> list[Label]:
    labels = [Label(tag, "User") for tag in incident.tags]
    if incident.auto_tags:
        labels += [Label(tag, "AutoAssigned") for tag in incident.auto_tags]
    return labels


def _beside(
    incident: Incident, api_version: str, bookmarks: int, provider_url: str | None
) -> Additional:
    merged = None
    if incident.merged_into is not None and not _is_old(api_version):
        number = incident.merged_into.rpartition("#")[2]
        merged = int(number) if number.isdecimal() else None
    # Techniques are a preview's; the stable versions that are specified do not have them.
    previewed = incident.techniques and api_version.endswith("-preview")
    return Additional(
        alerts_count=incident.alerts or 0,
        bookmarks_count=bookmarks,
        comments_count=incident.comments or 0,
        alert_product_names=incident.products or (),
        tactics=incident.tactics or (),
        techniques=incident.techniques if previewed else None,
        provider_incident_url=provider_url,
        merged_incident_number=merged,
    )


def heard(
    document: Mapping[str, Any],
    current: Incident | None,
    place: Place,
    id: str,
    *,
    patch: bool = False,
) -> Incident:
    """
    Return what the incident is to be after a PUT (the writable bag is replaced) or a PATCH
    (what is given is). What the service owns is ignored where it is sent, and stays as it
    was; a new incident has no number, times and etag yet.
    """
    said = bag(document)
    if current is not None:
        fresh(document, id, current.etag, mandatory=False)
    base = current or _blank(place, id)
    told: dict[str, Any] = {
        attribute: _member(said, spoken, table)
        for attribute, spoken, table in TEXTS
        if not patch or spoken in said
    }
    if patch and told.get("classification", base.classification) != base.classification:
        told.setdefault("reason", None)  # a reason belongs to its classification
    if not patch or "owner" in said:
        told["owner"] = _heard_owner(said.get("owner"), base.owner)
    if not patch or "labels" in said:
        told["tags"] = _heard_labels(said.get("labels"), base.auto_tags)
    for required in ("title", "severity", "status"):
        if required in told and not (told[required] or "").strip():
            raise refused(_EMPTY[required])
    after = replace(base, **told)
    _check(after)
    return after


# azure-powershell#29130 has the first two; the third is made after the second.
_EMPTY = {
    "title": "'Title' must have a non-empty value",
    "status": "status must not be empty.",
    "severity": "severity must not be empty.",
}
# Closing without a classification is refused (demisto#10414); how it is said was not recorded.
_UNCLASSIFIED = "classification must not be empty when status is 'Closed'."


def _check(after: Incident) -> None:
    for attribute, message in _EMPTY.items():
        if not getattr(after, attribute):
            raise refused(message)
    if len(after.description or "") > _LONGEST_DESCRIPTION:
        raise refused(f"Description length should not exceed {_LONGEST_DESCRIPTION} characters")
    if after.status != Status.CLOSED:
        return
    if after.classification is None:
        raise refused(_UNCLASSIFIED)
    if after.reason is None and after.classification != Classification.UNDETERMINED:
        # demisto#34306, where it was BenignPositive.
        raise refused(f"classification '{after.classification}' must have classificationReason.")


def _blank(place: Place, id: str) -> Incident:
    return Incident(
        key=f"{place.name}#{id}",
        id=id,
        plane="sentinel",
        workspace=place.name,
        tenant=place.tenant,
        severity="",
        status="",
    )


def _member(said: Mapping[str, Any], spoken: str, table: Mapping[str, str] | None) -> str | None:
    if table is not None:
        return a_word(said, spoken, table)
    return a_moment(said, spoken) if spoken.endswith("TimeUtc") else a_text(said, spoken)


def _heard_owner(value: object, current: Owner | None) -> Owner | None:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise refused("Error converting value for path 'properties.owner'.")
    owner = Owner(**{attribute: a_text(value, spoken) for attribute, spoken in OWNER.items()})
    if not owner.is_somebody:
        return None
    if "ownerType" not in value and current and current.object_id == owner.object_id:
        # Old versions do not know the member; a write through one leaves it alone.
        return replace(owner, kind=current.kind)
    return owner


def _heard_labels(value: object, auto_tags: tuple[str, ...]) -> tuple[str, ...]:
    entries = [] if value is None else value
    if not isinstance(entries, list):
        raise refused("Error converting value for path 'properties.labels'.")
    names: list[str] = []
    for position, entry in enumerate(entries):
        name = entry.get("labelName") if isinstance(entry, dict) else None
        if not isinstance(name, str) or not name:
            raise refused(f"Error converting value for path 'properties.labels[{position}]'.")
        names.append(name)
    # labelType is the service's: what it assigned itself stays, whatever is sent.
    return tuple(dict.fromkeys(name for name in names if name not in auto_tags))


def spell_comment(
    place: Place,
    incident: str,
    api_version: str = API_VERSION,
    *,
    id: str,
    message: str,
    author: Author,
    created: str,
    modified: str,
    etag: str,
) -> dict[str, Any]:
    """Return a comment as the service sends it; 2020-01-01 knows no versions of one."""
    # Recorded on 2020-01-01; the preview before it has them, by its specification's examples.
    is_first = api_version[:4] == "2020"
    properties = {"message": message, "createdTimeUtc": created}
    return {
        "id": f"{arm_id(place, incident)}/Comments/{id}",
        "name": id,
        **({} if is_first else {"etag": etag}),
        "type": f"{_TYPE}/Comments",
        "properties": {
            **properties,
            **({} if is_first else {"lastModifiedTimeUtc": modified}),
            "author": {
                "objectId": author.object_id,
                "email": author.email,
                "name": author.name,
                "userPrincipalName": author.upn,
            },
        },
    }


__all__ = [
    "API_VERSION",
    "PLANE",
    "Incidents",
    "arm_id",
    "body",
    "changes",
    "decode",
    "encode",
    "envelope",
    "heard",
    "heard_comment",
    "spell",
    "spell_comment",
]
