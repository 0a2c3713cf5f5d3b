"""One board: find it, run code on it, keep programs in it, have it compute."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
