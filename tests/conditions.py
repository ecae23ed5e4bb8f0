"""Conditions and incidents made up by hypothesis, for laws about `kql`."""

from __future__ import annotations

from datetime import UTC, datetime

from hypothesis import strategies as st

from vedette.kql import values
from vedette.model import Incident, Moment, Owner
from vedette.model.select import (
    And,
    Between,
    Called,
    Chosen,
    Compared,
    Constant,
    Element,
    Member,
    Named,
    Negative,
    Not,
    Or,
    Reckoned,
    Searched,
)

NOW = datetime(2026, 11, 23, 7, 0, 0, 500, tzinfo=UTC)
NOW_TICKS = values.ticks(NOW)

SEVERITIES = ["High", "Medium", "Low", "Informational"]
STATUSES = ["New", "Active", "Closed"]
SEARCHES = [
    f"{no}{word}{case}"
    for no in ("", "!")
    for word in ("has", "contains", "startswith", "endswith")
    for case in ("", "_cs")
]

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
spans = st.integers(-values.LARGEST, values.LARGEST) | st.integers(-100, 100).map(
    lambda n: n * values.SECOND * 1800
)
moments = st.integers(0, values.LAST) | st.integers(-40, 40).map(
    lambda n: NOW_TICKS + n * values.SECOND * 600
)


def constants(kind, held):
    return st.builds(Constant, st.just(kind), held | st.none())


def named(*columns):
    return st.sampled_from([Named(column) for column in columns])


text_constants = st.builds(Constant, st.just("string"), texts)
int_constants = constants("int", st.integers(-values.LARGEST, values.LARGEST))
real_constants = constants("real", st.floats(allow_nan=False, allow_infinity=False))
span_constants = constants("timespan", spans)
time_constants = constants("datetime", moments)
lists = st.builds(
    Constant, st.just("dynamic"), st.lists(texts | st.integers(0, 9), max_size=3).map(values.json)
)


def dynamics():
    bags = named("Owner", "Labels", "AdditionalData", "Tags", "AutoTags", "Products") | lists
    names = st.sampled_from(["email", "userPrincipalName", "labelName", "alertsCount"]) | texts
    return st.recursive(
        bags,
        lambda inner: (
            st.builds(Member, inner, names) | st.builds(Element, inner, st.integers(-3, 3))
        ),
        max_leaves=4,
    )


def called(function, *arguments):
    return st.builds(lambda *made: Called(function, made), *arguments)


def strings():
    columns = named("Title", "Description", "Workspace", "Tenant", "Twin", "ProviderName")
    return columns | text_constants | called("tolower", columns) | called("tostring", dynamics())


def spread(of, *operators):
    """Sums and such of one kind, with operators that keep the kind."""
    return st.recursive(
        of,
        lambda inner: (
            st.builds(Reckoned, st.sampled_from(operators), inner, inner)
            | st.builds(Negative, inner.filter(lambda node: not _folds(node)))
        ),
        max_leaves=3,
    )


def _folds(node):
    """The parser turns the sign of a constant itself."""
    return isinstance(node, Constant) and node.value is not None


def ints():
    columns = named("IncidentNumber", "AlertsCount", "CommentsCount")
    counted = called("array_length", dynamics()) | called("strlen", strings())
    return spread(columns | int_constants | counted, "+", "-", "*", "/", "%")


def numbers():
    return ints() | spread(real_constants, "+", "-", "*", "/", "%")


def times():
    columns = named("CreatedTime", "LastModifiedTime", "FirstActivityTime")
    clocks = st.just(Called("now", ())) | called("ago", span_constants)
    plain = columns | time_constants | clocks
    return plain | st.builds(Reckoned, st.sampled_from("+-"), plain, span_constants)


def durations():
    return span_constants | st.builds(Reckoned, st.just("-"), times(), times())


def compared(operators, left, right):
    return st.builds(Compared, st.sampled_from(operators), left, right)


