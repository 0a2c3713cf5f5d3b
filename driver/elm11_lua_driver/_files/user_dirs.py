"""The user's folders, which differ from system to system."""

from __future__ import annotations

from typing import TYPE_CHECKING

import platformdirs

if TYPE_CHECKING:
    from pathlib import Path


def config_folder() -> Path:
    """The folder of configuration, calibrations and runs.

    Returns:
        ``~/.config/elm11`` on Linux (``XDG_CONFIG_HOME`` is respected), its equivalents elsewhere.
    """
    return platformdirs.user_config_path("elm11", appauthor=False, roaming=True)


def cache_folder() -> Path:
    """The folder of files that can be computed again.

    Returns:
        ``~/.cache/elm11-lua-driver`` on Linux (``XDG_CACHE_HOME`` is respected), its equivalents elsewhere.
    """
    return platformdirs.user_cache_path("elm11-lua-driver", appauthor=False)
