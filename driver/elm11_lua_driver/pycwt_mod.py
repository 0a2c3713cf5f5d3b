"""pycwt_mod's backend ``elm11_lua``: importing this module registers it where pycwt_mod is installed."""

import contextlib

from .pycwt_api.mod_backend import ELM11LuaBackend, get_recommended_backend, register

__all__ = ["ELM11LuaBackend", "get_recommended_backend", "register"]

with contextlib.suppress(ImportError):
    register()
