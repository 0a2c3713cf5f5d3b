"""The one-page HTML report, its caveats and the script that reproduces it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
