"""Files that are whole or absent, and the folders in which a user's files live."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
