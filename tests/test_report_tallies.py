from __future__ import annotations

from msgspec.structs import replace

from vedette.plan.done import DoneStep, Outcome
from vedette.report.tallies import Reasons, Some, Sorted, Tally

STEP = DoneStep(
    number=0,
    key="soc-eu#1",
    id="id-1",
    plane="sentinel",
    place="soc-eu",
    title="Brute force",
    because="rule",
    edits=(),
    outcome=Outcome.WRITTEN,
)


def steps(count, outcome=Outcome.WRITTEN, **more):
    return [replace(STEP, key=f"soc-eu#{n}", outcome=outcome, **more) for n in range(count)]


def test_only_the_first_are_kept_and_the_rest_counted():
    some = Some(2)
    for one in steps(5):
        some.add(one)
    assert (some.count, some.more, [one.key for one in some.first]) == (
        5,
        3,
        ["soc-eu#0", "soc-eu#1"],
    )


def test_without_a_limit_all_are_kept():
    some = Some(None)
    for one in steps(30):
        some.add(one)
    assert (len(some.first), some.more) == (30, 0)


def test_a_tally_has_the_first_failure_of_its_place():
    tally = Tally()
    for error in (None, "the first", "the second"):
        tally.add(replace(STEP, outcome=Outcome.FAILED, error=error))
    tally.add(STEP)
    assert (tally.error, tally.counts[Outcome.FAILED], tally.counts[Outcome.WRITTEN]) == (
        "the first",
        3,
        1,
    )


def test_one_reason_is_told_once():
    reasons = Reasons(1, "no reason was given")
    for one in [*steps(2, error="gone away"), *steps(3)]:
        reasons.add(one)
    counts = {why: some.count for why, some in reasons.by.items()}
    assert counts == {"gone away": 2, "no reason was given": 3}


def test_steps_are_gone_through_once():
    them = iter([*steps(3), *steps(2, Outcome.GONE), *steps(1, theirs={"status": "Closed"})])
    found = Sorted(them, 1)
    assert found.of[Outcome.WRITTEN].count == 4
    assert found.why[Outcome.GONE].by["deleted meanwhile"].count == 2
    assert [one.theirs for one in found.left.first] == [{"status": "Closed"}]
    assert list(them) == []


def test_what_was_left_out_of_a_step_that_is_done_is_told_apart():
    found = Sorted(steps(2, Outcome.ALREADY, error="no room for the comment"), None)
    assert found.but.by["no room for the comment"].count == 2
    assert not found.why[Outcome.FAILED].by
