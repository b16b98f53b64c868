"""Good so far."""

gain = 1.0
