"""The powder station's twin: precursors that react in a furnace, and their diffraction patterns."""
