"""Why the gate trips: the first cause stays, what came later is listed after it."""

from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any


class CauseKind(StrEnum):
    """What it was that tripped; only the death of our own processes may have a standing release."""

    RULE = "rule"
    PROCESS = "process"
    STOP = "stop"
    PERSON = "person"
    JOURNAL = "journal"
    UNSAFE = "not safe"
    """A signal didn't take its safe value."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for a trip; *rule* is the name of the rule, if it was one."""

    kind: CauseKind
    reason: str
    rule: str = ""
    at: float = 0.0
    """Campaign seconds since 1970."""

    def __str__(self) -> str:
        return f"{self.rule}: {self.reason}" if self.rule else self.reason


MOST_CONSEQUENCES = 50
"""So many are kept; of what comes after, only the number is."""


@dataclass(frozen=True, slots=True)
class Trip:
    """What the gate has tripped for, and how far the bench is safe since."""

    cause: Cause | None = None
    consequences: tuple[Cause, ...] = ()
    occurrence: int = 0
    """Grows with each cause and each consequence, and never falls."""
    reached: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)

    def with_cause(self, cause: Cause) -> "Trip":
        """Return this with one more cause: the first where there is none, else a consequence."""
        occurrence = self.occurrence + 1
        if self.cause is None:
            return replace(self, cause=cause, occurrence=occurrence)
        kept = (*self.consequences, cause)[:MOST_CONSEQUENCES]
        return replace(self, consequences=kept, occurrence=occurrence)

    def released(self) -> "Trip":
        """Return what is left after the reset: the count alone."""
        return Trip(occurrence=self.occurrence)

    def record(self) -> dict[str, Any]:
        """Return this for the gate's record."""
        return {
            "cause": None if self.cause is None else _plain(self.cause),
            "consequences": [_plain(cause) for cause in self.consequences],
            "occurrence": self.occurrence,
            "reached": list(self.reached),
            "failed": dict(self.failed),
        }

    @classmethod
    def recorded(cls, record: dict[str, Any]) -> "Trip":
        """Return what ``record`` wrote."""
        cause = record["cause"]
        return cls(
            None if cause is None else _cause(cause),
            tuple(_cause(each) for each in record["consequences"]),
            record["occurrence"],
            tuple(record["reached"]),
            dict(record["failed"]),
        )


def _plain(cause: Cause) -> dict[str, Any]:
    return {"kind": cause.kind.value, "reason": cause.reason, "rule": cause.rule, "at": cause.at}


def _cause(record: dict[str, Any]) -> Cause:
    return Cause(CauseKind(record["kind"]), record["reason"], record["rule"], record["at"])
