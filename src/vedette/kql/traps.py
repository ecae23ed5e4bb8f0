"""Conditions that KQL accepts and that do not mean what they seem to: said as warnings."""

from __future__ import annotations

from collections.abc import Iterator

from vedette.kql.kinds import kind_of
from vedette.kql.reads import ARRAYS, MEMBERS
from vedette.kql.spelling import spell
from vedette.model.select import (
    Called,
    Chosen,
    Compared,
    Constant,
    Element,
    Member,
    Named,
    Node,
    Searched,
    parts,
)

_TAGGED = ("Labels", "Tags", "AutoTags")
_LISTS = {"Labels": "Tags", "Tags": "Tags", "AutoTags": "AutoTags"}
"""Where the single tags are that a text of these columns holds."""
_LABEL = ("labelName", "labelType")
_EMPTINESS = ("isempty", "isnotempty", "isnull", "isnotnull")


def warnings(node: Node) -> tuple[str, ...]:
    """Return a sentence for every trap in a condition, each once."""
    return tuple(dict.fromkeys(_walk(node)))


def _walk(node: Node) -> Iterator[str]:
    match node:
        case Member():
            yield from _member(node)
        case Compared():
            yield from _compared(node, node.left, node.right)
            yield from _compared(node, node.right, node.left)
        case Chosen(operator="in" | "!in" | "in~" | "!in~"):
            for option in node.options:
                yield from _compared(node, node.left, option)
        case Searched() | Chosen():
            yield from _searched(node)
        case Called():
            yield from _called(node)
        case _:
            pass
    for part in parts(node):
        yield from _walk(part)


def _compared(whole: Node, asked: Node, answer: Node) -> Iterator[str]:
    if not isinstance(answer, Constant):
        return
    negated = getattr(whole, "operator", "").startswith("!")
    if _owned(asked) and answer.value == "":
        always = "true even where it is unset" if negated else "never true"
        yield (
            f"{spell(whole)} is {always}: an owner that is not set is null, not an empty text; "
            "for incidents nobody owns, write not(Owned)"
        )
    elif isinstance(asked, Named) and asked.column in _TAGGED:
        yield (
            f"{spell(whole)} compares the whole list as JSON text; for one tag, write "
            'set_has_element(Tags, "…")'
        )
    elif asked == Named("Owner"):
        yield (
            f"{spell(whole)} compares the whole owner as JSON text; name a member, such as "
            "Owner.userPrincipalName"
        )


def _owned(node: Node) -> bool:
    return node == Named("Owner") or (isinstance(node, Member) and node.of == Named("Owner"))


def _searched(node: Searched | Chosen) -> Iterator[str]:
    column = _array(node.left)
    if column is None or column not in _TAGGED:
        return
    sought = (node.right,) if isinstance(node, Searched) else node.options
    texts = [str(one.value) for one in sought if isinstance(one, Constant)]
    # the one exact idiom that KQL has
    if len(texts) == len(sought) and all(text.startswith('"labelName":"') for text in texts):
        return
    also = ' (and "User" is in every one)' if column == "Labels" else ""
    word = next(filter(None, texts), "fp")
    one, longer = _quoted(word), _quoted(f"{word}-candidate")
    meant = one if len(sought) == len(texts) == 1 else '"…"'
    yield (
        f"{spell(node)} searches the JSON text: {one} is also found in {longer}{also}; "
        f"for one tag, write set_has_element({_LISTS[column]}, {meant})"
    )


def _quoted(text: str) -> str:
    return spell(Constant(kind="string", value=text))


def _array(node: Node) -> str | None:
    """Return the column behind a search, `tostring` around it or not."""
    if isinstance(node, Called) and node.function in ("tostring", "tolower", "toupper"):
        return _array(node.arguments[0])
    return node.column if isinstance(node, Named) else None


def _member(node: Member) -> Iterator[str]:
    of = node.of
    if isinstance(of, Named) and of.column in ARRAYS:
        yield (
            f"{spell(node)} is always null: {of.column} is an array, whose elements have "
            'members; for a tag, write set_has_element(Tags, "…")'
        )
    elif isinstance(of, Named) and node.name not in MEMBERS[of.column]:
        known = ", ".join(MEMBERS[of.column])
        yield f"{spell(node)} is always null here; {of.column} has {known}"
    elif isinstance(of, Element) and of.of == Named("Labels") and node.name not in _LABEL:
        yield f"{spell(node)} is always null; an element of Labels has labelName, labelType"


def _called(node: Called) -> Iterator[str]:
    first = node.arguments[0] if node.arguments else None
    if node.function in _EMPTINESS and isinstance(first, Named):
        if first.column == "Owner":
            always = "true" if "not" in node.function else "false"
            yield (
                f"{spell(node)} is always {always}: the owner is a bag even when nobody is in it; "
                "for incidents nobody owns, write not(Owned)"
            )
        elif first.column in ARRAYS:
            yield (
                f"{spell(node)} says nothing about an empty list; write "
                f"array_length({first.column}) == 0"
            )
    if (
        node.function in ("isnull", "isnotnull")
        and first is not None
        and kind_of(first) == "string"
    ):
        yield f"{spell(node)} never says anything: texts are never null in KQL; write isempty(…)"
    if node.function == "set_has_element" and first == Named("Labels"):
        yield (
            f"{spell(node)} is never true: the elements of Labels are bags; write "
            'set_has_element(Tags, "…")'
        )
