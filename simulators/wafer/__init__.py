"""A combinatorial wafer at a diffraction beamline: recorded ones, and ones that are made up."""
