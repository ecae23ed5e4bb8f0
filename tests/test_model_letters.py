from __future__ import annotations

import json

from hypothesis import given

from test_report_clean import HOSTILE, steers
from vedette.model.letters import escaped, harmless


@given(HOSTILE)
def test_escaped_json_reads_back_exactly_and_steers_nothing(text):
    whole = text.encode("utf-8", "replace").decode()
    told = escaped(json.dumps(whole, ensure_ascii=False))
    assert json.loads(told) == whole
    assert not [one for one in told if steers(one)]


@given(HOSTILE)
def test_bytes_are_escaped_as_texts_are(text):
    plain = json.dumps(text.encode("utf-8", "replace").decode(), ensure_ascii=False)
    assert harmless(plain.encode()) == escaped(plain).encode()


def test_what_needs_no_escape_stays_the_very_bytes():
    plain = b'{"title":"Port scan"}'
    assert harmless(plain) is plain
