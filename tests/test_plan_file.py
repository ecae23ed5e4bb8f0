from __future__ import annotations

import json
from hashlib import sha256

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planned import ADA, incident, planned
from test_report_clean import HOSTILE, steers
from vedette.errors import BadPlan
from vedette.model import AddComment, AddTags, Assign, Close, RemoveComments, SetTitle
from vedette.plan.file import digest, opened, sealed
from vedette.plan.plan import step

EDITS = (
    Close(classification="BenignPositive", reason="SuspiciousButExpected", note="Überprüft"),
    AddTags(tags=("scanner",)),
    Assign(owner=ADA),
)
PLAN = planned(incident(1), incident(2, owner=ADA), edits=EDITS)
FILE = sealed(PLAN)
TRIP = {"rail": "high", "place": "soc-eu", "count": 1, "of": None, "limit": "0", "message": ""}
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def _resealed(document: dict) -> bytes:
    document = {k: v for k, v in document.items() if k != "digest"}
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    document["digest"] = "sha256:" + sha256(canonical.encode()).hexdigest()
    return json.dumps(document).encode()


def _altered(path: list, value: object) -> bytes:
    document = json.loads(FILE)
    place = document
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    return json.dumps(document).encode()


def test_what_was_sealed_opens_as_the_same_plan():
    plan = opened(FILE)
    assert plan.digest == PLAN.digest
    assert [step(raw) for raw in plan.steps] == [step(raw) for raw in PLAN.steps]
    assert sealed(plan) == FILE


@given(title=TEXT, note=TEXT, tags=st.lists(TEXT, max_size=3), source=TEXT)
def test_whatever_the_text_says_a_sealed_plan_opens(title, note, tags, source):
    edits = (SetTitle(title=title), AddTags(tags=tuple(tags)), AddComment(message=note))
    plan = planned(incident(1, title="x" + title), edits=edits, source=source)
    read = opened(sealed(plan))
    assert step(read.steps[0]) == step(plan.steps[0])
    assert read.source == source


@given(title=TEXT, tag=TEXT)
def test_the_digest_is_that_of_the_canonical_json_of_everything_else(title, tag):
    """Witnessed by another library, so that others can check a plan too."""
    plan = planned(incident(1, title=title), edits=(AddTags(tags=(tag,)),))
    document = json.loads(sealed(plan))
    assert json.loads(_resealed(document))["digest"] == document["digest"] == digest(plan)


@given(HOSTILE)
def test_a_plan_on_a_terminal_is_harmless_and_the_same_plan(evil):
    """`plan --json` prints the very bytes of the file."""
    title = evil.encode("utf-8", "replace").decode()
    plan = planned(incident(1, title=title), edits=(AddTags(tags=("a",)),), source=title)
    data = sealed(plan)
    assert not [one for one in data.decode() if steers(one) and one != "\n"]
    assert step(opened(data).steps[0]).title == title
    assert opened(data).digest == plan.digest


def test_a_plan_is_indented_for_people_and_ends_with_a_line_end():
    assert FILE.startswith(b'{\n  "vedette": "plan/1",\n  "kind": "apply",\n')
    assert FILE.endswith(b"}\n")
    assert "Überprüft".encode() in FILE


@pytest.mark.parametrize("indent", [None, 1, 8])
def test_another_indentation_order_or_spelling_of_letters_is_harmless(indent):
    document = dict(reversed(json.loads(FILE).items()))
    for spelled in (True, False):
        again = json.dumps(document, indent=indent, ensure_ascii=spelled).encode()
        assert opened(again).digest == PLAN.digest
    assert opened(b"\xef\xbb\xbf" + FILE).digest == PLAN.digest


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["steps", 0, "edits", 0, "note"], "Another note"),
        (["steps", 0, "before", "status"], "Active"),
        (["steps", 1, "id"], "soc-eu-9"),
        (["expires"], "2036-11-23T07:15:00Z"),
        (["verdict", "notes"], ["all is well"]),
        (["digest"], "sha256:" + "0" * 64),
        (["digest"], ""),
        (["steps"], []),
        (["conditions", "command line"], "Severity == 'Low'"),
    ],
)
def test_a_changed_plan_is_refused_as_changed(path, value):
    with pytest.raises(BadPlan, match="changed after it was made") as refused:
        opened(_altered(path, value))
    assert refused.value.exit_code == 2


