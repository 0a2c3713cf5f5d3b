"""Engines run the simulations of a job and return their histogram.

The engine, and how the simulations are cut, does not change a count.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
