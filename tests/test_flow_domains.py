"""Which quotas a call counts against, and what the service's headers say of them."""

from __future__ import annotations

import pytest

from vedette.flow.domains import domains, is_own, key, left
from vedette.wire.http import Call, Reply

ARM = "https://management.azure.com"
SUB = f"{ARM}/subscriptions/S-1/resourceGroups/soc/providers/x"
GRAPH = "https://graph.microsoft.com/v1.0"


def call(url, **more):
    return Call(method="GET", url=url, **more)


def test_on_arm_the_gateway_counts_by_subscription_and_kind():
    of = domains(call(f"{SUB}/incidents/1?api-version=2", operation="incident"))
    assert of.gateway == "management.azure.com s-1 read"
    assert of.own == "management.azure.com s-1 read incident"
    assert of.is_counted


@pytest.mark.parametrize("url", [SUB, SUB.replace("S-1", "s-1"), f"{ARM}/Subscriptions/S-1?x=/a/b"])
def test_a_subscription_is_the_same_however_it_is_spelled(url):
    assert domains(call(url)).place == "s-1"


def test_what_is_asked_for_is_counted_apart_by_the_service_only():
    comment = domains(call(f"{SUB}/a", kind="write", operation="comment"))
    update = domains(call(f"{SUB}/b", kind="write", operation="incident"))
    assert comment.gateway == update.gateway
    assert comment.own != update.own
    assert comment.chosen == update.chosen


def test_what_has_no_subscription_is_the_tenants():
    assert domains(call(f"{ARM}/tenants?api-version=2")).gateway == "management.azure.com - read"


def test_on_graph_a_tenant_counts_all_methods_together():
    one = domains(call(f"{GRAPH}/security/incidents/1", operation="incident", tenant="t-1"))
    two = domains(
        call(f"{GRAPH}/security/incidents/2", operation="incident", tenant="t-1", kind="write")
    )
    other = domains(call(f"{GRAPH}/security/incidents/1", operation="incident", tenant="t-2"))
    people = domains(call(f"{GRAPH}/users/ada?$select=id", tenant="t-1"))
    assert one.gateway == two.gateway
    assert len({one.gateway, other.gateway, people.gateway}) == 3
    assert one.own is None
    assert not one.is_counted


def test_an_envelope_counts_where_its_questions_do():
    inside = call(f"{GRAPH}/security/incidents/1", operation="incident", tenant="t-1")
    around = call(f"{GRAPH}/$batch", operation="incident", tenant="t-1")
    assert domains(around).gateway == domains(inside).gateway


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (call(f"{SUB}/incidents/1"), call(f"{SUB}/incidents/2?x=1")),
        (call(f"{GRAPH}/security/incidents/1"), call(f"{GRAPH}/security/incidents?$top=1/2")),
    ],
)
def test_calls_of_one_domain_are_known_by_one_key(one, other):
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (call(f"{SUB}/a"), call(f"{SUB}/a", kind="write")),
        (call(f"{SUB}/a"), call(f"{SUB}/a", operation="comment")),
        (call(f"{SUB}/a"), call(SUB.replace("S-1", "S-2"))),
        (call(f"{GRAPH}/security/a"), call(f"{GRAPH}/users/a")),
        (call(f"{GRAPH}/security/a"), call(f"{GRAPH}/security/a", tenant="t")),
    ],
)
def test_calls_of_two_domains_never_are(one, other):
    assert key(one) != key(other)
    assert domains(one) != domains(other)


REMAINING = "x-ms-ratelimit-remaining-"


@pytest.mark.parametrize(
    ("headers", "count"),
    [
        ({}, None),
        ({f"{REMAINING}subscription-writes": "199"}, 199),
        ({f"{REMAINING}subscription-reads": "199"}, None),
        ({f"{REMAINING}subscription-resource-requests": "7"}, 7),
        ({f"{REMAINING}tenant-writes": "7"}, 7),
        (
            {f"{REMAINING}subscription-writes": "9", f"{REMAINING}subscription-global-writes": "2"},
            2,
        ),
        ({f"{REMAINING}subscription-writes": "many"}, None),
        ({f"{REMAINING}subscription-writes": "-1"}, None),
        ({f"{REMAINING}subscription-writes": "9" * 30}, None),
        ({f"{REMAINING}subscription-writes": "٣"}, None),
    ],
)
def test_the_counter_is_read_and_nothing_else_is(headers, count):
    assert left(Reply(status=200, headers=headers), "write") == count


@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"x-ms-failure-cause": "service"}, True),
        ({"x-ms-failure-cause": " Gateway "}, False),
        ({"x-ms-failure-cause": "gateway", f"{REMAINING}subscription-writes": "9"}, False),
        ({f"{REMAINING}subscription-writes": "9"}, True),
        ({f"{REMAINING}subscription-writes": "0"}, False),
        ({}, False),
        ({"x-ms-failure-cause": "weather"}, False),
    ],
)
def test_who_refused_is_told_by_the_cause_or_else_by_the_counter(headers, own):
    assert is_own(Reply(status=429, headers=headers), "write") is own
