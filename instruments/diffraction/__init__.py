"""A beamline that takes diffraction patterns of a thin film, spot by spot."""
