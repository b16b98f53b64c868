"""Runs the campaign: the one place where decisions meet hardware."""
