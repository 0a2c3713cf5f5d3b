"""The exact pipeline: pycwt's mathematics, step by step, and vectorised over simulations."""
