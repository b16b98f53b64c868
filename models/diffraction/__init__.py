"""Powder diffraction: from crystal structures to patterns, and patterns from files."""
