from . import pair
from .checks import check_series, default_scales, wavelet_name
from .pair import Series, SeriesPair, read_both, read_series
from .table import SeriesTable

__all__ = [
    "Series",
    "SeriesPair",
    "SeriesTable",
    "check_series",
    "default_scales",
    "pair",
    "read_both",
    "read_series",
    "wavelet_name",
]
