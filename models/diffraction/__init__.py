"""Powder diffraction: from crystal structures to patterns, and patterns from files.

``read_structures`` (structure) and ``phases_of`` (phase) give the lines of CIF files,
``PhasePatterns`` (pattern) their patterns with strain, size, texture and an instrument, and
``Bank``, ``mix`` and ``measure`` (mixing) scans of mixtures with counting noise.
"""
