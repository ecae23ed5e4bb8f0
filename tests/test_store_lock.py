from __future__ import annotations

import stat
import subprocess
import sys
import textwrap

import pytest

import runs
from vedette.errors import Asked, Failed, Overtaken
from vedette.store.lock import Lock, scope_name


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


def test_a_scope_has_one_name_whatever_the_order_and_no_other_scope_has_it():
    name = scope_name("watch", ["/subscriptions/1/a", "/subscriptions/2/b", "rules.yaml"])
    same = ["rules.yaml", "/subscriptions/2/b", "/subscriptions/1/a", "rules.yaml"]
    assert scope_name("watch", same) == name
    assert name.startswith("watch-")
    others = [["/subscriptions/1/a"], ["/subscriptions/1/a/subscriptions/2/b", "rules.yaml"], []]
    assert len({name, *(scope_name("watch", other) for other in others)}) == 4
    assert scope_name("sync", same) != name


def test_two_who_watch_one_scope_are_told_of_each_other(tmp_path):
    name = scope_name("watch", ["soc-eu", "rules.yaml"])
    held = Lock(tmp_path, name, runs.WHO, of="watch of soc-eu")
    with pytest.raises(Overtaken, match="watch of soc-eu is held by process 4711 on night since"):
        Lock(tmp_path, name, runs.WHO, of="watch of soc-eu")
    Lock(tmp_path, scope_name("watch", ["soc-us", "rules.yaml"]), runs.WHO).release()
    held.release()


@pytest.mark.skipif(sys.platform == "win32", reason="modes are POSIX's")
def test_only_its_owner_can_read_who_holds_it(tmp_path):
    lock = Lock(tmp_path / "locks", "r-1", runs.WHO)
    assert stat.S_IMODE((tmp_path / "locks" / "r-1.lock").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "locks").stat().st_mode) == 0o700
    lock.release()


def test_where_there_can_be_no_lock_nobody_is_said_to_hold_it(tmp_path):
    """A file in the folder's place: as on a file system that knows no locks."""
    (tmp_path / "locks").write_text("")
    with pytest.raises(Failed, match="locks: there can be no lock: File exists"):
        Lock(tmp_path / "locks", "r-1", runs.WHO)
