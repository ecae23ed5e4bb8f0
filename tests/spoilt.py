"""What spoils a call: bodies, queries, names, headers and methods that nobody should send."""

from __future__ import annotations

import base64
import gzip
import itertools
import zlib


def packed(text):
    """Return a token as the service packs one."""
    return base64.urlsafe_b64encode(gzip.compress(text.encode())).rstrip(b"=").decode()


def bomb():
    """Return a token that unpacks to ten megabytes."""
    made = zlib.compressobj(wbits=31)
    return base64.urlsafe_b64encode(made.compress(bytes(10**7)) + made.flush()).decode()


_DEEP = 20_000
BODIES = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"1",
    b'"x"',
    b"{}",
    b"NaN",
    b'{"properties":{"title":NaN}}',
    b'{"properties":{"title":1e999}}',
    b'{"properties":{"order":99999999999999999999999999}}',
    b"[" * _DEEP,
    b'{"a":' * _DEEP,
    b'{"properties":' + b"[" * _DEEP + b"]" * _DEEP + b"}",
    b'{"properties":{"title":"\\ud800","message":"\\udfff"}}',
    b'{"properties":{"title":"\xff\xfe"}}',
    b'{"query":"\xff"}',
    b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}",
    b'{"properties":{}}',
    b'{"properties":null}',
    b'{"properties":[]}',
    b'{"properties":"x"}',
    b'{"properties":{"title":"a","title":"b"},"properties":{}}',
    b'{"etag":{},"properties":{"title":[],"severity":{},"status":1}}',
    b'{"properties":{"title":"t","severity":"Enormous","status":"New"}}',
    (
        b'{"properties":{"title":"t","severity":"Low","status":"New","firstActivityTimeUtc":'
        b'"2026-13-45T99:00:00Z"}}'
    ),
    (
        b'{"properties":{"title":"t","severity":"Low","status":"New","lastActivityTimeUtc":'
        b'"0001-01-01T00:00:00+14:00"}}'
    ),
    b"{'properties': {'title': '\\ud800', 'status': None}}",
    b"{'properties': '" + b"\\" * 50_001,
    b'{"properties":{"title":"' + b"A" * 3_000_000 + b'"}}',
    b'{"requests":[{"id":"1","method":"GET","url":"//["}]}',
    b'{"requests":[{"id":"1","method":"GET","url":"http://[::"}]}',
    b'{"requests":[{"id":[],"workspace":{},"path":1,"body":' + b"[" * 500 + b"]" * 500 + b"}]}",
    b'{"requests":[{"id":"1","workspace":"a/b\\u0000","path":"/query?%","method":"\\u0000"}]}',
    b'{"query":"SecurityIncident | where ' + b"(" * 5_000 + b'"}',
    b'{"timespan":"P99999999999999D","query":"SecurityIncident"}',
    b'{"query":"SecurityIncident","timespan":"9999-12-31T23:59:59Z/P9999Y"}',
    b'{"workspaces":["../../x","\\u0000"],"query":"SecurityIncident"}',
    b'{"incidentIds":[1e999],"alertIds":[{}]}',
    b'{"incidentIds":["99999999999999999999999","-1","\\u0661"],"mergeReasons":["x"]}',
    b'{"alertIds":["x"],"incidentId":"99999999999999999999999","newCorrelationReasons":["x"]}',
    b"grant_type=client_credentials&client_id=%00&client_secret=%ff&scope=%ED%A0%80",
    b"a=b&" * 1_000,
    b"[[fault]]\nstatus = 99999999999999999999",
    b'{"fault":[{"times":1e999}]}',
    b'{"advance":1e308}',
    b"seed = 1.5\n[[fault]]\nwhat = 'refuse'\nstatus = 429",
    b"a = " + b"[" * 5_000,
    b"a" + b".a" * 1_000 + b" = 1",
    b"fault = [{status = " + b"9" * 5_000 + b"}]",
    b"[[fault]]\nname = 1979-05-27T07:32:00Z",
    b'{"advance":-1}',
    b'{"ahead":1e308,"limits":"\\u0000"}',
    b'{"pageSize":99999999999999999999,"sortBy":[{}],"keywords":[1]}',
    b"\x00" * 100,
)
QUERIES = (
    *tuple(
        f"{name}={value}"
        for name, value in itertools.chain(
            itertools.product(
                ("$top", "$skip", "limit", "after"),
                (
                    "-1",
                    "0",
                    "1000000000",
                    "1e3",
                    "%D9%A3",
                    "",
                    "1.0",
                    "+1",
                    "9" * 50,
                    "%00",
                    "0x1",
                ),
            ),
            itertools.product(
                ("$skipToken",),
                (
                    "x",
                    "%FF",
                    "-1",
                    "9" * 400,
                    "A" * 10_000,
                    packed("[-1,-1]"),
                    packed('["",99999999999999999999999]'),
                    packed('["x",1]'),
                    packed('["a\\u0000",1]'),
                    packed("[" * 4_000),
                    packed("{}"),
                    packed("[null,null]"),
                    packed("[4611686018427387905,1]"),
                ),
            ),
            itertools.product(
                (
                    "$filter",
                    "$orderby",
                    "$select",
                    "$expand",
                    "$search",
                    "$count",
                    "query",
                    "timespan",
                ),
                (
                    "'",
                    "%00",
                    "((((",
                    "a eq 'b'".replace(" ", "%20"),
                    "%F0%9F%92%A9",
                    ",,,",
                    "x" * 9_000,
                ),
            ),
        )
    ),
    "$top=1&$top=-1",
    "$filter=x&$FILTER=y",
    "&&&;;;===",
    "%",
    "%zz=%zz",
    "=",
    "a=b&" * 300,
    f"$skipToken={bomb()}",
    "api-version=",
    "api-version=%00",
    "api-version=9999-99-99",
    f"api-version={'x' * 10_000}",
    "resource=%00&client_id=%00&object_id=%27",
    "changesafter=99999999999999999999",
    "names=%00",
    "names=" + "x," * 300,
    "kind=%00&name=%25&workspace=%27",
)
NAMES = (
    "..",
    ".",
    "...",
    "%2e%2e",
    "%2F",
    "a%2Fb",
    "..%2f..%2f",
    "%00",
    "a%00b",
    "%",
    "%zz",
    "%ED%A0%80",
    "%FF",
    "%C3%A9%E2%80%AE",
    "x" * 10_000,
    "'",
    "' OR 1=1 --",
    "%25",
    "_",
    "*",
    "{}",
    "<script>",
    "1e5",
    "-1",
    "99999999999999999999999",
    "%D9%A3",
    ";",
    "a;b=c",
    "%0d%0aX: y",
    "\u0130",
)
HEADERS = (
    ("Authorization", ""),
    ("Authorization", "Bearer"),
    ("Authorization", "Bearer "),
    ("Authorization", "Bearer a b"),
    ("Authorization", "Bearer a, Basic b"),
    ("Authorization", "Basic Og=="),
    ("Authorization", "Bearer " + "A" * 100_000),
    ("Authorization", "Bearer " + "." * 1_000),
    ("Authorization", "Bearer a.b.c"),
    ("Authorization", "Bearer \u00e9.\u00e9.\u00e9"),
    ("Authorization", "Bearer \u00ff"),
    ("X-Vedette-Key", "\u00ff"),
    ("X-IDENTITY-HEADER", "\u00ff"),
    ("Content-Type", "application/xml"),
    ("Content-Type", "application/json; charset=utf-7"),
    ("Content-Type", "\u00ff"),
    ("Content-Type", "multipart/form-data"),
    ("Content-Encoding", "gzip"),
    ("Content-Encoding", "br, zstd"),
    ("If-Match", "*"),
    ("If-Match", '"' * 10_000),
    ("If-Match", "\u00ff"),
    ("Prefer", "wait=99999999999999999999999"),
    ("Prefer", "," * 5_000),
    ("Accept", "application/x-ndjson;q=\u00ff"),
    ("x-ms-client-request-id", "\u00ff" * 10),
    ("client-request-id", "x" * 20_000),
    ("x-ms-correlation-request-id", "\u00ff"),
    ("ConsistencyLevel", "eventual"),
    ("Metadata", "maybe"),
)
METHODS = (
    "HEAD",
    "OPTIONS",
    "TRACE",
    "CONNECT",
    "PROPFIND",
    "MKCOL",
    "SEARCH",
    "MADE-UP",
    "get ",
    "X" * 500,
)
