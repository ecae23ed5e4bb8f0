"""A checkup, for people and for programs."""

from __future__ import annotations

from typing import Any

import msgspec

from vedette.model.checkup import Checkup
from vedette.report.clean import line

_MARKS = {"ok": "ok      ", "warning": "warning ", "failing": "FAILING "}


def text(checkup: Checkup) -> str:
    """Return the findings in order, each with its word and, where it is not well, the way out."""
    out = [f"profile {line(checkup.profile)}", ""]
    for one in checkup.findings:
        out.append(f"{_MARKS[one.word]} {line(one.what)}")
        if one.word != "ok" and one.way:
            out.append(f"          {line(one.way)}")
    words = [one.word for one in checkup.findings]
    failing, warnings = words.count("failing"), words.count("warning")
    told = [f"{failing} failing" if failing else "", f"{warnings} to know of" if warnings else ""]
    out += ["", ", ".join(part for part in told if part) or "all is well"]
    return "\n".join(out) + "\n"


def document(checkup: Checkup) -> dict[str, Any]:
    """Return the whole for a program."""
    return {
        "verdict": checkup.verdict,
        "profile": checkup.profile,
        "identities": [
            {
                "kind": one.kind,
                "tenant": one.tenant,
                "name": one.name,
                "objectId": one.object_id,
                "tenantId": one.tenant_id,
                "application": one.application,
                "tokenSeconds": one.life,
                "graphPermissions": None if one.permissions is None else list(one.permissions),
            }
            for one in checkup.signers
        ],
        "endpoints": [msgspec.to_builtins(one) for one in checkup.endpoints],
        "clockSkewSeconds": checkup.skew,
        "places": [msgspec.to_builtins(one) for one in checkup.places],
        "findings": [msgspec.to_builtins(one) for one in checkup.findings],
    }
