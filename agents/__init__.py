"""Decide what to try next; know no hardware."""
