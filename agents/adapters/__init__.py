"""Agents of other libraries, as ours are: asked and told."""
