"""Scripts of faults: what they say, and what is said of one that is wrong."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from served import NOW, Clock, Memory, inhabited
from vedette.errors import Asked
from vedette.service.faults.meet import place, placed
from vedette.service.faults.script import MEANINGS, PRESETS, Rule, read, script

BODY = {"properties": {"title": "changed", "severity": "Low", "status": "New"}}


@pytest.fixture
def here():
    made = Memory(inhabited(), Clock())
    yield made
    made.close()


@pytest.mark.parametrize("name", PRESETS)
def test_a_ready_script_is_right_and_does_something(name, here):
    rules = script(name)
    assert {rule.what for rule in rules} <= {*MEANINGS}
    here.make("one")
    here.connection.execute("BEGIN")
    place(here.connection, rules)
    here.connection.execute("COMMIT")
    here.world._faults.forget()
    for _ in range(60):
        here.arm("GET", "/incidents")
    assert sum(one.struck for one in placed(here.connection)) > 5


def test_a_script_is_read_with_its_seed_and_times(tmp_path):
    path = tmp_path / "faults.toml"
    path.write_text(
        'seed = 5\n[[fault]]\nwhat = "refuse"\nstatus = 429\nretry-after = 1.5\n'
        'since = 2026-11-22T07:00:00\npath = "incidents"\n'
        '[[fault]]\nwhat = "late"\nseconds = [0.1, 0.2]\nseed = 6\n'
    )
    first, second = script(str(path))
    assert (first.seed, first.retry_after, first.since) == (5, 1.5, NOW)
    assert (second.seed, second.seconds) == (6, (0.1, 0.2))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("what", "here: "),
        ("sed = 1", "here: sed: no such key"),
        ('[[fault]]\nwhat = "explode"', "here: fault 1, what: 'explode' is none of refuse, late"),
        ('[[fault]]\nwhat = "deliver"', "here: fault 1, what: 'deliver' is none of refuse, late"),
        ("[[fault]]\nevery = 2", "here: fault 1, what: one of refuse, late"),
        (
            '[[fault]]\nwhat = "drop"\nmethod = "FETCH"',
            "here: fault 1, method: 'FETCH' is none of GET, POST, PUT, PATCH, DELETE",
        ),
        ('[[fault]]\nwhat = "drop"\nmethod = 7', "method: 7 is none of GET, POST"),
        ('[[fault]]\nwhat = "drop"\ndialect = "grap"', "dialect: 'grap' is none of arm, sentinel"),
        ('[[fault]]\nwhat = "astray"\nlink = "there"', "link: 'there' is none of host, scheme"),
        ('[[fault]]\nwhat = "drop"\nsince = "soon"', "(such as 2026-11-22T07:00:00Z)"),
        ('[[fault]]\nwhat = "drop"\nuntil = 2026-11-22', "(such as 2026-11-22T07:00:00Z)"),
        ('[[fault]]\nwhat = "refuse"', "here: fault 1, status: a refusal needs one"),
        ('[[fault]]\nwhat = "refuse"\nstatus = 200', "fault 1, status: 200 refuses nothing"),
        ('[[fault]]\nwhat = "drop"\n[[fault]]\nwhat = "drop"\nevry = 2', "fault 2, evry: no such"),
        ('[[fault]]\nwhat = "drop"\nstatus = 500', "status: does not belong to drop"),
        ('[[fault]]\nwhat = "drop"\nevery = 0', "fault 1, every: Expected `int` >= 1"),
        ('[[fault]]\nwhat = "late"\nseconds = [2, 1]', "seconds: the smaller number comes first"),
        ('[[fault]]\nwhat = "late"\nseconds = -1', "seconds: from 0 to 3,600"),
        ('[[fault]]\nwhat = "late"\nseconds = nan', "seconds: from 0 to 3,600"),
        ('[[fault]]\nwhat = "loop"\nlink = "host"', "link: 'host' is none of itself, back"),
        ('[[fault]]\nwhat = "refuse"\nstatus = 500\nheaders = {"a b" = "1"}', "headers: 'a b'"),
        ('[[fault]]\nwhat = "refuse"\nstatus = 500\nretry-after = "1\\n"', "retry-after: it"),
        ('[[fault]]\nwhat = "drop"\npath = "*********"', "path: more than 8 stars"),
    ],
)
def test_a_script_that_is_wrong_is_told_by_fault_and_key(text, said):
    with pytest.raises(Asked) as caught:
        read(text.encode(), "here")
    assert said in caught.value.message


@pytest.mark.parametrize("method", ["get", "POST", "Put", "PATCH", "delete"])
def test_a_method_may_be_in_any_case(method):
    (rule,) = read(f'[[fault]]\nwhat = "drop"\nmethod = "{method}"'.encode(), "here")
    assert rule.method == method


def test_everything_that_is_wrong_is_told_at_once():
    with pytest.raises(Asked) as caught:
        read(b'[[fault]]\nwhat = "drop"\nevery = 0\ntimes = "x"\n[[fault]]\nwhat = "?"', "here")
    assert len(caught.value.message.splitlines()) == 3


KEYS = sorted(Rule.__struct_encode_fields__)
SAID = (
    st.none()
    | st.booleans()
    | st.integers(-5, 700)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["host", "back", "incidents/**", "arm", "PUT", "a: *b*", "date+x", "*/*"])
    | st.text(max_size=8)
    | st.lists(st.floats(0, 9), max_size=2)
    | st.dictionaries(st.sampled_from(["tag", "status", "x-a", "title"]), st.text(max_size=5))
)


@settings(max_examples=250, deadline=None)
@given(
    st.sampled_from([*MEANINGS]),
    st.dictionaries(st.sampled_from(KEYS), SAID, max_size=4),
    st.integers(100, 700) | st.none(),
)
def test_whatever_is_in_a_script_is_refused_or_met(what, table, status):
    if status is not None:
        table["status"] = status
    try:
        rules = read(json.dumps({"fault": [{**table, "what": what}]}).encode(), "x", as_json=True)
    except Asked as asked:
        if "fault 1, " not in asked.message:
            raise
        return
    here = Memory(inhabited(), Clock())
    here.make("one")
    here.connection.execute("BEGIN")
    place(here.connection, rules)
    here.connection.execute("COMMIT")
    here.world._faults.forget()
    for method, body in (("GET", None), ("PUT", BODY)):
        assert 200 <= here.arm(method, "/incidents/one", body).status < 600
    assert here.arm("GET", "/incidents").status >= 200
    here.close()


def test_a_script_that_is_not_there_is_named():
    with pytest.raises(Asked, match=r"--faults nowhere\.toml"):
        script("nowhere.toml")
