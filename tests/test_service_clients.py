"""What clients that nobody here wrote are known to send, and the page that sets them up."""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from pathlib import Path
from urllib.parse import quote

import pytest

from served import EU, GRAPH, INSIGHTS, edge
from shell import Shell
from vedette.service.edge.environment import described

PAGE = Path(__file__).parents[1] / "docs" / "clients.md"
PROXIED = re.compile(r"^```(\w+) proxied\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# What one client that is not installed here writes: no capital, and Python where JSON is meant.
LOWER = EU.replace("resourceGroups", "resourcegroups") + INSIGHTS
AS_PYTHON = {"Content-Type": "application/json"}


@pytest.fixture(params=["memory", "socket"])
def it(request, tmp_path):
    made = edge(request.param, tmp_path, 20)
    yield made
    made.close()


def put(it, path, version, **body):
    url = f"{LOWER}{path}?api-version={version}"
    told = it.ask("PUT", url, str(body).encode(), headers=AS_PYTHON)
    assert told.status in (200, 201), told.body
    return told.json


# ---- msticpy


def test_a_bookmark_is_tied_to_an_incident_in_the_way_of_msticpy(it):
    """Its id of what is related lacks the slash at the beginning."""
    title = 'it\'s "quoted" é'
    one = put(it, "/incidents/one", "2020-01-01", properties=drill(title))
    assert one["properties"]["title"] == title
    put(it, "/bookmarks/b", "2020-01-01", properties={"displayName": "b", "query": "T | take 1"})
    to = f"{LOWER.removeprefix('/')}/bookmarks/b"
    told = put(it, "/incidents/one/relations/r", "2021-04-01", properties={"relatedResourceId": to})
    assert told["properties"]["relatedResourceId"] == f"{EU}{INSIGHTS}/Bookmarks/b"
    asked = it.ask("POST", f"{LOWER}/incidents/one/bookmarks?api-version=2021-04-01", b"")
    assert [one["name"] for one in asked.json["value"]] == ["b"]


def test_an_update_in_the_way_of_msticpy_names_title_status_and_the_etag(it):
    etag = put(it, "/incidents/one", "2020-01-01", properties=drill("a"))["etag"]
    changed = {"severity": "High", "title": "a", "status": "Active"}
    after = put(it, "/incidents/one", "2020-01-01", properties=changed, etag=etag)
    assert (after["properties"]["severity"], after["properties"]["status"]) == ("High", "Active")
    stale = {"properties": changed, "etag": etag}
    told = it.ask("PUT", f"{LOWER}/incidents/one?api-version=2020-01-01", str(stale).encode())
    assert (told.status, told.code) == (409, "Conflict")


def drill(title):
    return {"title": title, "severity": "Low", "status": "New"}


def test_a_filter_is_understood_however_it_is_encoded(it):
    it.make("one", title="a b")
    wanted = "properties/title eq 'a b'"
    for spelled in (quote(wanted), wanted.replace(" ", "+"), quote(wanted, safe="")):
        for name in ("$filter", "%24filter"):
            told = it.ask("GET", f"{LOWER}/incidents?api-version=2020-01-01&{name}={spelled}")
            assert [one["name"] for one in told.json["value"]] == ["one"], (name, spelled)


# ---- msgraph-sdk


def test_graph_answers_where_msgraph_sdk_doubles_a_slash(it):
    token = it.sign_in(audience=GRAPH).json["access_token"]
    headers = {"Authorization": f"Bearer {token}"}
    path = "/security/incidents?$top=1"
    once, twice = (
        it.ask("GET", f"/v1.0{slash}{path}", app=None, headers=headers) for slash in ("", "/")
    )
    assert once.status == twice.status == 200
    assert twice.json["value"] == once.json["value"] != []


def test_a_batch_of_msgraph_core_names_whole_addresses_and_its_own_member(it):
    token = it.sign_in(audience=GRAPH).json["access_token"]
    asked = {
        "id": "a",
        "method": "GET",
        "url": f"{it.url}/v1.0/security/incidents?$top=1",
        "headers": {},
        "body": None,
        "depends_on": [],
    }
    headers = {"Authorization": f"Bearer {token}"}
    told = it.ask("POST", "/v1.0/$batch", {"requests": [asked]}, app=None, headers=headers)
    assert [one["status"] for one in told.json["responses"]] == [200]


# ---- what they are told, and the page


def test_every_client_is_told_whom_to_trust(it):
    """Where a machine sets these already, the one that is forgotten here leads astray."""
    told = described(it.connection, it.url, authority="a.pem", bundle="b.pem", process=1)
    trust = {name: value for name, value in told["environment"].items() if value.endswith(".pem")}
    assert trust == {
        "SSL_CERT_FILE": "b.pem",
        "REQUESTS_CA_BUNDLE": "b.pem",
        "CURL_CA_BUNDLE": "b.pem",
        "NODE_EXTRA_CA_CERTS": "a.pem",
    }
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in told["environment"] if f"`{name}`" not in page] == ["VEDETTE_PROFILE"]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl here")
def test_the_blocks_that_come_through_the_proxy_run(tmp_path):
    """All of them against one service: nothing in them says where it is."""
    shell = Shell(tmp_path, profile=None)
    # a machine's own settings, which must not count
    shell.env |= {"CURL_CA_BUNDLE": "/none.pem", "REQUESTS_CA_BUNDLE": "/none.pem"}
    programs = {"sh": "sh -eu", "python": shlex.quote(sys.executable)}
    lines = []
    for number, (language, text) in enumerate(PROXIED.findall(PAGE.read_text(encoding="utf-8"))):
        (tmp_path / f"block{number}").write_text(text, encoding="utf-8")
        lines.append(f"{programs[language]} block{number}")
    assert len(lines) > 2
    words = ["serve", "--data", "world", "--port", "0", "--proxy", "0", "--sample", "60"]
    ran = shell.process(*words, "--", "sh", "-eu", "-c", " && echo && ".join(lines))
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"
    *_, some, all_ = ran.stdout.split()
    assert 0 < int(some) < int(all_)


def test_the_table_names_each_client_once_and_leads_to_its_part():
    page = PAGE.read_text(encoding="utf-8")
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^## (.+)$", page, re.MULTILINE)
    }
    led = re.findall(r"\]\(#([\w-]+)\)", page)
    assert len(led) == len(set(led)) > 8
    assert set(led) < anchors
