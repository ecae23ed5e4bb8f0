"""Conditions as canonical text: parsed again, it gives the same nodes."""

from __future__ import annotations

import re

from vedette.kql.literals import quoted, spelled
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
    Node,
    Not,
    Or,
    Reckoned,
    Searched,
)

# how tightly each binds, loosest first; KQL's string operators bind tighter than `*`
_OR, _AND, _EQUAL, _ORDER, _SUM, _PRODUCT, _SEARCH, _SIGN, _PART = range(9)
_NAME = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")


def spell(node: Node) -> str:
    """Return the canonical text of a condition."""
    return _spelled(node)[0]


def _spelled(node: Node) -> tuple[str, int]:  # noqa: C901, PLR0912 -- one branch per sort of node
    match node:
        case Constant():
            text = spelled(node)
            return text, _SIGN if text.startswith("-") else _PART
        case Named():
            return node.column, _PART
        case Member():
            name = f".{node.name}" if _NAME.fullmatch(node.name) else f"[{quoted(node.name)}]"
            return f"{_inside(node.of, _PART)}{name}", _PART
        case Element():
            return f"{_inside(node.of, _PART)}[{node.index}]", _PART
        case Called():
            return f"{node.function}({_listed(node.arguments)})", _PART
        case Not():
            return f"not({spell(node.of)})", _PART
        case Negative():
            return f"-{_inside(node.of, _PART)}", _SIGN
        case Reckoned():
            level = _SUM if node.operator in "+-" else _PRODUCT
            left, right = _inside(node.left, level), _inside(node.right, level + 1)
            return f"{left} {node.operator} {right}", level
        case Compared() | Searched():
            return _between(node)
        case Chosen():
            return f"{_inside(node.left, _ORDER)} {node.operator} ({_listed(node.options)})", _EQUAL
        case Between():
            word = "!between" if node.negated else "between"
            low, high = _inside(node.low, _SUM), _inside(node.high, _SUM)
            return f"{_inside(node.value, _ORDER)} {word} ({low} .. {high})", _EQUAL
        case And():
            return " and ".join(_inside(term, _EQUAL) for term in node.terms), _AND
        case Or():
            return " or ".join(_inside(term, _AND) for term in node.terms), _OR


_LEVELS = {"==": _EQUAL, "!=": _EQUAL, "<": _ORDER, "<=": _ORDER, ">": _ORDER, ">=": _ORDER}


def _between(node: Compared | Searched) -> tuple[str, int]:
    level = _LEVELS.get(node.operator, _SEARCH)
    left, right = _inside(node.left, level + 1), _inside(node.right, level + 1)
    return f"{left} {node.operator} {right}", level


def _inside(node: Node, level: int) -> str:
    text, own = _spelled(node)
    return text if own >= level else f"({text})"


def _listed(nodes: tuple[Node, ...]) -> str:
    return ", ".join(spell(node) for node in nodes)
