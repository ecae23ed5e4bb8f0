"""
Every route, with everything that may be wrong with a call: it is answered, or refused in words
of its face, and what was refused changed nothing.
"""

from __future__ import annotations

import pytest

from hostility import (
    BODIES,
    HEADERS,
    METHODS,
    NAMES,
    QUERIES,
    ROUTES,
    WRITES,
    is_told,
    keyed,
    target,
    town,
)
from vedette.service.routes import answers


def _check(method, route, where, body=None, headers=()):
    reply = town().ask(method, where, body, (*keyed(route), *headers))
    seen = (method, route, where[:300], (body or b"")[:200], headers, reply.status)
    assert 200 <= reply.status < 500, (seen, reply.body[:500])
    if reply.status >= 400:
        assert is_told(reply), (seen, reply.body[:500])
    for name, value in reply.headers.items():
        assert not {*"\r\n\0"} & {*name, *value}, (seen, name, value)
    return reply


def test_every_route_answers_a_plain_call():
    """The names in the paths are real: what is spoilt below is spoilt behind the door."""
    for method, route in ROUTES:
        if method == "GET":
            reply = _check(method, route, target(route))
            assert reply.status == 200 or "query" in route or "/relations" in route or "msi" in route or "identity" in route, (route, reply.body)


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
def test_no_body_breaks_a_route(body):
    for method, route in ROUTES:
        if method in WRITES:
            _check(method, route, target(route), body, (("Content-Type", "application/json"),))


def test_no_query_breaks_a_route():
    for method, route in ROUTES:
        if method == "GET":
            for query in QUERIES:
                _check(method, route, target(route, query))


def test_no_name_breaks_a_route():
    for method, route in ROUTES:
        if "{}" in route:
            for name in NAMES:
                _check(method, route, target(route, last=name), b"{}")


def test_no_header_breaks_a_route():
    for method, route in ROUTES:
        for header in HEADERS:
            _check(method, route, target(route), b"{}", (header,))


def test_a_method_that_a_path_does_not_have_is_refused():
    for route, methods in answers().items():
        for method in {*METHODS, *WRITES, "GET"} - {*methods}:
            reply = _check(method, route, target(route), b"{}")
            assert reply.status in (400, 404, 405), (method, route, reply.status)
