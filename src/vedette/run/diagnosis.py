"""What was seen on the round, in words: what works, what is missing for which command, the way out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct

from vedette.errors import Denied, VedetteError
from vedette.model.checkup import Checkup, Endpoint, Finding, Signer, Ward, Word
from vedette.run.profile import Profile
from vedette.wire.cases import Cases
from vedette.wire.dialect import Dialect
from vedette.wire.graph import Graph
from vedette.wire.management import Permission, may

AZURE_CLI = "04b07795-8ddb-461a-bbee-02f9e1bf7b46"
"""The application that `az login` signs in through."""
NEEDS = ("list", "apply", "delete")
"""What can be meant to be done, each more than the one before."""

_WARN, _FAIL, _SHORT = 60.0, 300.0, 300
"""Seconds that clocks may differ by, and that a token should still be good for."""

_ACTIONS: tuple[tuple[str, str, str, str], ...] = (
    # what for, the action, the commands, the role that has it
    ("list", "read", "list, show and plan", "Microsoft Sentinel Reader"),
    ("apply", "write", "apply, update and undo", "Microsoft Sentinel Responder"),
    ("apply", "comments/write", "comment", "Microsoft Sentinel Responder"),
    ("delete", "delete", "delete", "Microsoft Sentinel Contributor"),
)
# https://learn.microsoft.com/graph/permissions-reference
_READS = frozenset({"SecurityIncident.Read.All", "SecurityIncident.ReadWrite.All"})
_WRITES = frozenset({"SecurityIncident.ReadWrite.All"})
_PEOPLE = frozenset(
    {
        "User.ReadBasic.All",
        "User.Read.All",
        "User.ReadWrite.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
        "Directory.AccessAsUser.All",
    }
)
AZ_AND_DEFENDER = (
    "az login cannot read Defender's incidents: the Azure CLI's permissions on Graph are fixed"
    " (AADSTS65002)"
)
WAY_TO_DEFENDER = (
    'identity = {kind = "device", client_id = "..."} with an application of your own, or a'
    " secret, certificate or federated one; docs/settings.md tells how"
)


class Place(Struct, frozen=True, kw_only=True):
    """A place and what was heard there. `unasked` is one whose identity could not sign in."""

    alias: str
    dialect: Dialect
    kind: str
    tenant: str | None = None
    error: VedetteError | None = None
    held: tuple[Permission, ...] | None = None
    withheld: VedetteError | None = None
    granted: tuple[str, ...] | None = None
    from_defender: bool | None = None
    left: Mapping[str, int] = {}
    unasked: bool = False

    @property
    def is_defender(self) -> bool:
        """Whether it is a tenant's Defender, not a workspace."""
        return isinstance(self.dialect, Graph)


class Observed(Struct, frozen=True, kw_only=True):
    """What was seen, place by place; `graph` is why there is no token for Graph, by tenant."""

    signers: tuple[tuple[Signer, VedetteError | None], ...]
    graph: Mapping[str | None, VedetteError]
    places: tuple[Place, ...]
    endpoints: tuple[Endpoint, ...]
    skew: float | None


def diagnosis(profile: Profile, seen: Observed, needs: str) -> Checkup:
    """Return the whole checkup; what `needs` does not need is at most a warning."""
    answered = [one for one in seen.places if not one.unasked]
    findings = [
        *_signed(seen),
        *_reached(seen),
        *_clock(seen.skew),
        *_answering(profile, answered),
        *_allowed([one for one in answered if not one.is_defender], needs),
        *_granted([one for one in answered if one.is_defender], needs),
        *_through_the_cli(seen),
        *_people(seen),
        *_onboarded(answered),
        *_quotas(answered),
    ]
    return Checkup(
        profile=profile.name,
        signers=tuple(signer for signer, _ in seen.signers),
        endpoints=seen.endpoints,
        places=tuple(_ward(one) for one in seen.places),
        skew=seen.skew,
        findings=tuple(findings),
    )


def lacking(held: Iterable[Permission], dialect: Dialect, needs: str) -> list[str]:
    """Return the actions that `needs` needs on a workspace and the permissions do not allow."""
    held = [*held]
    enough = NEEDS.index(needs)
    return [
        _action(dialect, does)
        for what, does, _, _ in _ACTIONS
        if NEEDS.index(what) <= enough and not may(held, _action(dialect, does))
    ]


def cannot(commands: str, places: Mapping[str, Dialect], action: str) -> Finding:
    """Return that these commands cannot be used in these places, and the way out."""
    role = next(role for _, does, _, role in _ACTIONS if action.lower().endswith(f"s/{does}"))
    count = len(places)
    where = next(iter(places.values())).place.path if count == 1 else "each of them"
    return Finding(
        about="permissions",
        word="failing",
        what=f"you cannot {commands} on {_many(count)}: {action} is missing ({listed(places)})",
        way=f"the role {role} on {where}, active if it is given through PIM; a new role takes up"
        " to ten minutes",
        places=tuple(places),
    )


