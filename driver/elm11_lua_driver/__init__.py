"""Wavelet coherence and its significance levels: on this computer, or in Lua as on the ELM11 board.

Names are imported at their first use, so that the command line answers at once. `__init__.pyi` says where each lives.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
