"""Attacks on this project: kills, damaged files, hostile boards, faults of the line. `make attack` runs all of them."""