def worded():
    """Status and severity, with words they say."""
    made = []
    for column, known in (("Severity", SEVERITIES), ("Status", STATUSES)):
        word = st.sampled_from([Constant("string", one) for one in known])
        several = st.lists(word, min_size=1, max_size=3).map(tuple)
        name = st.just(Named(column))
        made += [
            compared(["==", "!=", "=~", "!~"], name, word),
            compared(["==", "!="], word, name),
            st.builds(Chosen, st.sampled_from(["in", "!in", "in~", "!in~"]), name, several),
        ]
    return st.one_of(made)


def timed():
    columns = named("CreatedTime", "LastModifiedTime")
    orders = ["<", "<=", ">", ">=", "==", "!="]
    return (
        compared(orders, columns, times())
        | compared(orders, times(), columns)
        | st.builds(Between, columns, times(), times() | span_constants, st.booleans())
    )


def numbered():
    column = st.just(Named("IncidentNumber"))
    near = st.builds(Constant, st.just("int"), st.integers(0, 4))
    orders = ["<", "<=", ">", ">=", "==", "!="]
    return (
        compared(orders, column, near | numbers())
        | compared(orders, near, column)
        | st.builds(Between, column, near, near, st.booleans())
        | st.builds(
            Chosen,
            st.sampled_from(["in", "!in"]),
            column,
            st.lists(near, min_size=1, max_size=3).map(tuple),
        )
    )


def asked():
    texty = strings()
    several = st.lists(texty, min_size=1, max_size=3).map(tuple)
    choices = ["in", "!in", "in~", "!in~", "has_any", "has_all"]
    plain = st.sampled_from(["", "x", "linda@contoso.example"])
    text = st.builds(Constant, st.just("string"), plain)
    return (
        st.just(Named("Owned"))
        | constants("bool", st.booleans())
        | compared(["==", "!=", "=~", "!~"], texty, texty)
        | compared(["==", "!=", "=~", "!~"], dynamics(), text)
        | compared(["<", "<=", ">", ">=", "==", "!="], numbers(), numbers())
        | compared(["<", "<=", ">", ">=", "==", "!="], durations(), durations())
        | st.builds(Searched, st.sampled_from(SEARCHES), texty | dynamics(), texty)
        | st.builds(Chosen, st.sampled_from(choices), texty, several)
        | called("set_has_element", dynamics(), text)
        | called("isempty", dynamics() | texty)
        | called("isnotnull", times() | numbers())
    )


def joined(terms):
    """A conjunction or disjunction, flat as the parser makes it."""

    def made(join, several):
        flat = [
            part for one in several for part in (one.terms if isinstance(one, join) else (one,))
        ]
        return join(tuple(flat))

    return st.builds(made, st.sampled_from([And, Or]), st.lists(terms, min_size=2, max_size=3))


def conditions():
    atoms = worded() | timed() | numbered() | asked()
    return st.recursive(
        atoms,
        lambda inner: (
            joined(inner)
            | st.builds(Not, inner)
            | compared(["==", "!="], inner, constants("bool", st.booleans()))
        ),
        max_leaves=6,
    )


def spelled_times():
    near = st.integers(-40, 40).map(lambda n: NOW_TICKS + n * values.SECOND * 600)
    odd = st.integers(-20_000_000, 20_000_000).map(lambda n: NOW_TICKS + n)
    return (near | odd).map(lambda at: Moment(values.rfc3339(at)))


def incidents():
    word = texts | st.sampled_from(["x", "acme", "Brute force"])
    owner = st.builds(
        Owner, upn=st.none() | st.just("linda@contoso.example"), email=st.none() | word
    )
    odd = st.sampled_from(["new", "Unknown", ""])
    return st.builds(
        Incident,
        key=st.just("acme#1"),
        id=st.just("1"),
        number=st.none() | st.integers(0, 5),
        plane=st.sampled_from(["sentinel", "defender"]),
        title=word,
        description=st.none() | word,
        severity=st.sampled_from(SEVERITIES) | odd,
        status=st.sampled_from(STATUSES) | odd,
        workspace=st.none() | word,
        tags=st.lists(word, max_size=2).map(tuple),
        owner=st.none() | owner,
        created=st.none() | spelled_times() | st.just(Moment("junk")),
        modified=st.none() | spelled_times(),
        alerts=st.none() | st.integers(0, 3),
        products=st.none() | st.just(("MDE",)),
    )
