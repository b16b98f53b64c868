"""What the console has others do: the gate, whoever runs the campaign, and the journal."""

from collections.abc import Mapping
from typing import Literal, Protocol

from controller.bus.gate_status import Status
from controller.safety.desk.commands import Accepted, Act

Ending = Literal["stop", "abort"]
Outcome = Literal["done", "not_done", "discard"]


class Acts(Protocol):
    """A campaign that can be spoken to; every call may wait, and runs in a thread of its own.

    Raises ActRefused where the gate refuses, GateLost where none answers, ConfigurationError
    for what isn't accepted. *person* is who says it, as the journal calls them.
    """

    def status(self) -> Status:
        """Return how the gate stands; called by one thread, twice a second."""
        ...

    def gate(self, act: Act) -> Accepted:
        """Have the gate do *act*."""
        ...

    def estop(self) -> str:
        """Have the bench made safe; return what is known once that has begun."""
        ...

    def end(self, how: Ending) -> str:
        """Ask whoever runs the campaign to end it: orderly, or at once with the bench made safe."""
        ...

    def suggest(self, at: Mapping[str, float | str], reason: str, person: str) -> str:
        """Have a point tried next."""
        ...

    def tell(
        self,
        at: Mapping[str, float | str],
        values: Mapping[str, tuple[float, float]],
        experiment: str,
        about: tuple[str, str],
    ) -> str:
        """Take in *values* (mean, sigma) measured elsewhere; *about* are reason and person."""
        ...

    def amend(
        self, experiment: str, values: Mapping[str, tuple[float, float]], reason: str, person: str
    ) -> str:
        """Correct values of *experiment*."""
        ...

    def retract(self, experiment: str, reason: str, person: str) -> str:
        """Take the observation of *experiment* back."""
        ...

    def resolve(self, experiment: str, outcome: Outcome, reason: str, person: str) -> str:
        """Say what became of *experiment*."""
        ...

    def close(self) -> None:
        """Hold no line to the gate any more."""
        ...
