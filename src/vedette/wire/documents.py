"""
Incidents as Sentinel's service sends them, as values that encode themselves: members in the
wire's order, unset ones left out, those of an owner null. Pages of a thousand are made of
these; dicts would take twice as long.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct


class OwnerUntyped(Struct, frozen=True, rename="camel", gc=False):
    """An owner, as the older versions have it."""

    object_id: str | None = None
    email: str | None = None
    assigned_to: str | None = None
    user_principal_name: str | None = None


class OwnerTyped(Struct, frozen=True, rename="camel", gc=False):
    """An owner."""

    object_id: str | None = None
    email: str | None = None
    assigned_to: str | None = None
    user_principal_name: str | None = None
    owner_type: str | None = None


class Label(Struct, frozen=True, rename="camel", gc=False):
    """A tag."""

    label_name: str
    label_type: str


class Additional(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """What an incident tells of what belongs to it."""

    alerts_count: int
    bookmarks_count: int
    comments_count: int
    alert_product_names: Sequence[str]
    tactics: Sequence[str]
    techniques: Sequence[str] | None = None
    provider_incident_url: str | None = None
    merged_incident_number: int | None = None


class Properties(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, gc=False):
    """The members of an incident, in the order of the wire."""

    title: str | None = None
    description: str | None = None
    severity: str | None = None
    status: str | None = None
    classification: str | None = None
    classification_reason: str | None = None
    classification_comment: str | None = None
    owner: OwnerTyped | OwnerUntyped
    labels: Sequence[Label]
    first_activity_time_utc: str | None = None
    last_activity_time_utc: str | None = None
    last_modified_time_utc: str | None
    created_time_utc: str | None
    incident_number: int | None
    additional_data: Additional
    related_analytic_rule_ids: Sequence[str]
    incident_url: str
    provider_name: str | None = None
    provider_incident_id: str | None = None
    team_information: Mapping[str, Any] | None = None


class Document(Struct, frozen=True, kw_only=True, gc=False):
    """An incident as ARM wraps it."""

    id: str
    name: str
    etag: str | None
    type: str
    properties: Properties
