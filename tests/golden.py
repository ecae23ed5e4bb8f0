"""Where recorded and specified documents lie beside a checkout, when they do."""

from __future__ import annotations

from pathlib import Path

import pytest

GOLDEN = Path(__file__).parents[2] / "shared" / "golden"

needs_golden = pytest.mark.skipif(
    not GOLDEN.is_dir(), reason="the recorded exchanges are not beside this checkout"
)
