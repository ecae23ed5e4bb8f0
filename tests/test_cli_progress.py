"""Progress: nothing for what is quick, lines where nobody draws, a bar where somebody looks."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shell import Shell
from vedette.cli.progress import Watch
from vedette.flow.estimate import Range
from vedette.run.apply import Progress, Silence


class Clock:
    def __init__(self):
        self.at = 100.0

    def __call__(self):
        return self.at


def test_what_is_quick_says_nothing(capsys):
    clock = Clock()
    with Watch(quiet=False, clock=clock) as watch:
        for _ in range(9):
            clock.at += 0.1
            watch.found(500, 3)
    assert capsys.readouterr() == ("", "")


def test_without_a_terminal_a_line_comes_now_and_then(capsys):
    clock = Clock()
    with Watch(quiet=False, clock=clock) as watch:
        for n in range(1, 26):
            clock.at += 1
            watch.ended(Progress(run="r-1", planned=25, ended=n, outcomes={"written": n}))
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == "10 of 25: 10 written\n20 of 25: 20 written\n"
    assert watch.run == "r-1"


def test_a_program_that_asked_for_json_hears_nothing(capsys):
    clock = Clock()
    with Watch(quiet=True, clock=clock) as watch:
        clock.at += 100
        watch.found(500, 3)
        watch.waiting("management.azure.com", 17)
        watch.ended(Progress(run="r-1", planned=2, ended=1, outcomes={"written": 1}))
    assert capsys.readouterr() == ("", "")


def test_a_pause_the_service_asks_for_is_told(capsys):
    clock = Clock()
    with Watch(quiet=False, clock=clock) as watch:
        clock.at += 100
        watch.waiting("management.azure.com", 17)
    assert capsys.readouterr().err == "management.azure.com asks to wait 17 s\n"


NOW = datetime(2026, 11, 22, 7, 15, tzinfo=UTC)


def told(progress, *, after=0.0, quiet=False):
    clock = Clock()
    with Watch(quiet=quiet, clock=clock, now=lambda: NOW) as watch:
        clock.at += after
        watch.ended(progress)


@pytest.mark.parametrize(
    ("earliest", "latest", "said"),
    [
        (80.0, 3_900.0, "1,000 incidents to go; done in 80 s to 65 min (07:16 to 08:20 UTC)\n"),
        (3_800.0, 3_900.0, "1,000 incidents to go; done in 65 min (08:20 UTC)\n"),
        (
            40_000.0,
            90_000.0,
            "1,000 incidents to go; done in 11 h 7 min to 25 h (18:21 to 2026-11-23 08:15 UTC)\n",
        ),
        (0.0, 9.0, ""),
    ],
)
def test_a_long_run_says_at_the_start_when_it_will_be_done(earliest, latest, said, capsys):
    left = Range(earliest=earliest, latest=latest)
    told(Progress(run="r-1", planned=1_000, left=left))
    assert capsys.readouterr().err == said
    told(Progress(run="r-1", planned=1_000, left=left), quiet=True)
    assert capsys.readouterr() == ("", "")


def test_under_way_it_says_so_again(capsys):
    left = Range(earliest=300.0, latest=300.0)
    told(Progress(run="r-1", planned=10, ended=4, outcomes={"written": 4}, left=left), after=60)
    assert capsys.readouterr().err == "4 of 10: 4 written; done in 5 min (07:20 UTC)\n"


def test_a_host_out_of_reach_is_named_with_its_beginning_and_the_next_try(capsys):
    silence = Silence(host="management.azure.com", since=NOW.timestamp(), tries_in=20.0)
    told(Progress(run="r-1", planned=10, silence=silence))
    assert capsys.readouterr().err == (
        "management.azure.com is out of reach since 07:15:00 UTC; trying again in 20 s\n"
    )
    told(Progress(run="r-1", planned=10, silence=silence), quiet=True)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("title", ["[bold]x[/nonsense]", "\x1b[2J"])
def test_a_bar_is_drawn_at_a_terminal_and_takes_itself_away(tmp_path, title):
    """What is drawn is never read as markup, and steers nothing but the bar's own line."""
    shell = Shell(tmp_path)
    shell.command = staticmethod(lambda *words: [Shell.command()[0], "-c", *words])
    code, seen = shell.terminal(DRAWING.format(title=title))
    assert code == 0, seen
    assert "1/2" in seen
    assert "[bold]" in seen if "bold" in title else "\x1b[2J" not in seen


DRAWING = """
from vedette.cli.progress import Watch
from vedette.run.apply import Progress
at = [0.0]
with Watch(quiet=False, clock=lambda: at[0]) as watch:
    at[0] = 5.0
    watch.ended(Progress(run="r-1", planned=2, ended=1, outcomes={{{title!r}: 1}}))
"""
