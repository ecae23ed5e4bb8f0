"""
Texts that nearly make sense, at everything of the service that reads one: it is understood or
refused in the way that the reader has for it. Short runs here, long ones with `make soak`.
"""

from __future__ import annotations

import asyncio
import base64
import json
import socket
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hostility import BOOKMARK, ROUTES, RULE, good, packed, target, town
from served import ARM, EU, GRAPH, INSIGHTS, NOW, TOKEN, edge
from vedette.errors import Asked
from vedette.service.edge.proxy import MOST_HEAD, Proxy
from vedette.service.faults import script
from vedette.service.logs.query import understood
from vedette.service.state import cast, worldfile
from vedette.service.state.records import Records, workspaces
from vedette.wire import bodies, loose, odata
from vedette.wire.problems import Fault

LONG = pytest.mark.soak
SHORTLY = [60, pytest.param(5_000, marks=LONG)]
BRIEFLY = [25, pytest.param(1_000, marks=LONG)]
"""How many examples: some now, many more in the long proofs."""
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=12),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


def look(examples, *strategies):
    """Run a check on this many examples."""

    def run(check):
        suppress = [HealthCheck.too_slow, HealthCheck.data_too_large]
        held = settings(max_examples=examples, deadline=None, suppress_health_check=suppress)
        held(given(*strategies)(check))()

    return run


@st.composite
def nearly(draw, samples, words=()):
    """Give a sample with some of it taken out, doubled, or replaced by words or any text."""
    told = draw(st.sampled_from(samples))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(told)))
        to = min(len(told), at + draw(st.integers(0, 8)))
        piece = draw(
            st.just("")
            | st.just(told[at:to] * 2)
            | st.text(max_size=4)
            | st.sampled_from([*words, "\0", "'", '"', "(", ")", "\\", "\ud800", "\u0661"])
        )
        told = told[:at] + piece + told[to:]
    return told


def tried(read, *arguments, **named):
    """Return what a reader makes of it, or None where it refuses in its way."""
    try:
        return read(*arguments, **named)
    except Fault as fault:
        if fault.status != 400:
            raise
    except Asked as error:
        if not error.message:
            raise
    return None


def _valid(text):
    return text.encode(errors="replace").decode()


# ---- the wire

FILTERS = (
    "properties/status eq 'New' and (properties/severity ne 'High' or properties/title eq 'x')",
    "properties/createdTimeUtc ge 2026-01-01T00:00:00.1234567Z and properties/incidentNumber lt 5",
    "properties/labels/any(l: l/labelName eq 'x')",
    "contains(tolower(properties/title), 'x') or not startswith(properties/title,'y')",
    "status eq 'active' and createdDateTime gt 2026-01-01 and assignedTo eq null",
    "id eq '1'",
)
WORDS = (" eq ", " and ", " or ", "not ", "null", "any(", "2026-01-01", "-1.5", "tolower(", "l/x")


@cache
def _incidents():
    told = edge("memory", None, 12)
    names = told.connection.execute("SELECT workspace, name FROM incident").fetchall()
    homes = {one.serial: one for one in workspaces(told.connection)}
    records = Records(told.connection, at=0, who="tests", dialect="tests")
    return told, [records.named(homes[at], name).incident for at, name in names]


@pytest.mark.parametrize("examples", SHORTLY)
@pytest.mark.parametrize("plane", ["sentinel", "cases", "defender", "xdr", "alerts"])
def test_a_filter_is_understood_or_refused(examples, plane):
    it, incidents = _incidents()

    @look(examples, nearly(FILTERS, WORDS) | st.text(max_size=60))
    def check(text):
        wanted = tried(odata.parse, text, plane)
        if wanted is None:
            return
        found = {one.id for one in incidents if plane != "alerts" and wanted.holds(one)}
        if (told := wanted.sql()) and plane in ("sentinel", "cases"):
            sql = f"SELECT name FROM incident WHERE {told[0]}"
            narrowed = {name for (name,) in it.connection.execute(sql, told[1])}
            assert found == narrowed if wanted.exact else found <= narrowed


@pytest.mark.parametrize("examples", SHORTLY)
def test_an_order_is_understood_or_refused(examples):
    samples = ("properties/createdTimeUtc desc", "createdDateTime asc, id", "lastUpdateDateTime")

    @look(
        examples, nearly(samples) | st.text(max_size=20), st.sampled_from(["sentinel", "defender"])
    )
    def check(text, plane):
        assert tried(odata.order, text, plane) != ()


