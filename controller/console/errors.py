"""What the console refuses, as RFC 9457 problem details.

ControllerError
└── Refusal   what somebody asked over HTTP: a status, a code for programs, a sentence for people
"""

from typing import Any

from controller.errors import ControllerError
from controller.safety.cleaning import cleaned

MEDIA_TYPE = "application/problem+json"
LONGEST = 2000
TITLES = {
    400: "Bad request",
    401: "Not authenticated",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Not possible now",
    412: "Something has changed meanwhile",
    413: "Too large",
    421: "Wrong host",
    422: "Not accepted",
    423: "Tripped",
    429: "Too many",
    500: "Failed",
    503: "Nobody answers",
}


class Refusal(ControllerError):
    """A request that isn't carried out: nothing was done, unless *detail* says so."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        self.status, self.code, self.detail = status, code, detail
        super().__init__(detail)

    def problem(self) -> dict[str, Any]:
        """Return the problem details."""
        return {
            "type": f"urn:heliostat:problem:{self.code}",
            "title": TITLES.get(self.status, "Refused"),
            "status": self.status,
            "detail": cleaned(self.detail, LONGEST),
            "code": self.code,
        }
