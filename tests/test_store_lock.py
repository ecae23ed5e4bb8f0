from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

import runs
from vedette.errors import Asked, Overtaken
from vedette.store.lock import Lock


def test_a_lock_that_was_released_can_be_taken_again_and_leaves_nothing(tmp_path):
    lock = Lock(tmp_path / "locks", "watch-rules", runs.WHO)
    lock.release()
    lock.release()
    assert list((tmp_path / "locks").iterdir()) == []
    Lock(tmp_path / "locks", "watch-rules", runs.WHO).release()


def test_who_has_to_wait_is_told_for_whom(tmp_path):
    lock = Lock(tmp_path, "r-1", runs.WHO)
    with pytest.raises(Overtaken) as error:
        Lock(tmp_path, "r-1", runs.WHO, of="run r-1")
    assert error.value.message == (
        "run r-1 is held by process 4711 on night since 2026-11-23T07:15:00Z"
    )
    Lock(tmp_path, "r-2", runs.WHO).release()
    lock.release()


def test_a_lock_whose_holder_wrote_no_name_still_holds(tmp_path):
    lock = Lock(tmp_path, "r-1", runs.WHO)
    (tmp_path / "r-1.lock").write_bytes(b"\xff")
    with pytest.raises(Overtaken, match="r-1 is held by another process"):
        Lock(tmp_path, "r-1", runs.WHO)
    lock.release()


def test_a_killed_process_lets_go(tmp_path):
    child = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from vedette.store.lock import Lock
        from vedette.store.records import Sitting
        lock = Lock(Path(sys.argv[1]), "r-1", Sitting(at="now", host="here", pid=1))
        print("held", flush=True)
        sys.stdin.read()
        """
    )
    with subprocess.Popen(
        [sys.executable, "-c", child, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with pytest.raises(Overtaken, match="held by process 1 on here since now"):
            Lock(tmp_path, "r-1", runs.WHO)
        process.kill()
        process.wait()
        assert (tmp_path / "r-1.lock").exists()
        Lock(tmp_path, "r-1", runs.WHO).release()


@pytest.mark.parametrize("name", ["../r", "", "a/b", ".", "r 1", "x" * 200])
def test_a_name_never_leaves_the_folder(tmp_path, name):
    with pytest.raises(Asked, match="cannot be the name"):
        Lock(tmp_path / "locks", name, runs.WHO)
    assert not (tmp_path / "locks").exists()
