"""
The columns: those of Microsoft's `SecurityIncident` table, and ours beside them.

One table for conditions, for `--sort`, `--columns` and `--by`, and for `vedette columns`.
https://learn.microsoft.com/azure/azure-monitor/reference/tables/securityincident
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from msgspec import Struct

from vedette.errors import Asked, Unknown
from vedette.kql import reads
from vedette.kql.values import heard
from vedette.model import Classification, Incident, Reason, Severity, Status
from vedette.model.select import Kind

Cost = Literal["list", "call", "log"]
EVERYWHERE = ("sentinel", "cases", "defender")
ARM = ("sentinel", "cases")
DEFENDER = ("defender",)


class Column(Struct, frozen=True, kw_only=True):
    """
    A column. `ours` says that KQL's table does not have it; `json` is its key in our JSON;
    `planes` are those that fill it. `cost` is list (comes with every list), call (one more
    read per incident) or log (only the log table knows). `words` are all it can say, where
    that is known; `instead` is what to use where it cannot be read.
    """

    name: str
    type: Kind
    ours: bool = False
    json: str | None = None
    planes: tuple[str, ...] = EVERYWHERE
    cost: Cost = "list"
    meaning: str
    words: tuple[str, ...] = ()
    instead: str | None = None


_SEVERITIES = tuple(word.value for word in Severity)
_STATUSES = tuple(word.value for word in Status)
_CLASSIFICATIONS = ("", *(word.value for word in Classification))
# the last three are how the retired `cases` closes without a classification
_REASONS = ("", *(word.value for word in Reason), "Resolved", "Dismissed", "Other")


def _kql(name: str, type: Kind, json: str | None, meaning: str, **more: Any) -> Column:
    return Column(name=name, type=type, json=json, meaning=meaning, **more)


def _ours(name: str, type: Kind, json: str | None, meaning: str, **more: Any) -> Column:
    return Column(name=name, type=type, json=json, meaning=meaning, ours=True, **more)


def _log(name: str, type: Kind, json: str | None, meaning: str, instead: str) -> Column:
    return _kql(name, type, json, meaning, cost="log", planes=ARM, instead=instead)


def _call(name: str, ours: bool, meaning: str, instead: str, **more: Any) -> Column:  # noqa: FBT001 -- a column of the table below
    return Column(
        name=name, type="dynamic", ours=ours, cost="call", meaning=meaning, instead=instead, **more
    )


_TABLE = (
    _kql("Title", "string", "title", "what it is called; changes when Defender takes over"),
    _kql("Description", "string", "description", "the longer text; empty when unset"),
    _kql("Severity", "string", "severity", "how bad", words=_SEVERITIES),
    _kql("Status", "string", "status", "where in its life; merged is Closed", words=_STATUSES),
    _kql("Owner", "dynamic", "owner", "a bag: objectId email assignedTo userPrincipalName"),
    _kql("Labels", "dynamic", None, "an array of bags: labelName labelType; see Tags"),
    _kql(
        "AdditionalData",
        "dynamic",
        None,
        "a bag: alertsCount commentsCount alertProductNames tactics techniques",
        planes=ARM,
    ),
    _kql("ProviderName", "string", "provider", "who raised it", planes=ARM),
    _kql("ProviderIncidentId", "string", "providerId", "the provider's own number, as text"),
    _kql("IncidentNumber", "int", "number", "its number in its workspace", planes=ARM),
    _kql("IncidentName", "string", None, "its GUID in its workspace", planes=ARM),
    _kql("IncidentUrl", "string", "url", "its page in the portal"),
    _kql("CreatedTime", "datetime", "created", "when it was made"),
    _kql("LastModifiedTime", "datetime", "modified", "when anything last changed"),
    _kql("FirstActivityTime", "datetime", "firstActivity", "its earliest event", planes=ARM),
    _kql("LastActivityTime", "datetime", "lastActivity", "its latest event", planes=ARM),
    _kql(
        "RelatedAnalyticRuleIds",
        "dynamic",
        "rules",
        "an array: the last part of each analytics rule's id",
        planes=ARM,
    ),
    _kql(
        "Classification",
        "string",
        "classification",
        "what it turned out to be; empty until closed",
        words=_CLASSIFICATIONS,
    ),
    _kql(
        "ClassificationReason",
        "string",
        "reason",
        "Sentinel's reason for it",
        planes=ARM,
        words=_REASONS,
    ),
    _kql("ClassificationComment", "string", "note", "the note it was closed with"),
    _kql("SourceSystem", "string", None, "always Azure"),
    _kql("Type", "string", None, "always SecurityIncident"),
    _log("TimeGenerated", "datetime", None, "when the log row was written",
         "use CreatedTime or LastModifiedTime"),
    _log("ClosedTime", "datetime", "closed", "when it was last closed",
         'use LastModifiedTime with Status == "Closed"'),
    _log("FirstModifiedTime", "datetime", None, "when anything first changed",
         "use CreatedTime or LastModifiedTime"),
    Column(name="ModifiedBy", type="string", json="modifiedBy", planes=DEFENDER, cost="log",
           meaning="who changed it last", instead="only Defender's list tells who changed it"),
    _log("TenantId", "string", None, "the workspace's GUID", "use Workspace or Tenant"),
    _call("AlertIds", False, "the ids of its alerts", "use AdditionalData.alertsCount"),
    _call("BookmarkIds", False, "the ids of its bookmarks", "look with `vedette show`"),
    _call("Comments", False, "its comments", "use AdditionalData.commentsCount"),
    _call("Tasks", False, "its tasks", "look with `vedette show`", planes=ARM),
    _ours("Tags", "dynamic", "tags", "an array of the tags people gave it"),
    _ours("AutoTags", "dynamic", "autoTags", "an array of the tags the service gave it"),
    _ours("Owned", "bool", None, "whether it has any owner, a group or a bare name too"),
    _ours("Workspace", "string", "workspace", "the workspace's alias", planes=ARM),
    _ours("Tenant", "string", "tenant", "the tenant's alias"),
    _ours("Plane", "string", "plane", "where it was read", words=EVERYWHERE),
    _ours("Twin", "string", "twin", "its key on the other plane, if it is on both"),
    _ours("MergedInto", "string", "mergedInto", "the incident it was merged into"),
    _ours("Key", "string", "key", "how vedette names it"),
    _ours("Id", "string", "id", "its name on its plane"),
    _ours("Determination", "string", "determination", "Defender's reason", planes=DEFENDER),
    _ours("Summary", "string", "summary", "Defender's summary", planes=DEFENDER),
    _ours("AlertsCount", "int", "alerts", "how many alerts", planes=ARM),
    _ours("CommentsCount", "int", "comments", "how many comments"),
    _ours("Products", "dynamic", "products", "an array of products", planes=ARM),
    _ours("Tactics", "dynamic", "tactics", "an array of tactics", planes=ARM),
    _ours("Techniques", "dynamic", "techniques", "an array of techniques", planes=ARM),
    _ours("Etag", "string", "etag", "the version it was read in", planes=ARM),
    _call("AnalyticRules", True, "an array of analytics rules' names",
          "use RelatedAnalyticRuleIds with the rule's GUID", planes=ARM),
    _call("AlertNames", True, "an array of its alerts' names", "use Title"),
    _call("EntityIPs", True, "an array of addresses", "look with `vedette show`"),
    _call("EntityHosts", True, "an array of hosts", "look with `vedette show`"),
    _call("EntityAccounts", True, "an array of accounts", "look with `vedette show`"),
    _call("EntityUrls", True, "an array of URLs", "look with `vedette show`"),
    _call("EntityHashes", True, "an array of file hashes", "look with `vedette show`"),
)  # fmt: skip

COLUMNS: Mapping[str, Column] = {column.name: column for column in _TABLE}
"""Every column by name, in the order `vedette columns` prints them."""

_BY_KEY = {column.json: column for column in _TABLE if column.json}
_SMALL_NAMES = {name.lower(): column for name, column in COLUMNS.items()}
_SMALL_KEYS = {key.lower(): column for key, column in _BY_KEY.items()}


def column(name: str) -> Column:
    """
    Return the column of this name or JSON key, in any case; an exact spelling goes first
    (`comments` is how many there are, `Comments` what they say).
    """
    small = name.lower()
    found = (
        COLUMNS.get(name) or _BY_KEY.get(name) or _SMALL_NAMES.get(small) or _SMALL_KEYS.get(small)
    )
    if found is None:
        raise Unknown(f"no column is called {name[:60]!r}", hint=near(name))
    return found


def in_condition(name: str) -> Column | None:
    """Return the column that a condition means by this name: KQL's own names, in any case."""
    return COLUMNS.get(name) or _SMALL_NAMES.get(name.lower())


