from __future__ import annotations

import subprocess
import sys

from vedette.wire import odata
from vedette.wire.bounds import narrow
from vedette.wire.filters import Filter, order, parse


def test_one_room_says_and_hears():
    assert (odata.narrow, odata.parse, odata.order, odata.Filter) == (narrow, parse, order, Filter)


def test_a_client_that_narrows_does_not_carry_the_reader_of_filters():
    program = "import sys, vedette.wire.incidents, vedette.wire.graph; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True
    ).stdout.split()
    assert "vedette.wire.bounds" in loaded
    assert not {"vedette.wire.filters", "lark"} & {*loaded}
