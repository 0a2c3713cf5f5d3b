"""Coherence of a user's own series, with its significance."""
