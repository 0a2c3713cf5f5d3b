"""From jobs to histograms, and from histograms to significance levels."""
