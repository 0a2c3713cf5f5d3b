"""Drive an ELM11 board from Python, and compute wavelet-coherence significance levels with or without one."""
