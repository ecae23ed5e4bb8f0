"""
What the API says of a query that it does not answer. The shapes of both kinds are recorded:
a syntax error in the tests of @azure/monitor-query 1.0 (whose `pos` counts from 0), a
semantic one in MicrosoftDocs/feedback#1792.
"""

from __future__ import annotations

from vedette.wire.problems import Fault

UNRESOLVED = "SEM0100"
NOT_HERE = "SEM0000"
"""
The code of what KQL knows and this service does not answer, or refuses for reasons whose
number nobody published. Kusto has no such number.
"""
_LONGEST = 100


def bad_argument(code: str, message: str, **more: object) -> Fault:
    """Return the refusal of a request that says something impossible."""
    inner = {"code": code, "message": message, **more}
    return Fault(400, "BadArgumentError", "The request had some invalid properties", inner=inner)


def syntax(text: str, at: int, token: str) -> Fault:
    """Return the refusal of a query that makes no sense from this offset on."""
    line, position, token = *place(text, at), token[:_LONGEST]
    return bad_argument(
        "SyntaxError",
        "A recognition error occurred in the query.",
        innererror={
            "code": "SYN0002",
            "message": f"Query could not be parsed at '{token}' on line [{line},{position}]",
            "line": line,
            "pos": position,
            "token": token,
        },
    )


def semantic(text: str, at: int, token: str, message: str, code: str = NOT_HERE) -> Fault:
    """Return the refusal of a query that is spelled well and means nothing here."""
    line, position = place(text, at)
    return bad_argument(
        "SemanticError",
        "A semantic error occurred.",
        innererror={
            "code": code,
            "message": message,
            "line": line,
            "pos": position,
            "token": token[:_LONGEST],
        },
    )


def place(text: str, at: int) -> tuple[int, int]:
    """Return the line, counted from 1, and the position in it, counted from 0."""
    return text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1)


def offset(text: str, line: int, column: int) -> int:
    """Return the offset of a line and a column that count from 1."""
    at = 0
    for _ in range(line - 1):
        at = text.find("\n", at) + 1
    return min(at + column - 1, len(text))
