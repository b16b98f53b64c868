"""A scanning probe microscope without hardware: real maps, and a tip that wears."""
