"""Plans and runs to keep: what tests of the store write down."""

from __future__ import annotations

import msgspec
from msgspec import Raw

from vedette.model import AddTags
from vedette.plan.plan import Plan, Scope, Step, Verdict
from vedette.store.records import RunHeader, Sitting

SCOPE = Scope(
    profile="mssp",
    dialect="sentinel",
    workspaces=("/subscriptions/1",),
    hosts=("https://x",),
    places={"soc-eu": "/subscriptions/1"},
)
WHO = Sitting(at="2026-11-23T07:15:00Z", host="night", pid=4711)


def step(number: int) -> Step:
    return Step(
        key=f"soc-eu#{number}",
        id=f"id-{number}",
        plane="sentinel",
        place="soc-eu",
        title=f"Brute force \N{EM DASH} {number}",
        etag=f'"{number}"',
        modified="2026-11-23T07:00:00.1234567Z",
        because="command line",
        before={"tags": []},
        edits=(AddTags(tags=("night",)),),
    )


def plan(steps: int) -> bytes:
    return msgspec.json.encode(
        Plan(
            id="p-1",
            made="2026-11-23T07:14:00Z",
            now="2026-11-23T07:14:00Z",
            by="linda@contoso.example",
            source="command line",
            scope=SCOPE,
            principal="linda@contoso.example",
            conditions={"command line": "Severity == 'Low'"},
            verdict=Verdict(),
            expires="2026-11-24T07:14:00Z",
            steps=[Raw(msgspec.json.encode(step(number))) for number in range(steps)],
            digest="sha256:plan",
        )
    )


def header(run: str = "r-1123-0715-k3f", *, steps: int = 3, digest: str | None = None):
    digest = digest or ("sha256:plan" if run == "r-1123-0715-k3f" else f"sha256:{run}")
    return RunHeader(
        run=run,
        kind="apply",
        plan="p-1",
        plan_digest=digest,
        scope=SCOPE,
        principal="linda@contoso.example",
        started="2026-11-23T07:15:00Z",
        host="night",
        pid=4711,
        allowed={"changes": "4000"},
        planned=steps,
    )


def meant(number: int, **more: object) -> bytes:
    return msgspec.json.encode(
        {"before": {"tags": []}, "after": {"tags": ["night"]}, "etag": f'"{number}"', **more}
    )


def became(outcome: str, **more: object) -> bytes:
    return msgspec.json.encode({"outcome": outcome, **more})


def written(number: int, **more: object) -> bytes:
    return became(
        "written",
        before={"tags": []},
        after={"tags": ["night"]},
        etag=f'"{number}b"',
        **more,
    )
