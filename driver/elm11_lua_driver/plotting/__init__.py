"""Figures of coherence and of levels."""
