"""pycwt_mod's backend ``elm11_lua``: importing this module registers it where pycwt_mod is installed."""

from importlib import import_module


def register() -> None:
    """Put the backend into pycwt_mod's registry; pycwt_mod itself may call this while it is imported."""
    import_module("elm11_lua_driver.pycwt_api.mod_backend").register()


from .pycwt_api.mod_backend import ELM11LuaBackend, get_recommended_backend  # noqa: E402  which may import pycwt_mod

__all__ = ["ELM11LuaBackend", "get_recommended_backend", "register"]
