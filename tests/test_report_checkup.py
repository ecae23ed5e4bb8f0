"""How a checkup is told."""

from __future__ import annotations

from vedette.model.checkup import Checkup, Endpoint, Finding, Signer, Ward
from vedette.report import checkup as report

WELL = Finding(about="clock", word="ok", what="the clocks agree", way="unsaid")
WARNED = Finding(about="people", word="warning", what="owners\x1b[2J", way="name them")
FAILING = Finding(about="permissions", word="failing", what="you cannot apply", way="a role",
                  places=("a",))  # fmt: skip
MADE = Checkup(
    profile="mssp",
    signers=(Signer(kind="az", name="linda", permissions=("User.Read",)), Signer(kind="az")),
    endpoints=(Endpoint(name="arm", url="https://x", seconds=0.5),),
    places=(Ward(alias="a", id="/x", plane="sentinel", left={"reads": 1}),),
    skew=1.5,
    findings=(WELL, WARNED, FAILING),
)


def test_a_person_reads_the_word_first_and_the_way_out_where_there_is_need_of_one():
    assert (
        report.text(MADE)
        == """\
profile mssp

ok       the clocks agree
warning  owners␛[2J
          name them
FAILING  you cannot apply
          a role

1 failing, 1 to know of
"""
    )
    well = Checkup(profile="mssp", findings=(WELL,))
    assert report.text(well).endswith("all is well\n")


def test_the_verdict_is_the_worst_word():
    for findings, word in (
        ((), "ok"), ((WELL,), "ok"), ((WELL, WARNED), "warning"), ((FAILING, WELL), "failing"),
    ):  # fmt: skip
        assert Checkup(profile="x", findings=findings).verdict == word


def test_a_program_is_told_all_of_it():
    told = report.document(MADE)
    assert told["verdict"] == "failing"
    assert [one["graphPermissions"] for one in told["identities"]] == [["User.Read"], None]
    assert told["places"][0]["left"] == {"reads": 1}
    assert told["findings"][2] == {
        "about": "permissions",
        "word": "failing",
        "what": "you cannot apply",
        "way": "a role",
        "places": ("a",),
    }
    assert told["clockSkewSeconds"] == 1.5
