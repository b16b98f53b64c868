"""Which phases a powder pattern shows, how much of each, and whether something is new."""
