"""pycwt's functions with pycwt's arguments, and pycwt_mod's backend."""
