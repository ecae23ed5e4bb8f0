"""What is refused, where exactly, and with which way out."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conditions import conditions
from vedette.errors import Asked, BadCondition
from vedette.kql import condition
from vedette.kql.spelling import spell

NOW = datetime(2026, 11, 23, 7, tzinfo=UTC)


def refused(text, **more):
    with pytest.raises(BadCondition) as caught:
        condition(text, now=NOW, **more)
    return caught.value


CASES = [
    # names
    ('Titel == "a"', 1, 1, "no column is called 'Titel'", "did you mean Title?"),
    ("created > ago(1d)", 1, 1, "no column is called 'created'", "did you mean CreatedTime?"),
    ('Owned and\n  Xyzzy == "a"', 2, 3, "no column is called 'Xyzzy'", "`vedette columns` lists them"),
    ("foo(Title)", 1, 1, "no function is called 'foo'", "there are: not ago now"),
    ("isemty(Title)", 1, 1, "no function is called 'isemty'", "did you mean isempty()?"),
    ("startofday(CreatedTime) > now()", 1, 1, "KQL has startofday(), conditions here have it not yet", None),
    ("strlen(Title, Title) > 1", 1, 1, "strlen takes 1 arguments, not 2", None),
    ("now(1d, 1d) > CreatedTime", 1, 1, "now takes 0 to 1 arguments, not 2", None),
    ("not(Owned, Owned)", 1, 1, "not takes 1 argument, not 2", None),
    ("null == 5", 1, 1, "KQL has no bare null", "use isnull(...) or isempty(...)"),
    # columns no list tells
    ("TimeGenerated > ago(1d)", 1, 1, "TimeGenerated is only in the log table; no list of incidents tells it", "use CreatedTime or LastModifiedTime"),
    ("Owned and ClosedTime > ago(1d)", 1, 11, "ClosedTime is only in the log table; no list of incidents tells it", 'use LastModifiedTime with Status == "Closed"'),
    ("FirstModifiedTime > ago(1d)", 1, 1, "FirstModifiedTime is only in the log table; no list of incidents tells it", "use CreatedTime or LastModifiedTime"),
    ('ModifiedBy has "x"', 1, 1, "ModifiedBy is only in the log table; no list of incidents tells it", "only Defender's list tells who changed it"),
    ('AlertIds has "x"', 1, 1, "AlertIds needs a read per incident, which list conditions do not do yet", "use AdditionalData.alertsCount"),
    ('set_has_element(AnalyticRules, "x")', 1, 17, "AnalyticRules needs a read per incident, which list conditions do not do yet", "use RelatedAnalyticRuleIds with the rule's GUID"),
    ('EntityIPs has "x"', 1, 1, "EntityIPs needs a read per incident, which list conditions do not do yet", "look with `vedette show`"),
    # words
    ('Severity == "high"', 1, 13, 'Severity is never "high"', "did you mean 'High'?"),
    ('Severity =~ "hihg"', 1, 13, 'Severity is never "hihg"', "did you mean 'High'?"),
    ('Status in ("New", "closed")', 1, 19, 'Status is never "closed"', "did you mean 'Closed'?"),
    ('"new" == Status', 1, 1, 'Status is never "new"', "did you mean 'New'?"),
    ('Status == "Open"', 1, 11, 'Status is never "Open"', "it is one of: Draft, New, Active, Closed"),
    ('Status == ""', 1, 11, 'Status is never ""', "it is one of: Draft, New, Active, Closed"),
    ('Classification == "falsepositive"', 1, 19, 'Classification is never "falsepositive"', "did you mean 'FalsePositive'?"),
    ('ClassificationReason == "InnacurateData"', 1, 25, 'ClassificationReason is never "InnacurateData"', "did you mean 'InaccurateData'?"),
    ('Plane == "both"', 1, 10, 'Plane is never "both"', "an incident on both planes has a twin: isnotempty(Twin)"),
    # kinds
    ('Severity > "Low"', 1, 10, "Severity has no order in KQL", 'name the values: Severity in ("High", "Medium")'),
    ('Title > "a"', 1, 7, "texts have no order in KQL, so '>' cannot compare them", None),
    ("Title > 3", 1, 7, "'>' cannot compare string with int", "put quotes around the number, or toint() around the text"),
    ('IncidentNumber > "4"', 1, 16, "'>' cannot compare int with string", "write the number without quotes"),
    ('IncidentNumber == "x4"', 1, 16, "'==' cannot compare int with string", "write the number without quotes"),
    ("CreatedTime > 5", 1, 13, "'>' cannot compare datetime with int", "a time is written datetime(2026-11-22), or ago(7d)"),
    ('CreatedTime > "2026-11-22"', 1, 13, "'>' cannot compare datetime with string", "a time is written datetime(2026-11-22), or ago(7d)"),
    ("CreatedTime > 7d", 1, 13, "'>' cannot compare datetime with timespan", "a time is written datetime(2026-11-22), or ago(7d)"),
    ("LastModifiedTime - CreatedTime > 60", 1, 32, "'>' cannot compare timespan with int", "a timespan is written 7d, 1.5h or 30m"),
    ("CreatedTime > ago(7)", 1, 19, "ago takes timespan here, not int", "a timespan is written 7d, 1.5h or 30m"),
    ("CreatedTime + 1 > now()", 1, 13, "'+' has no meaning between datetime and int", "add a timespan: 7d, 1.5h or 30m"),
    ("AdditionalData.alertsCount + 1 > 3", 1, 28, "'+' has no meaning between dynamic and int", "put toint() or todatetime() around the dynamic"),
    ("CreatedTime between (1 .. 2)", 1, 13, "'between' cannot compare datetime with int", "a time is written datetime(2026-11-22), or ago(7d)"),
    ("CreatedTime == Title", 1, 13, "'==' cannot compare datetime with string", "a time is written"),
    ("now() % 2 == 1", 1, 7, "'%' has no meaning between datetime and int", "add a timespan"),
    ("1h % 2 == 1", 1, 4, "'%' has no meaning between timespan and int", None),
    ("Title + 'a' == 'b'", 1, 7, "'+' has no meaning between string and string", None),
    ("Title == 5", 1, 7, "'==' cannot compare string with int", "put quotes around the number"),
    ("dynamic([1]) == dynamic([1])", 1, 14, "KQL compares no dynamic with another", None),
    ("Owned == 1", 1, 7, "'==' cannot compare bool with int", "write it alone, or in not(...), or compare it with true"),
    ("IncidentNumber =~ 'x'", 1, 16, "'=~' cannot compare int with string", "it is for texts; use == or in"),
    ("Owner.email == Owner.name", 1, 13, "KQL compares no dynamic with another", "put tostring() around one of them"),
    ("Owner.email > 'a'", 1, 13, "'>' cannot compare dynamic with string", "put tostring() around the dynamic"),
    ("AdditionalData.x == ago(1d)", 1, 18, "'==' cannot compare dynamic with datetime", "put todatetime() around the dynamic"),
    ('IncidentNumber has "4"', 1, 1, "'has' searches in text, and this is int", "put tostring() around it"),
    ("Title has_any ('a', 4)", 1, 21, "'has_any' searches for text, and this is int", "put quotes around it"),
    ("array_length(Title) > 1", 1, 14, "array_length takes dynamic here, not string", None),
    ("Title", 1, 1, "a condition must be true or false, and this is string", "compare it with something"),
    ("Owned and Owner.email", 1, 11, "each side of 'and' must be true or false, and this is dynamic", "compare it with something, or put tobool() around it"),
    ("not(Title)", 1, 5, "what not(...) turns round must be true or false, and this is string", "compare it with something"),
    ("-Title == 'a'", 1, 1, "a string has no sign", None),
    ("Title.x == 'a'", 1, 7, "'x' is asked of a string, which has no members", None),
    ("Title[0] == 'a'", 1, 7, "only an array has elements, counted in whole numbers", None),
    ("Labels[0.5].a == 'a'", 1, 8, "only an array has elements, counted in whole numbers", None),
    ('"x" in (Tags)', 1, 9, "a list holds texts, numbers or one dynamic([...]), no column that is dynamic", 'to look into an array, write set_has_element(Tags, "x")'),
    ("Title in (dynamic([[1]]))", 1, 11, "the elements of such a list are texts, numbers or truths", None),
    ("Title in (dynamic([]))", 1, 7, "'in' needs something in its list", None),
    # literals
    ("Title == 'C:\\temp\\x'", 1, 18, "'\\\\x' is no escape", 'write \\\\ for a backslash, or put @ before the text: @"C:\\temp"'),
    ("Title == 'a\\ud800'", 1, 12, "'\\\\ud800' is no escape", "write \\\\ for a backslash"),
    ("CreatedTime > datetime(2026-13-01)", 1, 15, "'2026-13-01' is no datetime", "write datetime(2026-11-22) or datetime(2026-11-22T07:00:00Z)"),
    ("CreatedTime > datetime(11/22/2026)", 1, 15, "'11/22/2026' is no datetime", "write datetime(2026-11-22) or datetime(2026-11-22T07:00:00Z)"),
    ("CreatedTime > ago(time(25:00))", 1, 19, "'25:00' is no timespan", "write 7d, 1.5h, 30m or time(1.02:03:04)"),
    ("CreatedTime > ago(99999999999d)", 1, 19, "99999999999d is longer than any timespan KQL has", None),
    ("IncidentNumber == 9223372036854775808", 1, 19, "9223372036854775808 is larger than any number KQL has", None),
    ("IncidentNumber == 1e999", 1, 19, "1e999 is larger than any number KQL has", None),
    ("IncidentNumber == int(x)", 1, 19, "'x' is no int", "write a whole number"),
    ("Title in (dynamic([1,))", 1, 11, "'[1,' is no JSON", 'write dynamic(["one", "two"])'),
    ("IncidentNumber in (dynamic([9223372036854775808]))", 1, 20, "a number in it is larger than any KQL has", None),
    # grammar
    ("", 1, 1, "there is no condition", "for every incident, write true"),
    (" \n;", 1, 1, "there is no condition", "for every incident, write true"),
    ("// all of them", 1, 1, "there is no condition", "for every incident, write true"),
    ("Title ==", 1, 9, "the condition ends too early", None),
    ("Owned and\n\n", 1, 10, "the condition ends too early", None),
    ("(Owned", 1, 7, "the condition ends too early", "a ( is never closed"),
    ("Owned)", 1, 6, "')' is not expected here", "there is a ) too many"),
    ('Title == "abc', 1, 10, "this text has no closing quote", None),
    ("Title == 'a\nb'", 1, 10, "this text has no closing quote", None),
    ("Title has 'it's'", 1, 15, "'s' is not expected here", "a quote inside is written"),
    ("Title == \u201ca\u201d", 1, 10, "'\u201c' is not expected here", 'a typographic quote; KQL wants "…"'),
    ("Title = 'a'", 1, 7, "'=' is not expected here", "KQL compares with =="),
    ("Title == 'a' == true", 1, 14, "'==' is not expected here", "put parentheses around one of two comparisons in a row"),
    ("Owned && Owned", 1, 7, "'&&' is not expected here", "KQL writes and"),
    ("Owned || Owned", 1, 8, "'||' is not expected here", "KQL writes or"),
    ("Owned AND Owned", 1, 7, "'AND' is not expected here", "KQL writes it small: and"),
    ("!Owned", 1, 1, "'!' is not expected here", "KQL writes not(...)"),
    ("not Owned", 1, 5, "not is a function in KQL", "write not(...)"),
    ("Owned Owned", 1, 7, "'Owned' is not expected here", "join two conditions with and, or with or"),
    ("Title like 'a'", 1, 7, "conditions here have no 'like' yet", "use contains, has or startswith"),
    ("Title matches regex 'a'", 1, 7, "conditions here have no 'matches' yet", "use has, contains or startswith"),
    ("Title !has_any ('a')", 1, 7, "KQL has no '!has_any'", "write not(… has_any (…))"),
    ("Title is null", 1, 7, "'is' is not expected here", "KQL asks isempty(...) or isnull(...)"),
    ("Title in 'a'", 1, 10, "\"'\" is not expected here", "write in (…)"),
    ("Title in ('a',)", 1, 15, "something is missing before this )", None),
    ("CreatedTime > ago(1w)", 1, 20, "'w' is no unit of time", "the units are d h m s ms"),
    ("CreatedTime > ago(1d 2h)", 1, 22, "'2h' is not expected here", "add timespans with +"),
    ("Owner[email] == 'a'", 1, 7, "'email' is not expected here", 'quote it: ["name"]'),
    ("Owner. == 'a'", 1, 8, "'==' is not expected here", None),
    ("Owned # x", 1, 7, "'#' is not expected here", "a comment is // to the end of the line"),
    ("Owned and /* x */ Owned", 1, 11, "'/*' is not expected here", "a comment is // to the end of the line"),
    ("Owned @", 1, 7, "'@' is not expected here", None),
    # what people paste
    ("SecurityIncident where Owned", 1, 18, "'where' is not expected here", "a | is missing before where"),
    ("SecurityIncident\n| where Owned\n| project Title", 3, 3, "'project' is no part of a condition", "choose columns with --columns"),
    ("SecurityIncident | sort by Title", 1, 20, "'sort' is no part of a condition", "sort with --sort"),
    ("SecurityIncident | take 5", 1, 20, "'take' is no part of a condition", "limit with --top"),
    ("SecurityIncident | count", 1, 20, "'count' is no part of a condition", "count with --count"),
    ("SecurityIncident | mv-expand Labels", 1, 20, "'mv-expand' is no part of a condition", "only | where … is taken"),
    ("SecurityIncident | extend a = 1", 1, 20, "'extend' is no part of a condition", "only | where … is taken"),
    ("SecurityIncident | summarize count() by Title", 1, 20, "'summarize' is no part of a condition", "count with --count --by"),
    ("SecurityIncident | summarize arg_max(CreatedTime, *) by Title", 1, 20, "list conditions know no summarize", "what vedette lists is already the latest"),
    ("SecurityIncident | frobnicate", 1, 20, "'frobnicate' is no operator that conditions take", "only | where … is taken"),
    ("SecurityAlert | where Owned", 1, 1, "no column is called 'SecurityAlert'", None),
    ("let Title = 5; Owned", 1, 5, "'Title' already means something", None),
]  # fmt: skip


@pytest.mark.parametrize(("text", "line", "column", "message", "hint"), CASES)
def test_a_mistake_is_named_where_it_is(text, line, column, message, hint):
    error = refused(text)
    assert (error.line, error.column) == (line, column)
    assert error.message == f"line {line}, column {column}: {message}"
    if hint is not None:
        assert error.hint is not None
        assert error.hint.startswith(hint)


def test_a_list_that_is_not_closed_is_no_surprise():
    assert refused("Title in ('a'").hint == "a ( is never closed"


def test_a_bad_condition_is_somebodys_question_not_our_bug():
    assert isinstance(refused("x"), Asked)
    assert refused("x").exit_code == 2


@pytest.mark.parametrize(
    "text",
    [
        "(" * 2000 + "Owned" + ")" * 2000,
        "not(" * 2000 + "Owned" + ")" * 2000,
        "1" + " + 1" * 2000 + " > 0",
        "-(" * 2000 + "1" + ")" * 2000 + " > 0",
        "Owner" + ".a" * 2000 + " == 1",
        "Owner" + "[0]" * 2000 + " == 1",
    ],
)
def test_what_nests_too_deep_is_refused_and_not_crashed_on(text):
    assert "nests more than 100 deep" in refused(text).message


def test_json_that_nests_too_deep_is_refused_and_not_crashed_on():
    text = "isempty(dynamic(" + "[" * 20_000 + "]" * 20_000 + "))"
    assert "is no JSON" in refused(text).message


def test_what_nests_deep_but_sanely_is_taken_and_asked():
    text = "not(" * 98 + "Owned" + ")" * 98
    assert condition(text, now=NOW).text == text


def test_half_a_character_is_refused():
    error = refused('Title == "a\ud800"')
    assert (error.line, error.column) == (1, 12)


def test_a_message_never_repeats_a_long_text():
    assert len(refused("X" * 5000 + " == 1").message) < 120
    assert len(refused('Severity == "' + "x" * 5000 + '"').message) < 120
    assert len(refused("Owned " + "y" * 5000).message) < 120


def test_the_defender_plane_tells_who_changed_an_incident():
    asked = condition('ModifiedBy has "linda"', now=NOW, plane="defender")
    assert asked.columns == ("ModifiedBy",)
    refused('ModifiedBy has "linda"', plane="sentinel")
    refused("ClosedTime > ago(1d)", plane="defender")


PIECES = st.sampled_from(
    ["Title", "Owner", ".", "email", "==", "!", "has", "in", "(", ")", "[", "]", '"a"', "'", "0",
     "1d", "and", "or", "not", "|", "where", "ago", "datetime(", "..", "-", ",", "\n", "//", "\\",
     "dynamic([", "let", "=", ";", "summarize", "arg_max", "*", "by", "SecurityIncident", "é", "@"]
)  # fmt: skip


def place(text):
    """Where the text is refused; the beginning, when it is a condition after all."""
    try:
        condition(text, now=NOW)
    except BadCondition as error:
        return error.line, error.column
    return 1, 1


@settings(max_examples=500, deadline=None)
@given(st.lists(PIECES, max_size=12).map(" ".join) | st.text(max_size=30))
def test_any_text_is_a_condition_or_is_refused_at_a_place_within_it(text):
    line, column = place(text)
    assert 1 <= line <= text.count("\n") + 1
    assert 1 <= column <= len(text) + 1


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(conditions(), st.data())
def test_a_condition_cut_anywhere_is_a_condition_or_refused(node, data):
    text = spell(node)
    cut = text[: data.draw(st.integers(0, len(text)))]
    assert place(cut) <= (1, len(cut) + 1)


def test_the_grammar_is_not_loaded_before_there_is_a_condition():
    program = (
        "import sys, vedette.kql; assert 'lark' not in sys.modules;"
        "from datetime import datetime;"
        "vedette.kql.condition('Owned', now=datetime(2026, 11, 23)); assert 'lark' in sys.modules"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, check=False)
    assert ran.returncode == 0, ran.stderr