def near(name: str) -> str:
    """Return a sentence that names the column probably meant, or where to look."""
    from difflib import get_close_matches  # noqa: PLC0415 -- slow to import, rarely needed

    small = name.lower()
    if small in _SMALL_KEYS:
        return f"did you mean {_SMALL_KEYS[small].name}?"
    close = get_close_matches(small, _SMALL_NAMES, n=1, cutoff=0.6)
    if close:
        return f"did you mean {_SMALL_NAMES[close[0]].name}?"
    return "`vedette columns` lists them"


def value(column: str, incident: Incident) -> object:
    """
    Return what our JSON holds for this column (a time as the service spelled it, an owner
    as a dict, null as None); a column that is in no JSON gives what conditions see.
    """
    return _value(_known(column), incident)


def order(column: str, incident: Incident) -> tuple[bool, Any]:
    """
    Return a key to sort by: nulls first, numbers and times by size, text by its folded
    letters, severity and status in their usual order.
    """
    known = _known(column)
    held = _value(known, incident)
    if known.name in _RANKS:
        return (True, (_RANKS[known.name].get(str(held), len(_RANKS[known.name])), str(held)))
    if known.type == "datetime":
        held = heard(held if isinstance(held, str) else None)
    elif not isinstance(held, int):
        held = shown(column, incident).casefold() or None
    return (held is not None, 0 if held is None else held)


def shown(column: str, incident: Incident) -> str:
    """
    Return the column as one line of text, for groups and cells: an owner by the best name
    it has, a list with commas, null as the empty string.
    """
    match _value(_known(column), incident):
        case None:
            return ""
        case bool() as truth:
            return "true" if truth else "false"
        case list() | tuple() as several:
            return ", ".join(str(one) for one in several)
        case dict() as bag:
            names = (bag.get("upn"), bag.get("email"), bag.get("name"), bag.get("objectId"))
            return next((str(name) for name in names if name), "")
        case held:
            return str(held)


_RANKS: dict[str, dict[str, int]] = {
    "Severity": {word: rank for rank, word in enumerate(reversed(_SEVERITIES))},
    "Status": {word: rank for rank, word in enumerate(_STATUSES)},
}


def _known(name: str) -> Column:
    known = column(name)
    if known.json is None and known.name not in reads.READS:
        raise Asked(f"{known.name} does not come with a list", hint=known.instead)
    return known


def _value(known: Column, incident: Incident) -> Any:
    if known.json is None:
        return reads.READS[known.name](incident)
    held = getattr(incident, reads.ATTRIBUTES[known.json])
    if known.json == "owner" and (held is None or not held.is_somebody):
        return None
    return msgspec.to_builtins(held)