@pytest.mark.parametrize("length", [0, 1, 40, len(FILE) // 2, len(FILE) - 3])
def test_a_plan_cut_anywhere_is_refused_as_cut(length):
    with pytest.raises(BadPlan, match="cut short"):
        opened(FILE[:length])


def test_a_plan_of_another_version_names_both():
    with pytest.raises(BadPlan, match="made by another version: plan/9; this vedette reads plan/1"):
        opened(_altered(["vedette"], "plan/9"))


@pytest.mark.parametrize(
    "data",
    [b"hello", b"[]", b"{}", b"null", b"3", b'"plan/1"', b"\xff\xfe{", b"[" * 9000, b'{"a":NaN}'],
)
def test_what_is_no_plan_is_refused_as_none(data):
    with pytest.raises(BadPlan, match=r"no plan of vedette|cut short"):
        opened(data)


def test_a_run_file_is_told_from_a_plan():
    with pytest.raises(BadPlan, match="but 'run/1'"):
        opened(_altered(["vedette"], "run/1"))


@pytest.mark.parametrize(
    ("path", "value", "names"),
    [
        (["made"], 3, r"made: Expected `str`, got `int`"),
        (["kind"], "purge", r"kind: Invalid enum value"),
        (["scope", "hosts"], "x", r"scope\.hosts: Expected `array`"),
        (["steps"], {}, r"steps: Expected `array`"),
        (["steps", 0, "key"], None, r"steps\[0\]\.key: Expected `str`, got `null`"),
        (["steps", 1, "edits", 0, "edit"], "purge", r"steps\[1\]\.edits\[0\]\.edit"),
        (["steps", 1, "edits", 0, "clasification"], "x", r"unknown field `clasification`"),
        (["steps", 1, "unless"], "x", r"steps\[1\]: .*unknown field `unless`"),
        (["rubric"], "x", "unknown field `rubric`"),
        (["steps", 0, "before", "owner"], 3, r"steps\[0\]\.before\.owner"),
        (["steps", 0, "before", "status"], None, r"before\.status: cannot be null"),
        (["steps", 0, "before", "etag"], "x", r"before\.etag: no field"),
        (
            ["steps", 0, "edits", 1],
            {"edit": "restore", "values": {"tags": 3}},
            r"steps\[0\]\.edits\[1\]\.values\.tags",
        ),
        (["steps", 0, "edits"], [], r"steps\[0\]\.edits: there are none"),
        (["verdict", "trips"], [TRIP | {"rail": "x"}], r"trips\[0\]\.rail: 'x' is no rail"),
    ],
)
def test_a_member_of_another_type_is_named_even_when_sealed_again(path, value, names):
    with pytest.raises(BadPlan, match=names):
        opened(_resealed(json.loads(_altered(path, value))))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"id": "p-', b'"id": "q", "id": "p-'),
        (b'"steps": [', b'"steps": [], "steps": ['),
        (b'"status": "New"', b'"status": "Active", "status": "New"'),
        (b'"profile": "mssp"', b'"profile": "mssp", "profile": "mssp"'),
    ],
)
def test_a_member_that_is_there_twice_is_refused(old, new):
    """Readers differ in which one they believe: what was shown might not be what is done."""
    assert old in FILE
    with pytest.raises(BadPlan, match="twice"):
        opened(FILE.replace(old, new, 1))


def test_only_a_plan_that_deletes_has_steps_without_edits():
    gone = _altered(["steps", 0, "edits"], [])
    document = json.loads(gone) | {"kind": "delete"}
    assert step(opened(_resealed(document)).steps[0]).edits == ()


def test_a_plan_without_steps_opens():
    assert opened(sealed(planned())).steps == []


@given(st.binary(max_size=60), st.integers(0, len(FILE)))
def test_damage_is_refused_and_never_an_error_of_ours(junk, place):
    damaged = FILE[:place] + junk + FILE[place + len(junk) :]
    try:
        read = opened(damaged)
    except BadPlan:
        return
    assert read.digest == PLAN.digest


def test_steps_stay_undecoded():
    assert all(isinstance(raw, msgspec.Raw) for raw in opened(FILE).steps)


def test_only_an_undo_takes_comments_away():
    """A plan of conditions has no business with other people's comments."""
    edits = (AddTags(tags=("a",)), RemoveComments(comments={"c": "x"}))
    with pytest.raises(BadPlan, match=r"steps\[0\].edits\[1\]: only an undo takes comments away"):
        opened(sealed(planned(incident(1), edits=edits)))
