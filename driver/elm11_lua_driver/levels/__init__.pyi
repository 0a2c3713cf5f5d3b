from .levels import Significance, significance
from .quantiles import check_level, quantiles, standard_errors
from .runner import Observer, run

__all__ = [
    "Observer",
    "Significance",
    "check_level",
    "quantiles",
    "run",
    "significance",
    "standard_errors",
]
