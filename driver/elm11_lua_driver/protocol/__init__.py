"""Bytes in, events out, with no port and no clock: result lines, commands, uploads."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
