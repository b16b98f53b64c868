"""A scanning probe microscope: frames, sparse scans, hysteresis loops, and a tip that wears."""
