"""
What the API answers a query with: the table, what was cut from it, what was asked besides.

https://learn.microsoft.com/azure/azure-monitor/logs/api/response-format
https://learn.microsoft.com/azure/azure-monitor/logs/api/prefer-options
"""

from __future__ import annotations

from typing import Any

import msgspec

from vedette.service.logs.query import Query
from vedette.service.logs.tables import Rows, spelled

MOST_ROWS = 500_000
MOST_BYTES = 64 * 1024 * 1024
"""
The most that an answer has. The page counts compressed data here (and 100 MB raw); what is
counted here is the rows' JSON.
https://learn.microsoft.com/azure/azure-monitor/service-limits
"""
# E_QUERY_RESULT_SET_TOO_LARGE; the shape is that of Azure/azure-sdk-for-python#25137.
_TOO_LARGE = "-2133196797"


def answer(query: Query, rows: Rows, prefer: str) -> dict[str, Any]:
    """Return the answer's document; what does not fit is left out, and the answer says so."""
    left = query.of(rows)
    most = min(MOST_ROWS, query.limits.get("truncationmaxrecords", MOST_ROWS))
    largest = min(MOST_BYTES, query.limits.get("truncationmaxsize", MOST_BYTES))
    cells = spelled(query.columns, left[:most])
    size, fits = 0, len(cells)
    for turn, row in enumerate(cells):
        size += len(row)
        if size > largest:
            size, fits = size - len(row), turn
            break
    document: dict[str, Any] = {
        "tables": [
            {
                "name": "PrimaryResult",
                "columns": [{"name": one.name, "type": one.type} for one in query.columns],
                "rows": [msgspec.Raw(row) for row in cells[:fits]],
            }
        ]
    }
    wanted = _preferred(prefer)
    if wanted.get("include-statistics") == "true":
        document["statistics"] = _statistics(len(rows), fits, size)
    if wanted.get("include-render") == "true":
        document["render"] = _RENDER
    if fits < len(left):
        limit = f"{most} records" if fits == most else f"{largest} bytes"
        document["error"] = _partial(limit)
    return document


def _preferred(prefer: str) -> dict[str, str]:
    """Return the preferences by name; `wait` needs no obeying where nobody waits."""
    pairs = (part.partition("=") for part in prefer[:1_000].lower().split(","))
    return {name.strip(): value.strip() for name, _, value in pairs}


# What no operator `render` asks for.
_RENDER = {
    "visualization": None,
    "title": None,
    "accumulate": False,
    "isQuerySorted": False,
    "kind": None,
    "annotation": None,
    "by": None,
}


def _statistics(read: int, given: int, size: int) -> dict[str, Any]:
    # The service has no stopwatch: its time stands still while it answers.
    return {
        "query": {
            "executionTime": 0.0,
            "inputDatasetStatistics": {"rows": {"total": read, "scanned": read}},
            "datasetStatistics": [{"tableRowCount": given, "tableSize": size}],
        }
    }


def _partial(limit: str) -> dict[str, Any]:
    message = (
        f"The results of this query exceed the set limit of {limit}, so not all records were"
        " returned (E_QUERY_RESULT_SET_TOO_LARGE, 0x80DA0003). See"
        " https://aka.ms/kustoquerylimits for more information and possible solutions."
    )
    return {
        "code": "PartialError",
        "message": "There were some errors when processing your query.",
        "details": [
            {
                "code": "EngineError",
                "message": "Something went wrong processing your query on the server.",
                "innererror": {
                    "code": _TOO_LARGE,
                    "message": message,
                    "severity": 2,
                    "severityName": "Error",
                },
            }
        ],
    }
