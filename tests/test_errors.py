"""Errors: what a record keeps of one, and how it is taken apart again."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.errors import Denied, without_request


@given(st.text(), st.from_regex(r"[0-9a-f-]{1,40}", fullmatch=True))
def test_what_is_told_of_an_error_gives_its_message_and_its_call_back(message, request):
    assert without_request(Denied(message).about(request).told) == (message, request)


@pytest.mark.parametrize(
    "told", ["", "no role", "(request", " (request x", "the (request is late) ha"]
)
def test_a_message_without_a_call_stays_as_it_is(told):
    assert without_request(told) == (told, None)
    assert Denied(told).told == told


def test_the_first_call_that_is_named_stays():
    assert Denied("no role").about(None).about("a").about("b").request == "a"
