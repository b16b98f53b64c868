"""The processes of a campaign, by what they do; this module loads nothing."""

from typing import Literal

Role = Literal["controller", "engine", "worker", "gate", "twin", "archive", "notifier"]

FOLDER = "processes"
"""In a campaign's directory: the launch file, and a log for each process."""
