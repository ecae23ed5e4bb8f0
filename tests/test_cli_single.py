"""`create`, `delete` and `comment`."""

from __future__ import annotations

import pytest

from shell import SAMPLE, Shell

NEW = ("create", "-w", "soc-eu", "--title", "Phishing drill", "--severity", "low")


@pytest.fixture
def vedette(tmp_path):
    return Shell(tmp_path)


def count(vedette):
    return vedette("list", "--count", "--json").json[0]["count"]


def test_a_new_incident_is_made_and_printed(vedette):
    ended = vedette(
        *NEW, "--add-tag", "drill", "--owner", "linda@contoso.example", "--yes", "--json"
    )
    assert ended.code == 0, ended.err
    made = ended.json
    assert (made["title"], made["severity"], made["status"]) == ("Phishing drill", "Low", "New")
    assert (made["tags"], made["owner"]["upn"]) == (["drill"], "linda@contoso.example")
    assert vedette("show", made["key"], "--json").json == made
    assert "vedette undo r-" in ended.err


def test_undoing_a_creation_takes_the_incident_away(vedette):
    assert vedette(*NEW, "--yes").code == 0
    assert count(vedette) == SAMPLE + 1
    assert vedette("undo", "last").code == 0
    assert count(vedette) == SAMPLE


def test_a_new_incident_needs_a_title_a_severity_and_one_workspace(vedette):
    assert vedette("create", "-w", "soc-eu", "--severity", "Low", "--yes").code == 2
    assert vedette("create", "-w", "soc-eu", "--title", "x", "--yes").code == 2
    ended = vedette("create", "--title", "x", "--severity", "Low", "--yes")
    assert ended.code == 2
    assert "soc-us" in ended.err
    assert count(vedette) == SAMPLE


def test_no_incident_is_made_closed_and_the_way_is_told(vedette):
    ended = vedette(*NEW, "--status", "closed", "--yes")
    assert ended.code == 2
    assert "vedette update ID --close" in ended.err
    assert count(vedette) == SAMPLE


def test_defender_makes_no_incidents(vedette):
    words = ("create", "--dialect", "graph", "--title", "x", "--severity", "Low", "--yes")
    assert vedette(*words).code == 2


def test_an_incident_is_removed_for_good(vedette):
    ended = vedette("delete", "soc-eu#12", "--yes", "--json")
    assert (ended.code, ended.json["written"]) == (0, 1)
    assert vedette("show", "soc-eu#12").code == 2
    ended = vedette("undo", "last")
    assert ended.code == 3
    assert "taken back" in ended.err
    assert count(vedette) == SAMPLE - 1


@pytest.mark.parametrize("words", [NEW, ("delete", "soc-eu#12")])
def test_without_a_terminal_or_a_yes_nothing_happens(vedette, words):
    ended = vedette(*words)
    assert ended.code == 2
    assert "--yes" in ended.err
    assert count(vedette) == SAMPLE


def test_at_a_terminal_it_is_shown_and_asked_for(vedette):
    code, seen = vedette.terminal("delete", "soc-eu#12", types="\n")
    assert code == 3
    assert "Remove it for good? [y/N]" in seen
    assert count(vedette) == SAMPLE
    code, seen = vedette.terminal(*NEW, types="y\n")
    assert code == 0, seen
    assert count(vedette) == SAMPLE + 1


def test_a_comment_is_added(vedette):
    ended = vedette("comment", "soc-eu#12", "It was them.", "--json")
    assert (ended.code, ended.json["written"]) == (0, 1)
    remarks = vedette("show", "soc-eu#12", "--comments", "--json").json["remarks"]
    assert "It was them." in [remark["message"] for remark in remarks]


def test_an_empty_comment_is_refused(vedette):
    assert vedette("comment", "soc-eu#12", "  ").code == 2


def test_hostile_words_of_ours_are_kept_and_shown_harmless(vedette):
    hostile = "\x1b]0;owned\x07 \u202emoc.elpmaxe"
    assert vedette("comment", "soc-eu#12", hostile).code == 0
    shown = vedette("show", "soc-eu#12", "--comments")
    assert "\x1b" not in shown.out
    assert "\u202e" not in shown.out
    raw = vedette("show", "soc-eu#12", "--comments", "--json")
    assert "\u202e" not in raw.out
    assert hostile in [remark["message"] for remark in raw.json["remarks"]]
