from .coherence import caption, check_suffix, coherence_figure, noise_spectra_figure, plot_coherence, save_figure
from .levels import plot_convergence, plot_histogram, plot_significance

__all__ = [
    "caption",
    "check_suffix",
    "coherence_figure",
    "noise_spectra_figure",
    "plot_coherence",
    "plot_convergence",
    "plot_histogram",
    "plot_significance",
    "save_figure",
]
