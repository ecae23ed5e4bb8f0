from __future__ import annotations

import msgspec
import pytest

from golden_documents import ARM, INSIGHTS, NEW
from vedette.errors import Asked, Garbled, Strayed
from vedette.wire.http import Reply
from vedette.wire.incidents import Incidents

DIALECT = Incidents(ARM, api_version="2024-03-01")
AT = f"https://management.azure.com{INSIGHTS}/incidents"


def reply(document):
    return Reply(status=200, body=msgspec.json.encode(document))


def test_a_link_is_followed_with_its_spaces_encoded():
    """The service repeats $filter and $orderby in its links as they are, spaces and all."""
    link = f"{AT}?api-version=2024-03-01&$orderby=properties/title asc&$skipToken=H4sI-_%3d"
    assert DIALECT.follow(link).url == link.replace(" ", "%20")


def test_a_link_with_the_default_port_is_the_same_place():
    path = INSIGHTS.replace("resourceGroups", "resourcegroups").replace("soc-eu", "SOC-EU")
    link = f"https://MANAGEMENT.azure.com:443{path}/Incidents?$skipToken=abc"
    assert DIALECT.follow(link).url == (
        f"https://management.azure.com{path}/Incidents?$skipToken=abc"
    )


def test_what_a_link_brings_is_read_in_the_version_it_will_be_written_with():
    link = f"{AT}?api-version=2020-01-01&$skipToken=abc"
    assert DIALECT.follow(link).url == f"{AT}?api-version=2024-03-01&$skipToken=abc"


def test_another_incident_than_was_asked_for_is_no_answer():
    """A write goes to the id in the document: what answers must be what was asked."""
    asked = NEW["name"]
    assert DIALECT.seen(reply(NEW), asked.upper()).incident.id == asked
    for name in ("another", "", None):
        with pytest.raises(Garbled, match="another one came"):
            DIALECT.seen(reply({**NEW, "id": name, "name": name}), asked)


@pytest.mark.parametrize(
    "link",
    [
        f"https://evil.example{INSIGHTS}/incidents",
        f"http://management.azure.com{INSIGHTS}/incidents",
        f"https://management.azure.com:444{INSIGHTS}/incidents",
        f"https://management.azure.com.evil.example{INSIGHTS}/incidents",
        f"https://me:secret@management.azure.com{INSIGHTS}/incidents",
        f"https://management.azure.com@evil.example{INSIGHTS}/incidents",
        f"https://management.azure.com{INSIGHTS.replace('soc-eu', 'soc-us')}/incidents",
        f"https://management.azure.com{INSIGHTS}/../../other",
        f"https://management.azure.com{INSIGHTS}/%2e%2E/other",
        f"https://management.azure.com{INSIGHTS}/%2fother",
        f"https://management.azure.com{INSIGHTS}/incidents#more",
        f"https://management.azure.com{INSIGHTS}\\incidents",
        f"https://management.azure.com{INSIGHTS}/incidents?a\r\nHost: evil.example",
        f" https://management.azure.com{INSIGHTS}/incidents",
        f"//management.azure.com{INSIGHTS}/incidents",
        f"{INSIGHTS}/incidents",
        f"https://management.azure.com:99999{INSIGHTS}/incidents",
        f"https://[management.azure.com{INSIGHTS}/incidents",
        "",
    ],
)
def test_a_link_that_leads_elsewhere_is_not_followed(link):
    with pytest.raises(Strayed, match="soc-eu"):
        DIALECT.follow(link)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"value":[{"na',
        b"\xff\xfe",
        b"[]",
        b"{}",
        b'{"value":{}}',
        b'{"value":[1]}',
    ],
)
def test_an_answer_without_a_list_is_no_empty_list(body):
    with pytest.raises(Garbled):
        DIALECT.page(Reply(status=200, body=body))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"{}", b'{"properties":3}', b"\xff"])
def test_an_answer_without_an_incident_is_no_incident(body):
    with pytest.raises(Garbled):
        DIALECT.seen(Reply(status=200, body=body))


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"value":3}'])
def test_an_answer_without_comments_is_no_empty_list(body):
    with pytest.raises(Garbled):
        DIALECT.said(Reply(status=200, body=body))


@pytest.mark.parametrize("id", ["", ".", ".."])
def test_an_id_that_would_climb_out_is_refused(id):
    with pytest.raises(Asked):
        DIALECT.read(id)


def test_alerts_and_entities_are_asked_for_by_a_post_that_costs_as_a_write():
    """The service counts every POST of an incident as it counts writes."""
    calls = (DIALECT.alerts("4711"), DIALECT.entities("4711"))
    assert [(call.method, call.kind, call.body) for call in calls] == [("POST", "write", None)] * 2
    assert calls[0].url == f"{AT}/4711/alerts?api-version=2024-03-01"


def test_a_comment_of_which_little_is_known_is_read():
    (said,), link = DIALECT.said(reply({"value": [{"name": "c", "properties": None}]}))
    assert (said.id, said.message, said.author, said.created, link) == ("c", "", None, None, None)
    told = {"value": [3], "nextLink": AT}
    assert DIALECT.said(reply(told))[1] == AT


def test_a_document_is_kept_as_it_came():
    spaced = msgspec.json.format(msgspec.json.encode(NEW), indent=2)
    page = DIALECT.page(Reply(status=200, body=b'{"value": [' + spaced + b"]}"))
    assert page.seen[0].document == spaced
