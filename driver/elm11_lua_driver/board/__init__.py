"""One board: find it, run code on it, keep programs in it, have it compute."""
