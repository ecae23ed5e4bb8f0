"""From lark's tree to nodes: names found, kinds checked, literals read, all with their places."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from vedette.kql import checks, literals
from vedette.kql.checks import Made
from vedette.kql.columns import COLUMNS, in_condition, near
from vedette.kql.functions import FUNCTIONS, NOT_YET, read_json
from vedette.kql.kinds import reckoned
from vedette.kql.literals import Place, bad
from vedette.kql.values import in_range
from vedette.model.select import (
    And,
    Between,
    Called,
    Chosen,
    Compared,
    Constant,
    Element,
    Kind,
    Member,
    Named,
    Negative,
    Node,
    Not,
    Or,
    Reckoned,
    Searched,
)

if TYPE_CHECKING:
    from lark import Token, Tree

DEEPEST = 100
"""How deep a condition may nest; nobody writes a tenth of it."""

TRUE = Constant("bool", True)
_LATEST = {"TimeGenerated", "LastModifiedTime"}, {"IncidentNumber", "IncidentName"}


class Parsed(Struct, frozen=True):
    """A condition as nodes, and what there is to say about the text it came as."""

    node: Node
    notes: tuple[str, ...]


class Builder:
    """
    Builds one condition. `plane` admits the columns that only this plane's list tells;
    `table` has the names of another table's columns, each with the column that it is.
    """

    def __init__(self, plane: str | None, table: Mapping[str, str] | None = None) -> None:
        self._plane = plane
        self._table = table
        self._lets: dict[str, Made] = {}
        self._notes: list[str] = []

    def parsed(self, tree: Tree[Token]) -> Parsed:
        """Return the whole condition; `| where` after `| where` is `and`."""
        terms: list[Made] = []
        for stage in tree.children:
            if isinstance(stage, str):
                continue  # the table's name, or a leading `where`
            if stage.data == "let":
                self._let(stage)
            elif stage.data == "latest":
                self._latest(stage, after=bool(terms))
            else:
                inner = stage.children[-1] if stage.data == "where" else stage
                made = self._made(inner, 1)
                checks.truth(made, "a condition")
                terms.append(made)
        return Parsed(_joined(And, terms) if terms else TRUE, tuple(self._notes))

    def _let(self, tree: Any) -> None:
        name, expression = tree.children
        if in_condition(name) or name in self._lets:
            raise bad(_place(name), f"{str(name)[:60]!r} already means something")
        self._lets[str(name)] = self._made(expression, 1)

    def _latest(self, tree: Any, *, after: bool) -> None:
        _, newest, key = tree.children
        if str(newest) not in _LATEST[0] or str(key) not in _LATEST[1]:
            raise bad(
                _place(tree.children[0]),
                "list conditions know no summarize",
                "what vedette lists is already the latest of every incident",
            )
        note = "summarize arg_max is not needed: vedette lists the current state"
        if after:
            note += "; what stands before it asked older versions in the log, and asks the current one here"
        self._notes.append(note)

    def _made(self, tree: Any, depth: int) -> Made:
        if depth > DEEPEST:
            raise bad(_first(tree), f"the condition nests more than {DEEPEST} deep")
        made: Callable[[Any, int], Made] = getattr(self, f"_{tree.data}")
        return made(tree.children, depth + 1)

    # -- names and literals

    def _named(self, children: Any, _: int) -> Made:
        return self._column(children[0], str(children[0]))

    def _quoted_name(self, children: Any, _: int) -> Made:
        return self._column(children[0], literals.text(children[0], _place(children[0])))

    def _column(self, token: Token, name: str) -> Made:
        place = _place(token)
        if name in self._lets:
            return self._lets[name]._replace(place=place)
        if self._table is not None:
            return self._tabled(self._table.get(name), name, place)
        column = in_condition(name)
        if column is None:
            if name == "null":
                raise bad(place, "KQL has no bare null", "use isnull(...) or isempty(...)")
            raise bad(place, f"no column is called {name[:60]!r}", near(name))
        checks.readable(column, place, self._plane)
        return Made(Named(column.name), column.type, place)

    def _tabled(self, named: str | None, name: str, place: Place) -> Made:
        if named is None:
            raise bad(place, f"Failed to resolve scalar expression named '{name[:60]}'")
        return Made(Named(named), COLUMNS[named].type, place)

    def _string(self, children: Any, _: int) -> Made:
        place = _place(children[0])
        return _constant(Constant("string", literals.text(children[0], place)), place)

    def _truth(self, children: Any, _: int) -> Made:
        return _constant(Constant("bool", children[0] == "true"), _place(children[0]))

    def _number(self, children: Any, _: int) -> Made:
        return _constant(literals.number(children[0], _place(children[0])), _place(children[0]))

    def _span(self, children: Any, _: int) -> Made:
        return _constant(literals.span(children[0], _place(children[0])), _place(children[0]))

    def _typed(self, children: Any, _: int) -> Made:
        return _constant(literals.typed(children[0], _place(children[0])), _place(children[0]))

    def _dynamic(self, children: Any, _: int) -> Made:
        place = _place(children[0])
        constant = literals.dynamic(children[0], place)
        held = None if constant.value is None else read_json(str(constant.value))
        # one text or number says the same with dynamic() around it or without
        return (
            _constant(constant, place)
            if held is None or isinstance(held, list | dict)
            else (_element_of(held, place))
        )

    # -- parts of bags and arrays

    def _member(self, children: Any, depth: int) -> Made:
        return self._within(self._made(children[0], depth), children[1], str(children[1]))

    def _quoted_member(self, children: Any, depth: int) -> Made:
        name = literals.text(children[1], _place(children[1]))
        return self._within(self._made(children[0], depth), children[1], name)

    def _within(self, of: Made, token: Token, name: str) -> Made:
        if of.kind != "dynamic":
            raise bad(_place(token), f"{name[:60]!r} is asked of a {of.kind}, which has no members")
        return Made(Member(of.node, name), "dynamic", of.place)

    def _element(self, children: Any, depth: int) -> Made:
        return self._at(self._made(children[0], depth), children[1], 1)

    def _last_element(self, children: Any, depth: int) -> Made:
        return self._at(self._made(children[0], depth), children[2], -1)

    def _at(self, of: Made, token: Token, sign: int) -> Made:
        index = literals.number(token, _place(token))
        if of.kind != "dynamic" or not isinstance(index.value, int):
            raise bad(_place(token), "only an array has elements, counted in whole numbers")
        return Made(Element(of.node, sign * index.value), "dynamic", of.place)

    # -- functions

    def _called(self, children: Any, depth: int) -> Made:
        token, place = children[0], _place(children[0])
        arguments = [self._made(one, depth) for one in children[1].children] if children[1:] else []
        name = str(token)
        if name == "not":
            return self._not(arguments, place)
        function = FUNCTIONS.get(name)
        if function is None:
            raise _no_function(name, place)
        least, most = len(function.takes) - function.optional, len(function.takes)
        if not least <= len(arguments) <= most:
            wanted = str(most) if least == most else f"{least} to {most}"
            raise bad(place, f"{name} takes {wanted} arguments, not {len(arguments)}")
        for argument, kinds in zip(arguments, function.takes, strict=False):
            if argument.kind not in kinds:
                raise bad(
                    argument.place,
                    f"{name} takes {' or '.join(sorted(kinds))} here, not {argument.kind}",
                    "a timespan is written 7d, 1.5h or 30m" if kinds == {"timespan"} else None,
                )
        return Made(Called(name, tuple(one.node for one in arguments)), function.gives, place)

    def _not(self, arguments: list[Made], place: Place) -> Made:
        if len(arguments) != 1:
            raise bad(place, f"not takes 1 argument, not {len(arguments)}")
        checks.truth(arguments[0], "what not(...) turns round")
        return Made(Not(arguments[0].node), "bool", place)

    # -- operators

    def _group(self, children: Any, depth: int) -> Made:
        return self._made(children[0], depth)

    def _negative(self, children: Any, depth: int) -> Made:
        of, place = self._made(children[1], depth), _place(children[0])
        if of.kind not in ("int", "real", "timespan"):
            raise bad(place, f"a {of.kind} has no sign")
        if isinstance(of.node, Constant) and of.node.value is not None:
            return _constant(Constant(of.node.kind, -of.node.value), place)  # type: ignore[operator]  # numbers only, by their kind
        return Made(Negative(of.node), of.kind, place)

    def _reckoned(self, children: Any, depth: int) -> Made:
        left, right = self._made(children[0], depth), self._made(children[2], depth)
        operator = children[1]
        kind = reckoned(operator, left.kind, right.kind)
        if kind is None:
            raise bad(
                _place(operator),
                f"{str(operator)!r} has no meaning between {left.kind} and {right.kind}",
                _reckoning(left.kind, right.kind),
            )
        return Made(Reckoned(_symbol(operator), left.node, right.node), kind, left.place)

    def _checked(self, operator: str, one: Made, other: Made, place: Place) -> tuple[Made, Made]:
        # a table may hold words that no list of today says
        return checks.compared(operator, one, other, place, is_worded=self._table is None)

    def _compared(self, children: Any, depth: int) -> Made:
        left, right = self._made(children[0], depth), self._made(children[2], depth)
        operator, place = _symbol(children[1]), _place(children[1])
        left, right = self._checked(operator, left, right, place)
        return Made(Compared(operator, left.node, right.node), "bool", left.place)

    def _searched(self, children: Any, depth: int) -> Made:
        left, right = self._made(children[0], depth), self._made(children[2], depth)
        operator = _symbol(children[1])
        checks.searched(operator, left, right)
        return Made(Searched(operator, left.node, right.node), "bool", left.place)

    def _between(self, children: Any, depth: int) -> Made:
        value, low, high = (self._made(children[n], depth) for n in (0, 2, 3))
        place = _place(children[1])
        value, low = self._checked("between", value, low, place)
        if not (value.kind == "datetime" and high.kind == "timespan"):
            value, high = self._checked("between", value, high, place)
        node = Between(value.node, low.node, high.node, children[1].startswith("!"))
        return Made(node, "bool", value.place)

    def _chosen(self, children: Any, depth: int) -> Made:
        left = self._made(children[0], depth)
        operator, place = _symbol(children[1]), _place(children[1])
        options = [one for tree in children[2].children for one in self._options(tree, depth)]
        if not options:
            raise bad(place, f"{operator!r} needs something in its list")
        if operator.startswith("has_"):
            for option in options:
                checks.searched(operator, left, option)
        else:
            options = [self._checked(operator, left, option, place)[1] for option in options]
        return Made(
            Chosen(operator, left.node, tuple(one.node for one in options)), "bool", left.place
        )

    def _options(self, tree: Any, depth: int) -> list[Made]:
        """Return one member of a list, or every element of a constant array."""
        made = self._made(tree, depth)
        if made.kind != "dynamic":
            return [made]
        if not isinstance(made.node, Constant) or made.node.value is None:
            raise bad(
                made.place,
                "a list holds texts, numbers or one dynamic([...]), no column that is dynamic",
                'to look into an array, write set_has_element(Tags, "x")',
            )
        several = read_json(str(made.node.value))
        return (
            [_element_of(one, made.place) for one in several]
            if isinstance(several, list)
            else [_element_of(several, made.place)]
        )

    def _and_(self, children: Any, depth: int) -> Made:
        return self._join(And, children, depth)

    def _or_(self, children: Any, depth: int) -> Made:
        return self._join(Or, children, depth)

    def _join(self, join: type[And | Or], children: Any, depth: int) -> Made:
        terms = [self._made(child, depth) for child in children]
        word = "and" if join is And else "or"
        for term in terms:
            checks.truth(term, f"each side of {word!r}")
        return Made(_joined(join, terms), "bool", terms[0].place)


def _joined(join: type[And | Or], terms: list[Made]) -> Node:
    flat: list[Node] = []
    for term in terms:
        flat.extend(term.node.terms if isinstance(term.node, join) else (term.node,))
    return flat[0] if len(flat) == 1 else join(tuple(flat))


def _constant(constant: Constant, place: Place) -> Made:
    return Made(constant, constant.kind, place)


_NATURAL: dict[type, Kind] = {bool: "bool", int: "int", float: "real", str: "string"}


def _element_of(held: Any, place: Place) -> Made:
    kind = _NATURAL.get(type(held))
    if kind == "int" and in_range(held) is None:
        raise bad(place, "a number in it is larger than any KQL has")
    if kind is None:
        raise bad(place, "the elements of such a list are texts, numbers or truths")
    return _constant(Constant(kind, held), place)


def _no_function(name: str, place: Place) -> Exception:
    from difflib import get_close_matches  # noqa: PLC0415 -- slow to import, rarely needed

    if name in NOT_YET:
        return bad(place, f"KQL has {name}(), conditions here have it not yet")
    close = get_close_matches(name.lower(), (*FUNCTIONS, "not"), n=1)
    hint = f"did you mean {close[0]}()?" if close else f"there are: not {' '.join(FUNCTIONS)}"
    return bad(place, f"no function is called {name[:60]!r}", hint)


def _reckoning(left: Kind, right: Kind) -> str | None:
    kinds = {left, right}
    if "dynamic" in kinds:
        return "put toint() or todatetime() around the dynamic"
    if kinds & {"datetime"} and kinds & {"int", "real"}:
        return "add a timespan: 7d, 1.5h or 30m"
    return None


_SAME = {"<>": "!="}


def _symbol(token: Any) -> Any:
    """Return the operator as nodes name it; the grammar lets no other through."""
    return _SAME.get(token, str(token))


def _is_token(child: Any) -> bool:
    return isinstance(child, str)


def _place(token: Any) -> Place:
    return Place(token.line, token.column)


def _first(tree: Any) -> Place:
    while not _is_token(tree):
        tree = tree.children[0]
    return _place(tree)
