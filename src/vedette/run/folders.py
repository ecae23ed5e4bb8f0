"""The user's folders for vedette: what is kept, what is configured, what is remembered."""

from __future__ import annotations

from pathlib import Path

import platformdirs

from vedette.errors import BadSettings

_ELSEWHERE = (
    "set HOME, or XDG_STATE_HOME, XDG_DATA_HOME and XDG_CONFIG_HOME, to where you may write"
)


def data() -> Path:
    """Return the folder of the local service's worlds, made for its owner only."""
    return _made(platformdirs.user_data_path("vedette", appauthor=False))


def state() -> Path:
    """Return the folder of the journal, made for its owner only."""
    return _made(platformdirs.user_state_path("vedette", appauthor=False))


def config() -> Path:
    """Return the folder where the user's own settings are looked for; it may not exist."""
    return _rooted(platformdirs.user_config_path("vedette", appauthor=False))


def _made(folder: Path) -> Path:
    try:
        _rooted(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise BadSettings(
            f"the folder {folder} cannot be made: {error.strerror}", hint=_ELSEWHERE
        ) from error
    return folder


def _rooted(folder: Path) -> Path:
    # Without a home a path may stay relative, and secrets would land wherever we stand.
    if not folder.is_absolute():
        raise BadSettings(
            f"there is no home folder to keep {folder} in",
            hint=_ELSEWHERE,
        )
    return folder
