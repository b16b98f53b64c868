"""Values that may be used once only: spots of a sample, wells of a plate, capillaries."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from agents.protocols import Parameters, Value
from agents.space import Space


@dataclass(frozen=True)
class Spent:
    """What is used up of the values that *space* allows once; by parameter."""

    space: Space
    used: Mapping[str, frozenset[Value]]

    @classmethod
    def of(cls, space: Space, points: Iterable[Parameters]) -> "Spent":
        """Return what *points* have used up."""
        found = list(points) if space.once else []
        return cls(space, {n: frozenset(p[n] for p in found if n in p) for n in space.once})

    def left(self, name: str) -> list[Value]:
        """Return the values of the parameter *name* that are left, in their order."""
        levels = self.space.parameter(name).levels or ()
        return [level for level in levels if level not in self.used.get(name, ())]

    @property
    def exhausted(self) -> bool:
        """Whether no point is left, since a parameter has no value left."""
        return any(not self.left(name) for name in self.used)

    def free(self, point: Parameters) -> bool:
        """Whether *point* uses nothing that is used up."""
        return all(point[name] not in values for name, values in self.used.items())

    def renewed(self, points: Sequence[Parameters]) -> list[Parameters]:
        """Return *points* with values that are left in the place of those used up.

        In turn, so that each is tried; points that can't be renewed within the constraints are
        left out.
        """
        if not self.used:
            return list(points)
        left = {name: self.left(name) for name in self.used}
        if self.exhausted:
            return []
        return [
            renewed
            for turn, point in enumerate(points)
            for renewed in [self._renewed(point, turn, left)]
            if renewed is not None
        ]

    def _renewed(
        self, point: Parameters, turn: int, left: Mapping[str, Sequence[Value]]
    ) -> Parameters | None:
        wrong = [name for name, values in self.used.items() if point[name] in values]
        if not wrong:
            return point
        for shift in range(max(len(left[name]) for name in wrong)):
            news = {name: left[name][(turn + shift) % len(left[name])] for name in wrong}
            renewed = {**point, **news}
            if not self.space.check(renewed):
                return renewed
        return None
