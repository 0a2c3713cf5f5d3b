from .checks import check_series, default_scales, wavelet_name
from .pair import Series, SeriesPair, make_pair, read_both, read_series
from .reader import SeriesTable

__all__ = [
    "Series",
    "SeriesPair",
    "SeriesTable",
    "check_series",
    "default_scales",
    "make_pair",
    "read_both",
    "read_series",
    "wavelet_name",
]
