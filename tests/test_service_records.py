"""The law of the log: whatever is done, its versions form a chain."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from served import Clock, Memory, inhabited

_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "stale", "patch", "comment", "delete"]),
        st.sampled_from(["a", "b"]),
        st.sampled_from(["High", "Low"]),
    ),
    max_size=25,
)


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(_STEPS)
def test_whatever_is_done_the_log_is_an_unbroken_chain_of_versions(steps):
    """And the service agrees, after every step, with a dictionary that was told the same."""
    it, model = Memory(inhabited(), Clock()), {}
    for does, name, severity in steps:
        path, known = f"/incidents/{name}", model.get(name)
        body = {"properties": {"title": "t", "severity": severity, "status": "New"}}
        match does:
            case "put":
                told = it.arm("PUT", path, {**body, **({"etag": known[1]} if known else {})})
                assert told.status == (200 if known else 201)
                model[name] = (severity, told.json["etag"])
            case "stale" if known:
                assert it.arm("PUT", path, {**body, "etag": '"0"'}).status == 409
            case "patch":
                told = it.arm("PATCH", path, {"properties": {"severity": severity}})
                assert told.status == (200 if known else 404)
                if known:
                    model[name] = (severity, told.json["etag"])
            case "comment":
                told = it.arm("PUT", f"{path}/comments/1", {"properties": {"message": "m"}})
                assert told.status in ((200, 201) if known else (404,))
                if known:
                    model[name] = (known[0], it.arm("GET", path).json["etag"])
            case "delete":
                assert it.arm("DELETE", path).status == (200 if known else 204)
                model.pop(name, None)
        listed = it.arm("GET", "/incidents").json["value"]
        assert {
            one["name"]: (one["properties"]["severity"], one["etag"]) for one in listed
        } == model
    chain = {}
    for name, before, after in it.connection.execute(
        "SELECT incident, etag_before, etag_after FROM change ORDER BY serial"
    ):
        assert before == chain.get(name)
        chain[name] = after
    assert {name: etag for name, etag in chain.items() if etag} == {
        name: etag for name, (_, etag) in model.items()
    }
