"""`list` and `show`: looking at incidents."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import click
import msgspec
from msgspec import Struct

from vedette.cli import output
from vedette.cli.connect import by_name, carried, linked, told
from vedette.cli.options import Target, connection, selection
from vedette.cli.progress import Watch
from vedette.errors import Asked
from vedette.model import Incident
from vedette.report import incidents as report
from vedette.report.clean import exact
from vedette.run.link import Failures, look


class View(Struct, frozen=True, kw_only=True):
    """What of the incidents found is shown, and how."""

    form: str
    every: bool
    sort: str | None
    top: int | None
    columns: str | None
    count: bool
    by: str | None

    @property
    def limit(self) -> int | None:
        """How many are shown at most: a person at a terminal is shown a screenful or two."""
        if self.top is not None or self.every or self.count or self.form != "table":
            return self.top
        return output.SHOWN if output.is_terminal() else None


_FORMATS = ("table", "json", "csv", "ndjson")


@click.command("list")
@selection
@click.option("--all", "every", is_flag=True, help="All of them, on a terminal too.")
@click.option("--sort", metavar="COLUMNS", help="Sort by these; - before one turns it round.")
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Only the first N.")
@click.option("--columns", metavar="COLUMNS", help="Show these, with commas between.")
@click.option("--count", is_flag=True, help="Only how many there are.")
@click.option("--by", metavar="COLUMNS", help="With --count: how many of each.")
@click.option("--format", "form", type=click.Choice(_FORMATS), help="table unless told otherwise.")
@click.option("--explain", is_flag=True, help="Say what the service is asked, and ask nothing.")
@connection
def list_(*, target: Target, where: str | None, explain: bool, **typed: Any) -> int:
    """
    Find incidents.

      vedette list --where 'Severity == "High" and Status != "Closed" and not(Owned)'
      vedette list --where 'CreatedTime < ago(14d)' --count --by Workspace,Severity
      vedette list --where-file noise.kql --format csv --columns key,title,created

    Without a condition it lists all there are, the newest first. A terminal shows the first
    50 unless told otherwise; a pipe gets every one.
    """
    view = View(**{**typed, "form": typed["form"] or ("json" if target.as_json else "table")})
    _check(view, as_json=target.as_json)
    if explain:
        return _explain(target, where, as_json=view.form != "table")
    limit = view.limit
    found, failures = carried(_found(target, where, view.sort, limit and limit + 1))
    if found is None:  # an empty answer would say that there are none
        return told(failures, as_json=target.as_json)
    if view.count:
        output.answer(_counted(found, _names(view.by), view.form))
    else:
        output.answer(_listed(found[:limit], _names(view.columns), view.form))
    if limit and limit != view.top and len(found) > limit:
        output.note(f"{limit} shown, more exist; --all shows every one")
    if not found and not view.count and output.is_terminal():
        output.note("no incidents")
    return told(failures, as_json=target.as_json)


@click.command()
@click.argument("incident", metavar="ID")
@click.option("--comments", is_flag=True, help="Its comments too.")
@connection
def show(*, target: Target, incident: str, comments: bool) -> int:
    """
    Show one incident, in full.

      vedette show soc-eu#4711 --comments

    ID is a key (soc-eu#4711, soc-eu/4711), a number, an id, an ARM id, or the address of the
    incident's page in a portal.
    """
    found, said = carried(_shown(target, incident, comments=comments))
    if not target.as_json:
        output.answer(report.show(found, said))
        return 0
    whole: dict[str, Any] = msgspec.to_builtins(found)
    if comments:
        whole["remarks"] = msgspec.to_builtins(said)
    output.answer(exact(whole, indent=2) + "\n")
    return 0


def _check(view: View, *, as_json: bool) -> None:
    if as_json and view.form != "json":
        raise Asked(f"--json and --format {view.form} exclude each other")
    if view.by is not None and not view.count:
        raise Asked("--by goes with --count")
    if view.count and (view.top or view.sort or view.columns):
        raise Asked("--count excludes --top, --sort and --columns")


async def _found(
    target: Target, where: str | None, sort: str | None, limit: int | None
) -> tuple[list[Incident] | None, Failures]:
    """Return what was found, None where no place could be read at all, and what failed."""
    bounds, holds = _asked(target, where)
    order = _names(sort)
    with Watch(quiet=target.as_json) as watch:
        async with linked(target, watch=watch) as link:
            seen, failures = await look(
                link,
                bounds=lambda _: bounds,
                holds=lambda _, one: holds(one.incident),
                limit=None if order else limit,
                found=watch.found,
            )
            if len(failures) == len(link.dialects):
                return None, failures
    found = [one.incident for _, one in seen]
    # Each place gives its newest first; together they are put in order here.
    found.sort(key=lambda one: one.created or "", reverse=True)
    return (_sorted(found, order) if order else found)[:limit], failures


async def _shown(target: Target, name: str, *, comments: bool) -> tuple[Incident, list[Any]]:
    from vedette.run.references import reference  # noqa: PLC0415 - `list` has no use for it

    async with linked(target) as link:
        with by_name():
            dialect, seen = await link.find(reference(name))
        said = await link.comments(dialect, seen.incident.id) if comments else []
        return seen.incident, [*said]


def _asked(target: Target, where: str | None) -> tuple[tuple[Any, ...], Callable[[Incident], bool]]:
    if where is None:
        return (), lambda _: True
    from vedette.cli.asked import asked  # noqa: PLC0415 - without a condition no grammar is read

    meant = asked(target, where)
    return meant.bounds(), meant.holds


def _explain(target: Target, where: str | None, *, as_json: bool) -> int:
    if where is None:
        raise Asked("--explain goes with --where")
    from vedette.cli.asked import explained  # noqa: PLC0415 - see _asked

    told = explained(target, where)
    if as_json:
        output.answer(exact(told, indent=2) + "\n")
        return 0
    out = [told["where"]]
    for one in told["conjuncts"]:
        out += ["", f"  {one['text']}", f"    {one['why']}"]
    asks = f"$filter={told['filter']}" if told["filter"] else "no $filter: the whole list is read"
    out += ["", f"in the dialect {told['dialect']} the service is sent", f"  {asks}"]
    output.answer("\n".join(out) + "\n")
    return 0


def _names(columns: str | None) -> tuple[str, ...]:
    return tuple(one.strip() for one in columns.split(",") if one.strip()) if columns else ()


def _sorted(found: list[Incident], order: Sequence[str]) -> list[Incident]:
    from vedette.kql import columns  # noqa: PLC0415 - only with --sort

    for name in reversed(order):
        by = name.removeprefix("-")
        columns.column(by)
        found.sort(key=partial(columns.order, by), reverse=name.startswith("-"))
    return found


def _getters(names: Sequence[str]) -> tuple[tuple[str, ...], report.Getters]:
    """Return the columns under the names that JSON gives them, and what is behind each."""
    from vedette.kql import columns  # noqa: PLC0415 - only with --columns and --by

    getters: dict[str, Callable[[Incident], object]] = {}
    for name in names:
        known = columns.column(name)
        getters[known.json or known.name] = partial(columns.value, known.name)
    return tuple(getters), getters


def _listed(found: Sequence[Incident], names: Sequence[str], form: str) -> str:
    chosen, getters = _getters(names) if names else (None, report.FIELDS)
    match form:
        case "json":
            return report.as_json(found, chosen, getters)
        case "ndjson":
            return report.as_ndjson(found, chosen, getters)
        case "csv":
            return report.as_csv(found, chosen or report.COLUMNS, getters)
        case _:
            return report.table(
                found,
                chosen or report.COLUMNS,
                getters,
                wide=output.width(),
                colour=output.is_colourful(),
            )


def _counted(found: Sequence[Incident], names: Sequence[str], form: str) -> str:
    chosen, getters = _getters(names) if names else ((), report.FIELDS)
    tallied = report.tally(found, chosen, getters)
    match form:
        case "json":
            return report.counts_json(tallied, chosen)
        case "ndjson":
            rows = [{**dict(zip(chosen, group, strict=True)), "count": n} for group, n in tallied]
            return "".join(f"{exact(row)}\n" for row in rows)
        case "csv":
            return report.counts_csv(tallied, chosen)
        case _:
            wide, colour = output.width(), output.is_colourful()
            return report.counts(tallied, chosen, wide=wide, colour=colour)
