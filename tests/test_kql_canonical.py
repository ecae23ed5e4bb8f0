"""The canonical text: what it looks like, and that it says the same."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings

from conditions import NOW, conditions, incidents
from vedette.errors import BadCondition
from vedette.kql import condition
from vedette.kql.ask import ask
from vedette.kql.parse import LONGEST, parse
from vedette.kql.spelling import spell
from vedette.kql.values import ticks


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("title=='x'", 'Title == "x"'),
        ("['Title'] == 'x'", 'Title == "x"'),
        ("SEVERITY in('High','Medium')", 'Severity in ("High", "Medium")'),
        ("Title <> 'x'", 'Title != "x"'),
        ("((Owned)) and (Owned or Owned)", "Owned and (Owned or Owned)"),
        ("(Owned and Owned) and Owned", "Owned and Owned and Owned"),
        ("Owned or Owned and Owned", "Owned or Owned and Owned"),
        ("(Owned or Owned) and Owned", "(Owned or Owned) and Owned"),
        ("not((Owned))", "not(Owned)"),
        ("Owner['email'] has 'x'", 'Owner.email has "x"'),
        ("Owner.['e mail'] has 'x'", 'Owner["e mail"] has "x"'),
        ("Labels[ - 1 ].labelName == 'x'", 'Labels[-1].labelName == "x"'),
        ("CreatedTime>ago(1.5h)", "CreatedTime > ago(90m)"),
        ("CreatedTime > ago(36hours)", "CreatedTime > ago(36h)"),
        ("CreatedTime > ago(time(1.02:03:04))", "CreatedTime > ago(time(1.02:03:04))"),
        ("CreatedTime > ago(time('0:30'))", "CreatedTime > ago(30m)"),
        ("CreatedTime > ago(time(2))", "CreatedTime > ago(2d)"),
        ("CreatedTime > now(-1d)", "CreatedTime > now(-1d)"),
        ("CreatedTime > date( 2026-11-22 )", "CreatedTime > datetime(2026-11-22)"),
        (
            "CreatedTime > datetime(2026-11-22 09:00+02:00)",
            "CreatedTime > datetime(2026-11-22T07:00:00Z)",
        ),
        ("IncidentNumber == '4711'", "IncidentNumber == 4711"),
        ("IncidentNumber == 0x1F", "IncidentNumber == 31"),
        ("IncidentNumber - (1 - 2) * 3 > -4", "IncidentNumber - (1 - 2) * 3 > -4"),
        ("IncidentNumber == long(null)", "IncidentNumber == int(null)"),
        ("Title in (dynamic(['a', \"b\"]))", 'Title in ("a", "b")'),
        ("Title == dynamic('it\\'s')", 'Title == "it\'s"'),
        (
            "tostring(Tags) == tostring(dynamic( [ 'a' , 2 , {'b': null} ] ))",
            'tostring(Tags) == tostring(dynamic(["a",2,{"b":null}]))',
        ),
        (r"""Title == "a\tb\u00e9\\" """, r'Title == "a\tbé\\"'),
        (r"""Title == @'C:\tools\' """, r'Title == "C:\\tools\\"'),
        ("""Title == @"say ""hi"" " """, r'Title == "say \"hi\" "'),
        (r"""Title == 'it\'s' """, 'Title == "it\'s"'),
        (r'Title == h"\x41\101\U0001F600"', 'Title == "AA\U0001f600"'),
        ('Title == "a\u202eb"', 'Title == "a\\u202eb"'),
        ("(Title has 'x') == Owned", 'Title has "x" == Owned'),
        ("(Title == 'x') == Owned", '(Title == "x") == Owned'),
        (
            "CreatedTime between (ago(7d)..now())",
            "CreatedTime between (ago(7d) .. now())",
        ),
        ("IncidentNumber!between(1..5)", "IncidentNumber !between (1 .. 5)"),
        ("LastModifiedTime-CreatedTime>1h", "LastModifiedTime - CreatedTime > 1h"),
        ("let t = 'x'; let n = 5; Title == t and IncidentNumber > n", 'Title == "x" and IncidentNumber > 5'),
    ],
)  # fmt: skip
def test_a_condition_is_printed_in_one_way(written, canonical):
    assert condition(written, now=NOW).text == canonical
    assert condition(canonical, now=NOW).text == canonical


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(conditions())
def test_the_canonical_text_means_the_same_condition(node):
    assert parse(spell(node)).node == node


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(conditions(), incidents())
def test_asking_gives_one_of_three_truths_and_never_fails(node, incident):
    truth = ask(node, ticks(NOW))(incident)
    assert truth in (True, False, None)
    opposite = ask(parse(f"not({spell(node)})").node, ticks(NOW))(incident)
    assert opposite is (None if truth is None else not truth)


def test_the_same_text_keeps_its_meaning_when_time_goes_by():
    asked = condition("CreatedTime > ago(1d)", now=NOW)
    again = condition(asked.text, now=asked.now)
    assert again.bounds() == asked.bounds()
    assert again.node == asked.node


def test_columns_are_named_once_in_order_of_appearance():
    asked = condition('Title has "x" and (Owned or Title == Tenant) and Labels[0].a == 1', now=NOW)
    assert asked.columns == ("Title", "Owned", "Tenant", "Labels")


def test_a_long_flat_condition_is_no_deep_one():
    asked = condition(" and ".join(["Owned"] * 5000), now=NOW)
    assert len(asked.node.terms) == 5000


def test_a_condition_of_just_the_largest_size_is_taken():
    head, tail = 'Title == "', '"'
    text = head + "x" * (LONGEST - len(head) - len(tail)) + tail
    assert condition(text, now=NOW).text == text
    with pytest.raises(BadCondition, match="65,537 bytes, and 65,536 is the most"):
        condition(text + " ", now=NOW)
