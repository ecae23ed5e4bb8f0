"""Limits: what each profile lets through, what it says when it does not, and that it adds up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from served import EU, INSIGHTS, Clock, Memory, Socket, inhabited
from vedette.service.edge.begin import begin
from vedette.service.quotas import Bucket, Sliding, Window
from vedette.service.state import cast
from vedette.service.state.settings import PROFILES, Settings, keep, profiles
from vedette.wire.problems import retry_after

REMAINING = "x-ms-ratelimit-remaining-subscription"
TIMES = st.lists(st.floats(0, 200, allow_nan=False), min_size=1, max_size=200).map(sorted)


def passed(quota, times):
    """Return when calls passed that come at these times and take no for an answer."""
    state, let = (), []
    for at in times:
        spent = quota.spend(state, at)
        state = spent.state
        if spent.wait is None:
            let.append(at)
        else:
            assert spent.wait >= 1
    return let


@given(TIMES)
def test_a_bucket_never_lets_more_through_than_it_holds_and_gets(times):
    let = passed(Bucket(size=5, rate=0.5), times)
    for first, start in enumerate(let):
        for last in range(first, len(let)):
            assert last - first + 1 <= 5 + 0.5 * (let[last] - start) + 1e-6


@given(TIMES)
def test_no_span_of_a_sliding_window_holds_more_than_its_most(times):
    let = passed(Sliding(most=4, span=60), times)
    for start in let:
        assert sum(start <= at < start + 59 for at in let) <= 4


@given(TIMES)
def test_a_window_opens_anew_after_its_span(times):
    let = passed(Window(most=3, span=30), times)
    opened, count = None, 0
    for at in let:
        if opened is None or at >= opened + 30:
            opened, count = at, 0
        count += 1
        assert count <= 3


@pytest.mark.parametrize(
    "quota", [Bucket(size=3, rate=0.4), Window(most=3, span=30), Sliding(most=3, span=60)]
)
def test_who_waits_as_long_as_told_gets_through(quota):
    state, at = (), 1000.25
    for _ in range(40):
        spent = quota.spend(state, at)
        if spent.wait is not None:
            at += spent.wait
            spent = quota.spend(spent.state, at)
            assert spent.wait is None
        state = spent.state


def test_who_does_not_wait_is_told_to_wait_anew():
    bucket = Bucket(size=1, rate=0.1)
    state = bucket.spend((), 0.0).state
    first = bucket.spend(state, 1.0)
    assert first.wait == 9
    early = bucket.spend(first.state, 9.0)
    assert early.wait == 1  # the token is nearly there, but the door was shut until 10
    assert bucket.spend(early.state, 9.5).wait is not None
    assert bucket.spend(early.state, 10.0).wait is None


def test_refused_calls_count_where_the_service_says_so():
    strict = Sliding(most=2, span=60, strict=True)
    state = ()
    for at in (0.0, 1.0, 2.0):
        spent = strict.spend(state, at)
        state = spent.state
    assert spent.wait is not None
    lenient = Sliding(most=2, span=60)
    state = ()
    for at in (0.0, 1.0, 2.0):
        state = lenient.spend(state, at).state
    assert strict.spend(spent.state, 60.5).wait is not None
    assert lenient.spend(state, 60.5).wait is None


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    connection, clock = inhabited(3), Clock()
    edge = (
        Memory(connection, clock)
        if request.param == "memory"
        else Socket(connection, clock, tmp_path)
    )
    yield edge
    edge.close()


def limited(it, profile):
    it.connection.execute("BEGIN")
    keep(it.connection, Settings(limits=profile))
    it.connection.execute("COMMIT")


def test_arm_counts_down_and_refuses_with_the_recorded_words(it):
    limited(it, "arm-2024")
    path = f"{EU}{INSIGHTS}/incidents/none?api-version=2025-09-01"
    header = "x-ms-ratelimit-remaining-subscription-deletes"
    first = it.ask("DELETE", path)
    assert first.status == 204
    assert (first.headers[header], first.headers[header.replace("deletes", "global-deletes")]) == (
        "199",
        "2999",
    )
    for _ in range(199):
        last = it.ask("DELETE", path)
    assert last.headers[header] == "0"
    refused = it.ask("DELETE", path)
    assert refused.status == 429
    assert refused.code == "SubscriptionRequestsThrottled"
    assert refused.message == (
        f"Number of 'delete' requests for subscription '{cast.SUBSCRIPTION}' actor"
        f" '{cast.object_id(cast.OPERATOR)}' exceeded. Please try again after '1' seconds."
    )
    assert refused.headers["retry-after"] == "1"
    assert refused.headers["x-ms-failure-cause"] == "gateway"
    it.clock.pass_(seconds=1)
    assert it.ask("DELETE", path).status == 204
    assert it.arm("GET", "/incidents").status == 200  # reads have a bucket of their own


def test_one_principal_does_not_spend_anothers():
    it = Memory(inhabited(), Clock())
    limited(it, "arm-2024")
    for _ in range(250):
        it.arm("GET", "/incidents")
    assert it.arm("GET", "/incidents").status == 429
    assert it.arm("GET", "/incidents", app=cast.READER_APP).status == 200


def test_all_principals_together_have_a_bucket_too():
    it = Memory(inhabited(), Clock())
    limited(it, "arm-2024")
    name = f"{cast.SUBSCRIPTION} read everybody"
    it.arm("GET", "/incidents")
    it.connection.execute(
        "UPDATE quota SET state = ? WHERE name = ?", (f"[0.0, {it.clock().timestamp()}, 0]", name)
    )
    refused = it.arm("GET", "/incidents")
    assert (refused.status, refused.headers["retry-after"]) == (429, "1")


def test_sentinel_lets_75_updates_through_in_five_minutes():
    it = Memory(inhabited(), Clock())
    limited(it, "sentinel-min")
    body = {"properties": {"title": "t", "severity": "Low", "status": "New"}}
    for number in range(75):
        assert it.arm("PUT", f"/incidents/n{number}", body).status == 201
    it.clock.pass_(seconds=100)
    refused = it.arm("PUT", "/incidents/one-more", body)
    assert refused.status == 429
    assert refused.headers["x-ms-failure-cause"] == "service"
    assert refused.headers["retry-after"] == "200"
    assert refused.headers["x-ms-ratelimit-remaining-subscription-writes"] == "199"
    assert it.arm("PUT", "/incidents/n1/comments/c", {"properties": {"message": "m"}}).status == 201
    assert it.arm("GET", "/incidents/one-more").status == 404  # nothing was done
    it.clock.pass_(seconds=200)
    assert it.arm("PUT", "/incidents/one-more", body).status == 201


def test_the_hourly_scheme_slides():
    it = Memory(inhabited(), Clock())
    limited(it, "arm-hourly")
    name = f"{cast.SUBSCRIPTION} write {cast.object_id(cast.OPERATOR)}"
    body = {"properties": {"title": "t", "severity": "Low", "status": "New"}}
    made = it.arm("PUT", "/incidents/first", body)
    # no other counter is shown where there is no other
    assert not any("global" in header for header in made.headers)
    slot = int(it.clock().timestamp() * 60 / 3600)
    it.connection.execute("UPDATE quota SET state = ? WHERE name = ?", (f"[{slot}, 1200]", name))
    assert it.arm("PUT", "/incidents/second", body).status == 429
    it.clock.pass_(hours=1, minutes=1)
    assert it.arm("PUT", "/incidents/second", body).status == 201


@pytest.mark.parametrize(("profile", "most"), [("graph-150", 150), ("xdr-50-1500", 50)])
def test_graph_lets_so_many_through_in_a_minute_and_counts_the_refused(profile, most):
    it = Memory(inhabited(2), Clock())
    limited(it, profile)
    for _ in range(most):
        assert it.graph("GET", "?$top=1").status == 200
    refused = it.graph("GET", "?$top=1")
    assert (refused.status, refused.code) == (429, "TooManyRequests")
    assert retry_after(refused, 0.0) == 60
    it.clock.pass_(seconds=61)
    assert it.graph("GET", "?$top=1").status == 200
    assert it.arm("GET", "/incidents").status == 200  # not counted here


def test_two_profiles_hold_side_by_side():
    it = Memory(inhabited(2), Clock())
    limited(it, "arm-2024,xdr-50-1500")
    assert (
        it.arm("GET", "/incidents").headers["x-ms-ratelimit-remaining-subscription-reads"] == "249"
    )
    for _ in range(51):
        last = it.graph("GET", "?$top=1")
    assert last.status == 429


def test_nobody_gets_a_counter_by_making_up_subscriptions():
    it = Memory(inhabited(), Clock())
    limited(it, "arm-2024")
    for number in range(5):
        guid = f"00000000-0000-0000-0000-00000000000{number}"
        it.ask("GET", f"/subscriptions/{guid}?api-version=2022-12-01")
    (count,) = it.connection.execute("SELECT count(*) FROM quota").fetchone()
    assert count == 1


def test_without_a_profile_nothing_is_counted():
    it = Memory(inhabited(), Clock())
    it.arm("GET", "/incidents")
    assert it.connection.execute("SELECT * FROM quota").fetchall() == []


def test_profiles_are_known_by_name():
    assert profiles("off") == frozenset()
    assert profiles("arm-2024, graph-150") == {"arm-2024", "graph-150"}
    for one in PROFILES:
        profiles(one)
    with pytest.raises(ValueError, match="'arm' is no profile of limits"):
        profiles("arm")


def test_the_query_of_logs_has_a_limit_of_its_own_on_both_its_paths():
    it = Memory(inhabited(), Clock())
    keep(it.connection, Settings(limits="logs-200"))
    path = f"{EU}/query?api-version=2022-10-27-preview"
    body = {"query": "SecurityIncident | take 1"}
    (guid,) = it.connection.execute("SELECT customer FROM workspace LIMIT 1").fetchone()
    paths = (path, f"/v1/workspaces/{guid}/query")
    told = [it.ask("POST", paths[number % 2], body) for number in range(202)]
    assert {one.status for one in told[:200]} == {200}
    assert [(one.status, one.code) for one in told[200:]] == [(429, "ThrottledError")] * 2
    assert told[200].headers["retry-after"] == "30"
    assert it.arm("GET", "/incidents").status == 200
    it.clock.pass_(seconds=30)
    assert it.ask("POST", path, body).status == 200


def test_a_refusal_says_when_to_come_again_where_the_service_does():
    it = Memory(inhabited(), Clock())
    keep(it.connection, Settings(limits="xdr-50-1500"))
    for _ in range(50):
        it.graph("GET", "")
    told = it.ask("GET", "/api/incidents")
    assert told.status == 429
    assert told.message.endswith("from 2026-11-22T07:01:00Z.")


def test_limits_that_nobody_knows_are_never_kept():
    it = Memory(inhabited(), Clock())
    with pytest.raises(ValueError, match="'arm' is no profile"):
        keep(it.connection, Settings(limits="off,arm"))
    with pytest.raises(ValueError, match="'arm' is no profile"):
        begin(it.connection, behaviour={"limits": "arm"})
    assert it.arm("GET", "/incidents").status == 200
    keep(it.connection, Settings(limits="off,arm-2024"))
    assert it.arm("GET", "/incidents").headers[f"{REMAINING}-reads"] == "249"


@pytest.mark.parametrize(
    "quota",
    [Bucket(size=3, rate=1), Window(most=3, span=60), Sliding(most=3, span=60, strict=True)],
)
def test_a_clock_that_was_set_back_keeps_nobody_out(quota):
    state = ()
    for _ in range(5):
        spent = quota.spend(state, 1_000_000)
        state = spent.state
    assert spent.wait is not None
    later = quota.spend(quota.spend(state, 999_000).state, 999_060)
    assert later.wait is None
    bucket = Bucket(size=3, rate=0.5)
    told = bucket.spend((2.0, 1_000_000, 1_000_060), 999_000)
    assert told.wait is None, "nobody has to stay away until a time that is long to come"
