"""Agents that aren't of this project: of a user's file, and of another process."""