BODIES = (
    json.dumps({"properties": BOOKMARK}),
    json.dumps({"properties": RULE}),
    repr({"properties": {"title": "it's", "b": 'q"', "c": [None, True, -1.5e3], "d": "\u0130\n"}}),
    "{'a': b'x'}",
)


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_body_is_an_object_or_refused(examples):
    spoilt = nearly(BODIES, ("None", "\\x", "\\ud800", "1e999", "NaN")).map(
        lambda text: text.encode(errors="surrogatepass")
    )

    @look(examples, spoilt | st.binary(max_size=40))
    def check(told):
        for read in (bodies.body, bodies.graph_body):
            made = tried(read, told)
            assert made is None or isinstance(made, dict)
            json.dumps(made).encode()


@pytest.mark.parametrize("examples", SHORTLY)
def test_what_may_be_anything_is_read_loosely(examples):
    @look(examples, JSON | st.from_regex(r"[0-9\u0660-\u0669]{1,30}"))
    def check(told):
        assert loose.text(told) is None or isinstance(loose.text(told), str)
        assert all(isinstance(one, str) for one in loose.texts(told))
        assert loose.count(told) is None or isinstance(loose.count(told), int)
        loose.moment(told)
        loose.word({"a": "b"}, told)
        for read in (bodies.a_text, bodies.a_moment):
            tried(read, {"x": told}, "x")


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_time_is_understood_or_refused(examples):
    samples = (
        "2026-11-22T07:00:00.1234567Z",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
    )

    @look(examples, nearly(samples))
    def check(told):
        moment = tried(bodies.a_moment, {"x": told}, "x")
        if moment is not None:
            assert odata.parse(f"properties/createdTimeUtc ge {moment}")


# ---- the world


def _answered(method, where, body=None, headers=(), app=cast.OPERATOR):
    reply = town().ask(method, where, body, headers, app=app)
    assert 200 <= reply.status < 500, (method, where, body, reply.body)
    return reply


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_token_of_a_page_goes_on_or_is_refused(examples):
    lists = [
        f"{EU}{INSIGHTS}/incidents?api-version=2025-09-01&$skipToken=",
        f"{EU}{INSIGHTS}/watchlists?api-version=2025-09-01&$skipToken=",
        f"{EU}{INSIGHTS}/threatIntelligence/main/indicators?api-version=2025-09-01&$skipToken=",
        "/v1.0/security/incidents?$skiptoken=",
        "/v1.0/security/alerts_v2?$skiptoken=",
    ]
    samples = [packed(one) for one in ('["",1]', "[1,1]", "[-5,99999]", '{"a":1}', "[[[1]]]")]
    content = JSON.map(json.dumps).map(packed) | nearly(("[1,2]", '["x",2]')).map(_valid).map(
        packed
    )

    @look(examples, st.sampled_from(lists), nearly(samples) | content)
    def check(where, token):
        told = "".join(one for one in _valid(token) if one.isalnum() or one in "-_=.~ ")
        assert _answered("GET", f"{where}{told}").status in (200, 400)


BATCH = json.dumps(
    {
        "requests": [
            {"id": "1", "method": "GET", "url": "/security/incidents?$top=1"},
            {
                "id": "2",
                "method": "PATCH",
                "url": "/security/incidents/1",
                "headers": {"content-type": "application/json"},
                "body": {"status": "resolved"},
                "dependsOn": ["1"],
            },
            {"id": "3", "method": "GET", "url": "https://graph.microsoft.com/beta/users?$top=1"},
        ]
    }
)


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_batch_is_answered_or_refused(examples):
    words = ("$batch", "//", "[::1]", "http://", "%24batch", "..", "GET", "\\u0000", "TRACE")

    @look(examples, nearly((BATCH,), words))
    def check(told):
        _answered("POST", "/v1.0/$batch", told.encode(errors="surrogatepass"))

    @look(examples, nearly((BATCH.replace("url", "path"),), words))
    def check_logs(told):
        _answered("POST", "/v1/$batch", told.encode(errors="surrogatepass"))


