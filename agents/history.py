"""What an agent has been told, and what it must not suggest again."""

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agents.digest import canonical, plain
from agents.once import Spent
from agents.protocols import Measured, Observation, Parameters, Suggestion
from agents.space import Space


@dataclass
class History:
    """The observations told so far, in order."""

    space: Space
    observations: list[Observation] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.observations)

    def tell(self, observations: Iterable[Observation]) -> None:
        """Take in *observations*."""
        self.observations.extend(observations)

    def measured_in(self, objective: str) -> list[Observation]:
        """Return the observations that say something usable and finite of *objective*."""
        return [
            observation
            for observation in self.observations
            if observation.usable
            and (value := observation.values.get(objective)) is not None
            and math.isfinite(value.mean)
        ]

    def measured(self, objective: str) -> list[tuple[Parameters, Measured]]:
        """Return where *objective* was measured, and what: usable and finite values only."""
        return [(one.parameters, one.values[objective]) for one in self.measured_in(objective)]

    def blind(self, objective: str) -> list[Parameters]:
        """Return where an experiment could be made, and taught nothing about *objective*."""
        seen = {self.space.key(point) for point, _ in self.measured(objective)}
        return [
            observation.parameters
            for observation in self.observations
            if observation.feasible and self.space.key(observation.parameters) not in seen
        ]

    def failed(self) -> list[Parameters]:
        """Return where an experiment could not be made."""
        return [
            observation.parameters for observation in self.observations if not observation.feasible
        ]

    def taken(self, pending: Sequence[Suggestion]) -> set[tuple[float | int | str, ...]]:
        """Return the keys of all points that were tried or are *pending*."""
        points = [observation.parameters for observation in self.observations]
        points += [suggestion.parameters for suggestion in pending]
        return {self.space.key(point) for point in points}

    def spent(self, pending: Sequence[Suggestion]) -> Spent:
        """Return what was used up of values that may be used once, *pending* points included."""
        points = [observation.parameters for observation in self.observations]
        return Spent.of(self.space, [*points, *(suggestion.parameters for suggestion in pending)])


def stream_of(seed: int, known: int, pending: Sequence[Suggestion]) -> int:
    """Return the seed of one decision: of the agent's *seed*, what is *known* and *pending*.

    The same however often it is asked, and free of the ids that a controller gives.
    """
    content = {"seed": seed, "known": known, "pending": [plain(s.parameters) for s in pending]}
    return int.from_bytes(hashlib.sha256(canonical(content)).digest()[:7], "big")
