from .coherence import DEFAULT_UNIT, CoherenceAnalysis, analyse
from .from_cwt import coherence_from_cwt

__all__ = [
    "DEFAULT_UNIT",
    "CoherenceAnalysis",
    "analyse",
    "coherence_from_cwt",
]