@pytest.mark.parametrize("examples", BRIEFLY)
@pytest.mark.parametrize(
    ("method", "route"),
    [one for one in ROUTES if one[0] in ("PUT", "PATCH", "POST") and "oauth2" not in one[1]],
)
def test_a_body_that_nearly_makes_sense_is_taken_or_refused(examples, method, route):
    body = good(method, route, town().names) or {"a": [1, "b", None]}
    where = target(route)
    few = max(5, examples // 5)

    @look(few, _edited(body))
    def check(told):
        headers = (("x-vedette-key", "the key"), ("content-type", "application/json"))
        _answered(method, where, json.dumps(told).encode(), headers)


@st.composite
def _edited(draw, body):
    """Give the document with one or two of its members made something else."""
    made = json.loads(json.dumps(body))
    for _ in range(draw(st.integers(1, 2))):
        at, last = made, None
        while isinstance(at, dict | list) and at:
            keys = list(at) if isinstance(at, dict) else range(len(at))
            last = (at, draw(st.sampled_from(list(keys))))
            at = last[0][last[1]]
            if draw(st.integers(0, 3)) == 0:
                break
        if last is not None:
            last[0][last[1]] = draw(JSON | st.just("x" * 5_000) | st.just("\0") | st.just(10**25))
    return made


QUERIES = (
    "let a = ago(3d);\nSecurityIncident | where TimeGenerated > a and Status in ('New', 'Active')",
    "SecurityIncident | summarize arg_max(TimeGenerated, *) by IncidentName | sort by IncidentNumber",
    "SecurityIncident | where Title has 'x' // c\n | project Title, Severity | take 5",
    "SecurityIncident | where Labels has_any (dynamic(['a'])) | count",
    "SecurityIncident | where CreatedTime between (datetime(2026-01-01) .. now()) | extend a = b",
)


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_query_of_logs_is_answered_or_refused(examples):
    words = (
        " | ",
        "where ",
        "let x = ",
        ";",
        "ago(",
        "datetime(",
        "dynamic([",
        "@'",
        "h'",
        "..",
        "-",
    )

    @look(examples, nearly(QUERIES, words) | st.text(max_size=40))
    def check(told):
        tried(understood, told, NOW, has_table=True)
        body = json.dumps({"query": _valid(told)}).encode()
        where = target("v1/workspaces/{}/query")
        assert _answered("POST", where, body).status in (200, 400)


# ---- who calls


@cache
def _tokens():
    """Return tokens that are good, of each kind there is."""
    made = town()
    told = edge("memory", None)
    access = told.sign_in(audience=GRAPH).json["access_token"]
    return told, access, made


def _segment(document):
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def _refused(token):
    it, access, _ = _tokens()
    if token.strip() == access:
        return
    told = it.ask(
        "GET", "/v1.0/security/incidents", app=None, headers={"Authorization": f"Bearer {token}"}
    )
    assert told.status == 401, (token, told.body)


def test_a_good_token_is_taken():
    it, access, _ = _tokens()
    told = {"Authorization": f"Bearer {access}"}
    assert it.ask("GET", "/v1.0/security/incidents", app=None, headers=told).status == 200


HEADS = st.fixed_dictionaries(
    {"alg": st.sampled_from(["none", "None", "HS256", "RS256", "PS256", "ES256", "", None, 1])},
    optional={
        "typ": st.sampled_from(["JWT", "refresh", None, []]) | JSON,
        "kid": st.sampled_from(["tests", "../../dev/null", "' OR 1=1 --", "\0", "x" * 5_000])
        | JSON,
        "jku": st.just("https://evil.example/keys"),
        "jwk": JSON,
        "crit": JSON,
        "b64": st.just(False),
        "x5c": JSON,
    },
)


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_token_that_was_tampered_with_opens_nothing(examples):
    _, access, _ = _tokens()
    _, claims, signature = access.split(".")

    @look(examples, nearly((access,), ("..", ".", "=", "-", "_")))
    def check(token):
        if not {*token} & {*"\r\n"} and not _last_bits(token, access):
            _refused(token)

    @look(examples, HEADS, st.sampled_from([signature, "", "AAAA", "."]), st.booleans())
    def check_head(head, signed, whole):
        said = claims if whole else _segment({"oid": "x", "tid": cast.TENANT, "idtyp": "app"})
        _refused(f"{_segment(head)}.{said}.{signed}")


def _last_bits(token, access):
    """Return whether a token differs in nothing that its base64 means."""

    def meant(one):
        try:
            parts = [part.encode() for part in one.split(".")]
            return [base64.urlsafe_b64decode(part + b"=" * (-len(part) % 4)) for part in parts]
        except ValueError:
            return one

    return meant(token) == meant(access)


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_form_is_answered_or_refused(examples):
    secret = (
        town()
        .connection.execute("SELECT secret FROM app WHERE id = ?", (cast.OPERATOR,))
        .fetchone()[0]
    )
    samples = (
        (
            f"grant_type=client_credentials&client_id={cast.OPERATOR}&client_secret={secret}"
            f"&scope={ARM}/.default"
        ),
        f"grant_type=refresh_token&client_id={cast.OPERATOR}&refresh_token=a.b.c",
        (
            f"grant_type=urn:ietf:params:oauth:grant-type:device_code&device_code=x&client_id="
            f"{cast.OPERATOR}"
        ),
        f"client_id={cast.OPERATOR}&scope={GRAPH}/User.Read offline_access",
        'claims={"access_token":{"xms_cc":{"values":["cp1"]}}}&grant_type=client_credentials',
        (
            f"grant_type=client_credentials&client_id={cast.OPERATOR}&client_assertion=a.b.c&"
            "client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
            f"&scope={ARM}/.default"
        ),
    )
    paths = (
        TOKEN,
        f"/{cast.TENANT}/oauth2/token",
        "/common/oauth2/v2.0/devicecode",
        f"/{cast.TENANT}/oauth2/deviceauth",
        "/\0/oauth2/v2.0/token",
    )

    @look(examples, st.sampled_from(paths), nearly(samples, ("%", "&", "=", "%00", "%ff", "+")))
    def check(where, told):
        body = told.encode(errors="surrogatepass")
        _answered("POST", where, body, app=None)
        headers = (("authorization", f"Basic {base64.b64encode(body[:60]).decode()}"),)
        _answered("POST", where, body, headers, app=None)


# ---- files

SCRIPT = """seed = 3
[[fault]]
name = "busy"
where = {method = "GET", path = "/subscriptions/**", operation = "incidents/read"}
when = {share = 0.5, times = 3}
status = 429
headers = {Retry-After = "1"}
"""


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_script_of_faults_is_understood_or_refused(examples):
    preset = [
        (script.Path(script.__file__).with_name(f"{name}.toml")).read_text()
        for name in script.PRESETS
    ]

    @look(
        examples,
        nearly([SCRIPT, *preset], ("[[fault]]\n", "= -1", "1e999", "nan", "inf", "[", "'")),
    )
    def check(told):
        for as_json in (False, True):
            tried(script.read, told.encode(errors="surrogatepass"), "s", as_json=as_json)

    @look(
        examples,
        st.dictionaries(
            st.sampled_from(["fault", "seed"]),
            JSON
            | st.lists(
                st.dictionaries(
                    st.sampled_from(
                        ["name", "where", "when", "status", "delay", "headers", "body", "times"]
                    ),
                    JSON,
                    max_size=4,
                ),
                max_size=2,
            ),
        ),
    )
    def check_tables(told):
        body = json.dumps(told).encode()
        _answered("PUT", "/_vedette/faults", body, (("x-vedette-key", "the key"),))


@pytest.mark.parametrize("examples", SHORTLY)
def test_a_world_file_is_understood_or_refused(examples, tmp_path):
    samples = [worldfile.__doc__.partition("TOML.\n")[2].partition("\nWhere")[0]]
    path = tmp_path / "world.toml"
    words = (
        "= []",
        "= 1",
        "= -1",
        "nan",
        "inf",
        "[",
        '"""',
        "[tenants.x]\n",
        "sample = 10e9",
        "..",
    )

    @look(examples, nearly(samples, words))
    def check(told):
        path.write_bytes(told.encode(errors="surrogatepass"))
        tried(worldfile.read, path)


# ---- the proxy

HEADS_OF_CALLS = (
    "CONNECT management.azure.com:443 HTTP/1.1\r\nHost: management.azure.com\r\n\r\n",
    "GET http://169.254.169.254/metadata/identity?a=b HTTP/1.1\r\nMetadata: true\r\n\r\n",
    "CONNECT [::1]:1 HTTP/1.0\r\n\r\n",
)


@pytest.mark.parametrize("examples", BRIEFLY)
def test_the_proxy_leads_to_its_own_places_or_refuses(examples):
    words = (":443", "evil.example", "@", "[", "]", "\r\n", "http://", " ", "\t", "x" * MOST_HEAD)
    samples = HEADS_OF_CALLS
    loop = asyncio.new_event_loop()

    async def asked(head):
        reader, writer = await asyncio.open_connection(*at["proxy"])
        writer.write(head)
        writer.write_eof()
        try:
            told = await asyncio.wait_for(reader.read(), 5)
        except ConnectionError:
            told = b""
        writer.close()
        return told

    async def met(reader, writer):
        at["reached"] += 1
        writer.write(b"reached")
        writer.close()

    at = {"reached": 0}

    async def begun():
        server = await asyncio.start_server(met, "127.0.0.1", 0)
        there = server.sockets[0].getsockname()[:2]
        listener = socket.create_server(("127.0.0.1", 0))
        proxy = Proxy(listener, there=there, door=there, patience=0.2)
        await proxy.start()
        at["proxy"] = ("127.0.0.1", proxy.port)
        return server, proxy

    server, proxy = loop.run_until_complete(begun())
    try:
        assert b"200" in loop.run_until_complete(asked(samples[0].encode()))

        @look(examples, nearly(samples, words))
        def check(told):
            head = told.encode("latin-1", errors="replace")
            answered = loop.run_until_complete(asked(head))
            assert answered == b"" or answered.startswith((b"HTTP/1.1 ", b"reached")), answered
            if b"evil" in head.partition(b"\r\n")[0]:
                assert b"200 Connection established" not in answered
    finally:
        loop.run_until_complete(proxy.stop())
        server.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()
