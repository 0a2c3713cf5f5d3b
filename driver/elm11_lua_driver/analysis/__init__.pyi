from .coherence import CoherenceAnalysis, analyse
from .from_cwt import coherence_from_cwt

__all__ = [
    "CoherenceAnalysis",
    "analyse",
    "coherence_from_cwt",
]
