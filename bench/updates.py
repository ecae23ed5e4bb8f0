"""Updates a second and CPU for each update: ours, the vendor's SDK and a bare loop."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from statistics import median

from canned import canned, counts
from contenders import AT_ONCE, CONTENDERS, THREADS, Job
from tables import aim, section, table

SAID = {
    "sdk-sync": f"azure-mgmt-securityinsight 1.0.0, {THREADS} threads",
    "sdk-aio": f"azure-mgmt-securityinsight 1.0.0 aio, {AT_ONCE} tasks",
    "bare-aiohttp": f"a bare aiohttp loop, {AT_ONCE} tasks",
    "vedette": f"vedette apply, journal on disk, {AT_ONCE} at once",
}
Figures = dict[str, float]


def _measured(name: str, job: Job) -> Figures:
    """One contender in a fresh process; the server's counts say that it did the work."""
    before = counts(job.url, job.ca)
    # all trust this authority alone, by the variables that their libraries read
    env = {**os.environ, "SSL_CERT_FILE": str(job.ca), "REQUESTS_CA_BUNDLE": str(job.ca)}
    program = str(Path(__file__).with_name("contenders.py"))
    ran = subprocess.run(
        [sys.executable, program, name, job.url, str(job.ca), str(job.count)],
        env=env,
        stdout=subprocess.PIPE,
        check=True,
    )
    after = counts(job.url, job.ca)
    for what in ("get", "put", "tagged"):
        done = after[what] - before[what]
        assert done == job.count, f"{name}: {done} of {job.count} ({what})"
    told: Figures = json.loads(ran.stdout)
    return told


def measure(count: int = 8_000, rounds: int = 3) -> str:
    """Return the section of the report; contenders take turns, medians are told."""
    found: dict[str, list[Figures]] = {name: [] for name in CONTENDERS}
    with canned() as (url, ca):
        job = Job(url, ca, count)
        for number in range(rounds):
            for name in CONTENDERS:
                found[name].append(_measured(name, job))
                print(f"round {number + 1}: {name} {found[name][-1]}", file=sys.stderr)
    middle = {
        name: {what: median(figures[what] for figures in rows) for what in rows[0]}
        for name, rows in found.items()
    }
    how = (
        f"An update is a GET and a PUT of a 2 KB incident over TLS on loopback. {count:,} of "
        f"them, {rounds} rounds, contenders taking turns, medians (least to most)."
    )
    rows = [_row(name, found[name], middle[name]) for name in CONTENDERS]
    return section(
        "Updates",
        how,
        table(["", "updates a second", "client CPU, ms an update", "peak memory, MiB"], rows),
        table(["ratio", "is", "aim", ""], _ratios(middle)),
    )


def _row(name: str, rows: list[Figures], middle: Figures) -> list[str]:
    def spread(what: str, form: str) -> str:
        ends = [f(row[what] for row in rows) for f in (min, max)]
        return f"{middle[what]:{form}} ({ends[0]:{form}} to {ends[1]:{form}})"

    return [
        SAID[name],
        spread("per_second", ",.0f"),
        spread("cpu_ms", ".2f"),
        f"{middle['peak_mib']:.0f}",
    ]


def _ratios(middle: dict[str, Figures]) -> list[list[str]]:
    ours, sync = middle["vedette"], middle["sdk-sync"]
    aio, bare = middle["sdk-aio"], middle["bare-aiohttp"]
    return [
        aim("throughput over SDK aio", ours["per_second"] / aio["per_second"], least=5),
        aim("throughput over SDK threads", ours["per_second"] / sync["per_second"], least=5),
        aim("CPU over SDK aio", ours["cpu_ms"] / aio["cpu_ms"], most=0.25),
        aim("CPU over SDK threads", ours["cpu_ms"] / sync["cpu_ms"], most=0.25),
        aim("CPU over bare aiohttp", ours["cpu_ms"] / bare["cpu_ms"], most=2.5),
    ]


if __name__ == "__main__":
    print(measure(*map(int, sys.argv[1:])))
