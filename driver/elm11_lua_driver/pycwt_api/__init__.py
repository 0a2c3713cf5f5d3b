"""pycwt's functions with pycwt's arguments, and pycwt_mod's backend."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
