"""What an envelope declares beside limits and rules: signals, quantities, and how to be safe."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.safety.language.expression import Expression
from controller.safety.language.values import Term


@dataclass(frozen=True, slots=True)
class WatchedSignal:
    """A signal that rules name, and how long what it said counts."""

    term: Term
    max_age_s: float
    """It is unknown when it wasn't confirmed (heard or read) for so long, by the gate's clock."""
    updates_every_s: float | None = None
    """Only where it is given do the record's own time stamps count: the server must make one so
    often."""
    changes_every_s: float | None = None
    """Only where it is given is it unknown once it has said exactly the same for longer than this,
    by the gate's own clock: its sensor is noisy, and one that isn't any more is stuck."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """What rules speak of by one name; exactly one of the two forms.

    With *setpoint* and *readback* it is all between the last commanded, the asked for and the read
    value; with *expression* whatever that is.
    """

    unit: str
    setpoint: str = ""
    readback: str = ""
    expression: Expression | None = None


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the safe sequence: its writes are made beside each other and read back."""

    name: str
    within_s: float
    writes: Mapping[str, float | str]


@dataclass(frozen=True, slots=True)
class StandingRelease:
    """What a safety officer allows to be released without a person: deaths of our own processes.

    Never a condition at the bench, never an emergency stop. All arming checks pass again first.
    """

    at_most_per_h: int


@dataclass(frozen=True, slots=True)
class DeadMan:
    """Who is watched: the leases of our processes, and the record that makes the IOC go safe."""

    lease_s: float = 3.0
    """How long controller and engine may be silent (real seconds)."""
    record: str = ""
    """The PV that the gate renews every second; empty: this IOC has none."""
