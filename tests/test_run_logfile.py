"""The log file: lines that nobody can forge, and a disk that stops no run."""

from __future__ import annotations

import json
import stat

import pytest

from vedette.errors import Asked
from vedette.run.logfile import Log


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_hostile_text_cannot_forge_a_line_or_steer_a_terminal(tmp_path):
    path = tmp_path / "log.ndjson"
    log = Log(path, note=print)
    log.write("error", message='a\n{"event":"step"}\x1b[2J\u202e\x9b', other="\ud800")
    log.write("error", message='a\n{"event":"step"}\x1b[2J\u202e\x9b')
    log.close()
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") == 2
    assert text.isascii()
    assert "\x1b" not in text


def test_a_log_is_appended_to(tmp_path):
    path = tmp_path / "log.ndjson"
    for number in range(2):
        log = Log(path, note=print)
        log.write("error", code=str(number))
        log.close()
        log.close()
        log.write("error", code="after it was closed")
    assert [one["code"] for one in lines(path)] == ["0", "1"]


def test_a_log_that_cannot_be_written_any_more_says_so_once():
    said = []
    log = Log("/dev/full", note=said.append)
    log.write("error")
    log.flush()
    log.write("error")
    log.close()
    assert said == ["the log /dev/full ends here: No space left on device"]


def test_a_log_that_cannot_be_opened_is_refused(tmp_path):
    with pytest.raises(Asked, match="No such file or directory"):
        Log(tmp_path / "none" / "log", note=print)


def test_it_is_readable_by_its_owner_only_and_written_by_the_many(tmp_path):
    path = tmp_path / "log.ndjson"
    log = Log(path, note=print)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for number in range(63):
        log.write("call", number=number)
    assert path.stat().st_size == 0
    log.write("call", number=63)
    assert len(lines(path)) == 64
    log.close()
    path.chmod(0o640)  # somebody's own choice stays
    Log(path, note=print).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
