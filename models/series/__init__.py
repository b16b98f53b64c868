"""Series of patterns (a wafer, a ramp) as non-negative mixtures of a few."""
