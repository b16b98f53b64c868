"""The devices of a beamline file: found, made, and read as they are now."""
