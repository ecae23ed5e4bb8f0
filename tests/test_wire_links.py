from __future__ import annotations

from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vedette.errors import Asked, Strayed
from vedette.wire.dialect import Place
from vedette.wire.links import inside, segment

PLACE = Place(endpoint="https://localhost:8443", path="/v1.0", name="contoso")
PARTS = st.sampled_from(
    (
        "https://",
        "http://",
        "localhost",
        "localhost:8443",
        "evil.example",
        "@",
        ":",
        "/",
        "//",
        "/v1.0/security/",
        "..",
        "%2e%2e",
        "\\",
        "?",
        "#",
        "$skip=1",
        " ",
        "\n",
        "\u2028",
        "é",
        "[",
    )
)


@given(st.lists(PARTS, max_size=8).map("".join) | st.text(max_size=30))
@example("https://localhost:8443/v1.0/security/incidents?$skip=1 2")
def test_a_link_that_is_followed_leads_nowhere_else(link):
    try:
        url = inside(link, PLACE, "/v1.0/security/")
    except Strayed:
        return
    there = urlsplit(url)
    assert (there.scheme, there.netloc) == ("https", "localhost:8443")
    assert there.path.lower().startswith("/v1.0/security/")
    assert ".." not in there.path.split("/")
    assert url.isascii()
    assert url.isprintable()
    assert " " not in url


def test_a_port_of_our_own_must_be_that_of_the_link():
    assert inside("https://localhost:8443/v1.0/x", PLACE, "/v1.0/")
    for link in ("https://localhost/v1.0/x", "https://localhost:443/v1.0/x"):
        with pytest.raises(Strayed, match="another port"):
            inside(link, PLACE, "/v1.0/")


def test_what_a_link_holds_is_kept():
    link = "https://localhost:8443/v1.0/x?$filter=a%20eq%20'b'&$skiptoken=H4~-_%3D,(1):;"
    assert inside(link, PLACE, "/v1.0/") == link


@given(st.text(min_size=1, max_size=20))
def test_an_id_is_one_segment_or_refused(id):
    try:
        spelled = segment(id)
    except Asked:
        assert id in (".", "..")
        return
    assert not {*"/?#\\ "} & {*spelled}
    assert spelled.isascii()
