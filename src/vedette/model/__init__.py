"""
What vedette talks about: incidents, changes to them, conditions on them, and the planes
they live on. Knows no URL, no clock and no file.
"""

from vedette.model.change import (
    AddComment,
    AddTags,
    Assign,
    Close,
    Edit,
    RemoveTags,
    RenameTag,
    Restore,
    SetActivity,
    SetDescription,
    SetSeverity,
    SetStatus,
    SetSummary,
    SetTitle,
    Unassign,
    changed,
    comments_of,
    edited,
    touched,
)
from vedette.model.incident import (
    Classification,
    Incident,
    Moment,
    Owner,
    Reason,
    Severity,
    Status,
    instant,
)
from vedette.model.plane import Closing, Plane

__all__ = [
    "AddComment",
    "AddTags",
    "Assign",
    "Classification",
    "Close",
    "Closing",
    "Edit",
    "Incident",
    "Moment",
    "Owner",
    "Plane",
    "Reason",
    "RemoveTags",
    "RenameTag",
    "Restore",
    "SetActivity",
    "SetDescription",
    "SetSeverity",
    "SetStatus",
    "SetSummary",
    "SetTitle",
    "Severity",
    "Status",
    "Unassign",
    "changed",
    "comments_of",
    "edited",
    "instant",
    "touched",
]
