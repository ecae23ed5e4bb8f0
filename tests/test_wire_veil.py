"""What opens something is in no address that is kept, and in no text that a stranger sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.wire.http import Reply
from vedette.wire.problems import clean, problem
from vedette.wire.veil import untold, veiled

TOKEN = "eyJ0eXAiOiJKV1QifQ.eyJvaWQiOiIxIn0.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://x/a?sig=S%3D&b=1", "https://x/a?sig=***&b=1"),
        ("https://x/a?b=1&SIG=S", "https://x/a?b=1&SIG=***"),
        ("https://x/a?s%69g=S", "https://x/a?s%69g=***"),
        (
            "https://x/a?client_secret=S&access_token=T",
            "https://x/a?client_secret=***&access_token=***",
        ),
        ("https://me:secret@x/a?b=1", "https://x/a?b=1"),
        ("https://x/a?$filter=a eq 'sig'", "https://x/a?$filter=a eq 'sig'"),
        ("https://x/users/linda@contoso.example", "https://x/users/linda@contoso.example"),
        ("/a?sig", "/a?sig"),
    ],
)
def test_an_address_is_kept_without_what_opens_it(url, shown):
    assert veiled(url) == shown


@given(st.text(alphabet="abcABC019-._~%", min_size=12))
def test_whatever_a_signature_looks_like_it_is_not_kept(value):
    assert value not in veiled(f"https://x/a?api-version=1&sig={value}&b=2")


@pytest.mark.parametrize(
    "said",
    [
        f"{TOKEN} is no token",
        f"header 'Bearer {TOKEN}'",
        f"Bearer {TOKEN[3:]}",
        "Basic dXNlcjpwYXNzd29yZA==",
    ],
)
def test_a_token_that_a_proxy_says_back_is_shown_to_nobody(said):
    for shown in (untold(said), clean(said), problem(_refused(said), "it").message):
        assert "***" in shown
        assert TOKEN[3:] not in shown
        assert "dXNlcjp" not in shown


def _refused(said):
    return Reply(status=403, body=b'{"error":{"code":"x","message":"%b"}}' % said.encode())


@pytest.mark.parametrize(
    "said", ["the basic plan", "Bearer of bad news", "", "eyJ is how they begin"]
)
def test_other_words_stay(said):
    assert untold(said) == said
