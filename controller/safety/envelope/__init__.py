"""The envelope: the hard limits and rules of a bench, from its file to what the gate enforces."""
