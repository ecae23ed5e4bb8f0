"""What was found, as the settings file that a person goes on with, and as text and JSON."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from vedette.model.estate import Estate, HeldTenant, HeldWorkspace
from vedette.report.clean import line

_BARE = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_HEAD = """\
# Written by `vedette init`. Aliases, groups and people are yours to change:
# `vedette list -w ALIAS`, `-w '@GROUP'` and `--tenant ALIAS` choose by them.
# `vedette doctor` says what works with these settings.
"""


def settings(estate: Estate) -> str:
    """Return the settings as TOML. Names that came from the service stand in comments only."""
    at = f"profiles.{_key(estate.profile)}"
    out = [_HEAD, f"default = {_text(estate.profile)}", "", f"[{at}]"]
    out += [f"{name} = {_text(value)}" for name, value in estate.endpoints.items()]
    if estate.dialect != "sentinel":
        out.append(f"dialect = {_text(estate.dialect)}")
    out.append(f"identity = {_inline(estate.identity)}")
    for tenant in estate.tenants:
        out += ["", *_tenant(tenant, at)]
        for one in estate.workspaces:
            if one.tenant == tenant.alias:
                out += ["", *_workspace(one, at)]
    return "\n".join(out) + "\n"


def _tenant(tenant: HeldTenant, at: str) -> Iterable[str]:
    if tenant.name:
        yield f"# {line(tenant.name)}"
    yield f"[{at}.tenants.{_key(tenant.alias)}]"
    yield f"id = {_text(tenant.id)}"
    if tenant.identity is not None:
        yield f"identity = {_inline(tenant.identity)}"
    if tenant.defender:
        yield "defender = true"
    elif tenant.why:
        yield f"# defender = true  # {line(tenant.why)}"


def _workspace(one: HeldWorkspace, at: str) -> Iterable[str]:
    yield f"# {line(', '.join(part for part in (one.subscription, one.location) if part))}"
    yield f"[{at}.workspaces.{_key(one.alias)}]"
    yield f"id = {_text(one.id)}"
    yield f"tenant = {_text(one.tenant)}"
    if one.via:
        yield f"via = {_text(one.via)}  # delegated: Azure Lighthouse"
    if one.groups:
        yield f"groups = [{', '.join(map(_text, one.groups))}]"


def text(estate: Estate, file: str | None) -> str:
    """Return what was found, by tenant, for a person; `file` is where it was written."""
    out = []
    for tenant in estate.tenants:
        here = [one for one in estate.workspaces if one.tenant == tenant.alias]
        name = f"  {line(tenant.name)}" if tenant.name else ""
        out.append(f"tenant {line(tenant.alias)}  {line(tenant.id)}{name}")
        out.append(f"  Defender XDR: {'yes' if tenant.defender else line(tenant.why or 'no')}")
        wide = max((len(one.alias) for one in here), default=0)
        for one in here:
            where = ", ".join(part for part in (one.subscription, one.location) if part)
            via = f", by way of {line(one.via)}" if one.via else ""
            out.append(f"  {line(one.alias):<{wide}}  {line(where)}{via}")
    count, tenants = len(estate.workspaces), len(estate.tenants)
    without = f", and {estate.bare:,} without" if estate.bare else ""
    told = f"{count:,} {_plural('workspace', count)} with Sentinel{without}"
    out += ["", f"{told}, in {tenants:,} {_plural('tenant', tenants)}"]
    if file is not None:
        out.append(f"written to {line(file)}; next: vedette doctor")
    return "\n".join(out) + "\n"


def document(
    estate: Estate, file: str | None, failures: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """Return the same for a program; `failures` are what refused, by what was asked."""
    return {
        "file": file,
        "profile": estate.profile,
        "tenants": [
            {name: value for name, value in msgspec.to_builtins(one).items() if name != "identity"}
            for one in estate.tenants
        ],
        "workspaces": [msgspec.to_builtins(one) for one in estate.workspaces],
        "withoutSentinel": estate.bare,
        "failed": [{"what": what, **told} for what, told in failures.items()],
    }


def _plural(word: str, count: int) -> str:
    return word if count == 1 else f"{word}s"


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else _text(name)


def _text(value: str) -> str:
    # JSON's strings are TOML's basic strings, but for DEL and halves of surrogate pairs
    shown = json.dumps(value.encode("utf-8", "replace").decode(), ensure_ascii=False)
    return shown.replace("\x7f", "\\u007f")


def _inline(table: Mapping[str, str]) -> str:
    return f"{{{', '.join(f'{_key(name)} = {_text(value)}' for name, value in table.items())}}}"
