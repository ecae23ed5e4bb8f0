"""What is told of a STIX pattern."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vedette.service.arm.stix_patterns import MOST_VALUES, parsed


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        (
            "[domain-name:value = 'evil.example']",
            {"domain-name": [("domain-name", "evil.example")]},
        ),
        (
            "[url:value='https://e.example/a?b=1&c=(2)']",
            {"url": [("url", "https://e.example/a?b=1&c=(2)")]},
        ),
        (
            "[file:hashes.'SHA-256' = 'aa' OR file:hashes.MD5 = 'bb']",
            {"file": [("SHA-256", "aa"), ("MD5", "bb")]},
        ),
        (
            r"[domain-name:value = 'it\'s' AND ipv6-addr:value = '::1'] FOLLOWEDBY [url:value = 'u']",
            {
                "domain-name": [("domain-name", "it's")],
                "ipv6-addr": [("ipv6-addr", "::1")],
                "url": [("url", "u")],
            },
        ),
        (
            "[ipv4-addr:value IN ('1.1.1.1', '2.2.2.2')]",
            {"ipv4-addr": [("ipv4-addr", "1.1.1.1"), ("ipv4-addr", "2.2.2.2")]},
        ),
        (
            "[network-traffic:src_ref.value = 'x' AND network-traffic:dst_port = 22]",
            {"network-traffic": [("0", "x"), ("1", "22")]},
        ),
        ("rule evil { condition: true }", {}),
        ("", {}),
    ],
)
def test_a_pattern_is_told_by_its_values(pattern, told):
    assert {
        one["patternTypeKey"]: [
            (value["valueType"], value["value"]) for value in one["patternTypeValues"]
        ]
        for one in parsed(pattern)
    } == told


def test_a_pattern_is_told_so_far_and_no_further():
    (told,) = parsed(" OR ".join(f"[url:value = '{number}']" for number in range(2_000)))
    assert len(told["patternTypeValues"]) == MOST_VALUES
    assert parsed("[url:value = '" + "\\'" * 200_000) == []
    assert parsed("a:" * 100_000 + "a." * 100_000) == []
    assert parsed("a" * 250 + ":" + "a" * 200_000) == []


@given(st.text(st.sampled_from("[]ab:.='\\ (),IN-\n"), max_size=60))
def test_no_pattern_is_too_much_for_it(pattern):
    for one in parsed(pattern):
        assert one["patternTypeValues"]
