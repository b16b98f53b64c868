"""What can go wrong when people are told.

ControllerError
└── Undelivered   a channel didn't take a message: it is tried again
"""

from controller.errors import ControllerError


class Undelivered(ControllerError):
    """A channel didn't take a message; *wait_s* says when it wants the next, if it does."""

    def __init__(self, reason: str, wait_s: float | None = None) -> None:
        self.wait_s = wait_s
        super().__init__(reason)