# ---- one subject after the other


def _signed(seen: Observed) -> Iterator[Finding]:
    for signer, error in seen.signers:
        where = f"tenant {signer.tenant}" if signer.tenant else "its own tenant"
        if error is not None:
            yield Finding(
                about="sign-in", word="failing", what=error.message, way=error.hint,
                places=tuple(one.alias for one in seen.places if one.error is error),
            )  # fmt: skip
            continue
        if signer.kind == "local":
            yield Finding(about="sign-in", word="ok", what=f"{signer.name}, who needs no token")
            continue
        there = f" ({signer.tenant_id})" if signer.tenant_id else ""
        what = f"identity {signer.kind} is {signer.name or 'somebody'} in {where}{there}"
        if signer.life is not None and signer.life < _SHORT:
            yield Finding(
                about="sign-in",
                word="warning",
                what=f"{what}, by a token for {max(signer.life, 0)} s only",
                way="look at this machine's clock",
            )
        else:
            life = f", token for {signer.life // 60} min" if signer.life is not None else ""
            yield Finding(about="sign-in", word="ok", what=f"{what}{life}")


def _reached(seen: Observed) -> Iterator[Finding]:
    for one in seen.endpoints:
        if one.seconds is not None:
            what = f"{one.name} at {one.url} answers in {one.seconds * 1000:,.0f} ms"
            yield Finding(about="endpoint", word="ok", what=what)
        else:
            what = f"{one.name} at {one.url} gave nothing that could be used"
            yield Finding(about="endpoint", word="failing", what=what)


def _clock(skew: float | None) -> Iterator[Finding]:
    if skew is None:
        return
    apart, way = abs(skew), "set the clock; tokens are good or expired by it"
    word: Word = "failing" if apart > _FAIL else "warning" if apart > _WARN else "ok"
    which = "ahead of" if skew > 0 else "behind"
    if word == "ok":
        yield Finding(
            about="clock", word="ok", what="this machine's clock agrees with the service's"
        )
    else:
        what = f"this machine's clock is {apart:,.0f} s {which} the service's"
        yield Finding(about="clock", word=word, what=what, way=way)


def _answering(profile: Profile, places: list[Place]) -> Iterator[Finding]:
    well = [one for one in places if one.error is None]
    arm = [one for one in well if not one.is_defender]
    if arm:
        version = f"in the dialect {profile.dialect}, api-version {profile.api_version}"
        what = f"{_many(len(arm))} answered {version}"
        yield Finding(about="api-version", word="ok", what=what)
    for graph in (one for one in well if one.is_defender):
        what = f"{graph.alias} answered: Defender's incidents can be read"
        yield Finding(about="defender", word="ok", what=what, places=(graph.alias,))
    alike: dict[tuple[object, str | None], list[Place]] = {}
    for one in places:
        # that a role is missing is told with the permissions, once
        told = isinstance(one.error, Denied) and one.held is not None
        if one.error is not None and not told:
            alike.setdefault((type(one.error), one.error.hint), []).append(one)
    for same in alike.values():
        first = same[0].error
        assert first is not None
        names = [one.alias for one in same]
        more = f" (and so in {listed(names[1:])})" if len(names) > 1 else ""
        yield Finding(
            about="answer", word="failing", what=f"{first.message}{more}", way=_way(same[0]),
            places=tuple(names),
        )  # fmt: skip


def _way(one: Place) -> str | None:
    if one.is_defender and one.kind == "az":
        return f"{AZ_AND_DEFENDER}; use {WAY_TO_DEFENDER}"
    return one.error.hint if one.error is not None else None


def _allowed(places: list[Place], needs: str) -> Iterator[Finding]:
    known = [one for one in places if one.held is not None]
    if hidden := [one for one in places if one.held is None]:
        error = hidden[0].withheld
        yield Finding(
            about="permissions",
            word="warning",
            what=f"what may be done cannot be told on {_many(len(hidden))}"
            f" ({listed(one.alias for one in hidden)})" + (f": {error.message}" if error else ""),
            places=tuple(one.alias for one in hidden),
        )
    for what, does, commands, _ in _ACTIONS:
        lack = {
            one.alias: one.dialect
            for one in known
            if not may(one.held or (), _action(one.dialect, does))
        }
        if lack:
            action = _action(next(iter(lack.values())), does)
            found = cannot(commands, lack, action)
            is_needed = NEEDS.index(what) <= NEEDS.index(needs)
            yield found if is_needed else _warned(found)
        if len(lack) < len(known):
            there = _many(len(known) - len(lack))
            yield Finding(about="permissions", word="ok", what=f"you can {commands} on {there}")


