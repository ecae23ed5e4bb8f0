"""
The official specifications as a witness: whatever they allow to be asked, and much that they
do not, gets a documented answer of the documented shape, or stands in the list of exceptions.
"""

from functools import cache
from pathlib import Path

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.transport import Response
from schemathesis.openapi.checks import JsonSchemaError
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from golden import GOLDEN
from served import Clock, Memory, inhabited
from vedette.service.state import cast
from vedette.wire.http import Call

SPECS = GOLDEN / "spec/specification/securityinsights/resource-manager/Microsoft.SecurityInsights"
FILES = (
    *(
        f"preview/2019-01-01-preview/{name}.json"
        for name in ("AutomationRules", "Bookmarks", "Cases", "ThreatIntelligence")
    ),
    *(
        f"stable/{version}/{name}.json"
        for version in ("2023-02-01", "2024-03-01")
        for name in (
            "AutomationRules",
            "Bookmarks",
            "Incidents",
            "ThreatIntelligence",
            "Watchlists",
        )
    ),
)
EXCEPTIONS = {
    # facts of the wire, where the specification says otherwise: (where it shows, why)
    "/owner/": "an owner's unset members are null on the wire; the specification has strings",
    "/createdBy/": "an application has no address; the specification has strings",
    "/lastModifiedBy/": "an application has no address; the specification has strings",
    "/updatedBy/": "an application has no address; the specification has strings",
    "/author/": "an application has no address; the specification has strings",
    "/userInfo/": "an application has no address; the specification has strings",
    "/source/": "an enumeration that is open; whatever was sent is kept",
    "/incidentInfo/": "a bookmark without an incident names all members as null",
}

pytestmark = pytest.mark.skipif(not SPECS.exists(), reason="the specifications are not here")


@cache
def operations(file):
    found = schemathesis.openapi.from_path(SPECS / file).get_all_operations()
    return {f"{one.ok().method} {one.ok().path}": one.ok() for one in found}


def named():
    if not SPECS.exists():
        return []
    return [
        pytest.param(file, name, id=f"{Path(file).stem} {file.split('/')[1]} {short(name)}")
        for file in FILES
        for name in operations(file)
    ]


def short(name):
    method, _, path = name.partition(" ")
    return f"{method} {path.rpartition('Microsoft.SecurityInsights')[2]}"


@pytest.fixture(scope="module")
def it():
    edge = Memory(inhabited(12), Clock())
    yield edge
    edge.close()


def cases(it, file, operation, mode):
    """Give cases in a workspace that is there, mostly about incidents that are there too."""
    names = [
        name for (name,) in it.connection.execute("SELECT name FROM incident WHERE workspace = 1")
    ]
    place = {
        "subscriptionId": cast.SUBSCRIPTION,
        "resourceGroupName": cast.RESOURCE_GROUP,
        "workspaceName": cast.WORKSPACES[0],
    }
    known = {parameter.name for parameter in operation.path_parameters}

    def placed(case, name):
        for key, value in place.items():
            if key in known:
                case.path_parameters[key] = value
        for key in ("incidentId", "caseId"):
            if key in known and name is not None:
                case.path_parameters[key] = name
        case.query["api-version"] = file.split("/")[1]
        return case

    strategy = operation.as_strategy(generation_mode=mode)
    return st.builds(placed, strategy, st.none() | st.sampled_from(names or ["gone"]))


def check(it, case):
    """Ask, and let the specification judge the answer."""
    told = case.as_transport_kwargs(base_url=it.url)
    told = {key: told.get(key) for key in ("method", "url", "headers", "params", "json", "data")}
    request = requests.Request(**told).prepare()
    body = request.body.encode() if isinstance(request.body, str) else request.body
    call = Call(
        method=request.method, url=request.url, body=body, headers=(*request.headers.items(),)
    )
    reply = it.carry(call, cast.OPERATOR)
    response = Response(
        status_code=reply.status,
        headers={name: [value] for name, value in reply.headers.items()},
        content=reply.body,
        request=request,
        elapsed=0.0,
        verify=False,
    )
    checks = [not_a_server_error, status_code_conformance]
    if reply.body or reply.status != 204:  # one specification gives nothing a schema
        checks += [response_schema_conformance, content_type_conformance]
    try:
        case.validate_response(response, checks=checks)
    except FailureGroup as group:
        left = [
            failure
            for failure in group.exceptions
            if not (isinstance(failure, JsonSchemaError) and is_known(failure))
        ]
        assert not left, (request.method, request.url, body, reply.status, reply.body[:500], left)


def is_known(failure):
    where = f"/{'/'.join(str(part) for part in failure.instance_path)}/"
    return any(known in where for known in EXCEPTIONS)


QUICK = {
    "deadline": None,
    "database": None,
    "phases": [Phase.generate],
    "suppress_health_check": list(HealthCheck),
}


def judged(it, file, name, examples):
    operation = operations(file)[name]
    for mode, share in ((GenerationMode.POSITIVE, 0.7), (GenerationMode.NEGATIVE, 0.3)):
        try:
            strategy = cases(it, file, operation, mode)

            @settings(max_examples=max(1, int(examples * share)), **QUICK)
            @given(case=strategy)
            def asked(case):
                check(it, case)

            asked()
        except Exception as error:
            # nothing about a request without parameters can be wrong
            if mode is GenerationMode.NEGATIVE and "negative" in str(error).lower():
                continue
            raise


@pytest.mark.parametrize(("file", "name"), named())
def test_every_operation_answers_as_specified(it, file, name):
    judged(it, file, name, 5)


@pytest.mark.soak
@pytest.mark.parametrize(("file", "name"), named())
def test_every_operation_answers_as_specified_at_length(it, file, name):
    judged(it, file, name, 300)
