"""A furnace and a powder diffractometer: solid-state synthesis, and what came of it."""
