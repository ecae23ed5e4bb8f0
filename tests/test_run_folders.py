from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from vedette.errors import BadSettings
from vedette.run import folders

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="XDG's variables are Linux's")


def test_folders_are_made_where_xdg_says_for_their_owner_only(tmp_path, monkeypatch):
    """The library that knows the platforms reads the environment itself."""
    for kind in ("STATE", "DATA", "CONFIG"):
        monkeypatch.setenv(f"XDG_{kind}_HOME", str(tmp_path / kind))
    assert folders.state() == tmp_path / "STATE" / "vedette"
    assert folders.data() == tmp_path / "DATA" / "vedette"
    assert folders.config() == tmp_path / "CONFIG" / "vedette"
    assert stat.S_IMODE(folders.state().stat().st_mode) == 0o700
    assert stat.S_IMODE(folders.data().stat().st_mode) == 0o700
    assert not folders.config().exists()


def test_a_relative_folder_in_the_environment_is_not_obeyed(tmp_path, monkeypatch):
    """Secrets must not land in whatever folder a job happens to start in."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", "nowhere")
    assert folders.config().is_absolute()


def test_without_any_home_it_is_said_what_to_set():
    """A container's user may have neither HOME nor an entry in the list of users."""
    with pytest.raises(BadSettings, match="there is no home folder") as error:
        folders._rooted(Path("~/.local/state/vedette"))
    assert "XDG_STATE_HOME" in (error.value.hint or "")