def _granted(places: list[Place], needs: str) -> Iterator[Finding]:
    for one in places:
        if one.granted is None or one.error is not None or _WRITES.intersection(one.granted):
            continue
        found = Finding(
            about="permissions",
            word="failing",
            what=f"you cannot apply on {one.alias}: the token lacks SecurityIncident.ReadWrite.All",
            way="grant it to the application, with an administrator's consent",
            places=(one.alias,),
        )
        yield found if NEEDS.index("apply") <= NEEDS.index(needs) else _warned(found)


def _through_the_cli(seen: Observed) -> Iterator[Finding]:
    """Say that az cannot read Defender's incidents, where nothing that failed says so already."""
    tried = {one.tenant for one in seen.places if one.is_defender}
    for signer, error in seen.signers:
        is_az = signer.kind == "az" or signer.application == AZURE_CLI
        if error is None and is_az and signer.tenant not in tried:
            has = _READS.intersection(signer.permissions or ())
            if not has:
                yield Finding(
                    about="defender", word="warning", what=AZ_AND_DEFENDER, way=WAY_TO_DEFENDER
                )
                return


def _people(seen: Observed) -> Iterator[Finding]:
    way = "grant User.ReadBasic.All, or name people under [people] with upn and objectId"
    why = {tenant: error.message for tenant, error in seen.graph.items()}
    for signer, error in seen.signers:
        held = signer.permissions
        if error is None and held is not None and not _PEOPLE.intersection(held):
            why[signer.tenant] = "the token lacks User.ReadBasic.All"
    for tenant, reason in why.items():
        where = f"tenant {tenant}" if tenant else "its own tenant"
        what = f"owners cannot be looked up in {where}: {reason}"
        yield Finding(about="people", word="warning", what=what, way=way)


def _onboarded(places: list[Place]) -> Iterator[Finding]:
    arm = [one for one in places if not one.is_defender]
    on = [one.alias for one in arm if one.from_defender]
    if on:
        yield Finding(
            about="onboarding",
            word="ok",
            what=f"{_many(len(on))} {'has' if len(on) == 1 else 'have'} incidents from Defender"
            f" among the newest, told by their provider ({listed(on)})",
            places=tuple(on),
        )


def _quotas(places: list[Place]) -> Iterator[Finding]:
    least: dict[str, int] = {}
    for one in places:
        for name, left in one.left.items():
            least[name] = min(left, least.get(name, left))
    if least:
        told = ", ".join(f"{name} {left:,}" for name, left in sorted(least.items()))
        yield Finding(about="quota", word="ok", what=f"the least that was left: {told}")


# ---- words


def _ward(one: Place) -> Ward:
    if one.is_defender:
        granted = set(one.granted or ()) if one.error is None else set()
        reads, writes = one.error is None, one.granted is None or bool(_WRITES & granted)
        commands = _commands(lambda what: reads and (what == "list" or writes), graph=True)
        missing = ["SecurityIncident.ReadWrite.All"] if reads and not writes else []
    else:
        held = one.held or ()
        lack = [does for _, does, _, _ in _ACTIONS if not may(held, _action(one.dialect, does))]
        missing = [_action(one.dialect, does) for does in lack if one.held is not None]
        commands = tuple(
            words
            for _, does, words, _ in _ACTIONS
            if one.error is None and one.held is not None and does not in lack
        )
    return Ward(
        alias=one.alias,
        id=one.dialect.place.where if one.is_defender else one.dialect.place.path,
        plane=one.dialect.plane.name,
        tenant=one.tenant,
        answers=one.error is None,
        commands=tuple(
            word for text in commands for word in text.replace(" and ", ", ").split(", ")
        ),
        missing=tuple(missing),
        defender=one.from_defender,
        left=one.left,
    )


def _commands(has: Callable[[str], bool], *, graph: bool) -> tuple[str, ...]:
    return tuple(
        words for what, _, words, _ in _ACTIONS if has(what) and not (graph and what == "delete")
    )


def _action(dialect: Dialect, does: str) -> str:
    kind = "cases" if isinstance(dialect, Cases) else "incidents"
    return f"Microsoft.SecurityInsights/{kind}/{does}"


def _warned(found: Finding) -> Finding:
    return Finding(
        about=found.about, word="warning", what=found.what, way=found.way, places=found.places
    )


def _many(count: int) -> str:
    return f"{count:,} workspace{'' if count == 1 else 's'}"


def listed(names: Iterable[str]) -> str:
    """Return the names in a line; a long list says how many more there are."""
    every = [*names]
    more = f" and {len(every) - 6} more" if len(every) > 7 else ""
    return ", ".join(every[:6] if more else every) + more
