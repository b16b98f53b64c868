"""Problems whose truth is a formula.

Tolerances were set before any agent of ours was run on them, from the peers' measured curves:
what the better ones reach in the median at a half to two thirds of the budget, where methods
differ most.
"""

from collections.abc import Callable

import numpy as np

from agents.parameters import Continuous
from agents.protocols import Parameters, Value
from benchmarks.decisions import functions
from benchmarks.decisions.problem import Frame, Outcome, Problem, Wanted, unit_start

UNIT = (0.0, 1.0)
NOISE = 0.2
"""Standard deviation of the noisy Hartmann function: some 6 % of its range."""


class Synthetic(Problem):
    """A formula over a box, with normal noise of standard deviation *sigma*."""

    def __init__(
        self,
        frame: Frame,
        formula: Callable[[tuple[float, ...]], Outcome],
        sigma: float = 0.0,
    ) -> None:
        self.frame = frame
        self._formula = formula
        self._sigma = sigma

    def start(self, seed: int) -> list[dict[str, Value]]:
        """Return scrambled Sobol points."""
        lows = np.array([p.low for p in self.frame.parameters])
        highs = np.array([p.high for p in self.frame.parameters])
        rows = lows + unit_start(len(lows), self.frame.initial, seed) * (highs - lows)
        return [dict(zip(self.frame.names, row, strict=True)) for row in rows.tolist()]

    def truth(self, point: Parameters) -> Outcome:
        """Return the formula's value."""
        return self._formula(tuple(float(point[name]) for name in self.frame.names))

    def observe(self, point: Parameters, chance: np.random.Generator) -> Outcome:
        """Return the formula's value and the noise."""
        truth = self.truth(point)
        if not self._sigma:
            return truth
        return {
            name: value + self._sigma * float(chance.standard_normal())
            for name, value in truth.items()
        }


def box(*bounds: tuple[float, float]) -> tuple[Continuous, ...]:
    """Return numbers x0, x1, ... within *bounds*."""
    return tuple(Continuous(f"x{place}", *bound) for place, bound in enumerate(bounds))


def branin() -> Problem:
    frame = Frame(
        name="branin",
        kind="single",
        parameters=box((-5.0, 10.0), (0.0, 15.0)),
        wanted=(Wanted("y"),),
        initial=5,
        budget=30,
        optimum=functions.BRANIN_BEST,
        tolerance=0.05,
        why="0.05: the best peer's median after 20 of 30 experiments",
    )
    return Synthetic(frame, lambda x: {"y": functions.branin(*x)})


def hartmann6() -> Problem:
    frame = Frame(
        name="hartmann6",
        kind="single",
        parameters=box(*[UNIT] * 6),
        wanted=(Wanted("y"),),
        initial=12,
        budget=60,
        optimum=functions.HARTMANN6_BEST,
        tolerance=0.1,
        why="0.1: the better peers' median after 30 to 40 of 60; the second valley ends at 0.12",
    )
    return Synthetic(frame, lambda x: {"y": functions.hartmann6(np.array(x))})


def noisy6() -> Problem:
    frame = Frame(
        name="noisy6",
        kind="noisy",
        parameters=box(*[UNIT] * 6),
        wanted=(Wanted("y"),),
        initial=12,
        budget=60,
        optimum=functions.HARTMANN6_BEST,
        tolerance=0.4,
        why="0.4, 2 sigma of the noise, by a point visited: the better peers' median at 30 of 60",
    )
    return Synthetic(frame, lambda x: {"y": functions.hartmann6(np.array(x))}, NOISE)


def gramacy() -> Problem:
    frame = Frame(
        name="gramacy",
        kind="constrained",
        parameters=box(UNIT, UNIT),
        wanted=(Wanted("y"),),
        initial=5,
        budget=30,
        optimum=functions.GRAMACY_BEST,
        tolerance=0.01,
        why="0.01: the better peers' median after 15 of 30",
        constraints=("c1", "c2"),
    )
    return Synthetic(
        frame, lambda x: dict(zip(("y", "c1", "c2"), functions.gramacy(*x), strict=True))
    )


def branin_currin() -> Problem:
    frame = Frame(
        name="branin_currin",
        kind="multi",
        parameters=box(UNIT, UNIT),
        wanted=(Wanted("y0"), Wanted("y1")),
        initial=5,
        budget=40,
        optimum=functions.BRANIN_CURRIN_BEST,
        tolerance=3.0,
        why="3 (5 % of the hypervolume): the better peers' median after 30 of 40",
        reference=functions.BRANIN_CURRIN_REFERENCE,
    )
    return Synthetic(
        frame, lambda x: dict(zip(("y0", "y1"), functions.branin_currin(*x), strict=True))
    )


SYNTHETIC: dict[str, Callable[[], Problem]] = {
    problem.__name__: problem for problem in (branin, hartmann6, noisy6, gramacy, branin_currin)
}
