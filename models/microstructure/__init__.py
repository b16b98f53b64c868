"""Two-phase microstructures: made from a process's knobs, homogenised, encoded, and designed."""
