"""Stand-in for pycwt_mod; see the README beside it."""

from pycwt_mod.wavelet import Morlet, wct_significance

__all__ = ["Morlet", "wct_significance"]
