"""gpCAM's GPOptimizer, told and trained as its own ``optimize`` loop does.

Default kernel; training ("global", 20 iterations) at the start and at 10, 20, 50, 100 and 200
points. Neither several objectives nor constraints on outcomes.
"""

import logging
from collections.abc import Sequence

import numpy as np
from gpcam import GPOptimizer

from benchmarks.decisions.peers.adapter import Adapter, Outcome
from benchmarks.decisions.peers.question import Row, Value

TRAIN_AT = (10, 20, 50, 100, 200)
ITERATIONS = 20


class _Gpcam(Adapter):
    acquisition = ""
    sign = 1.0

    def begin(self) -> None:
        if self.question.constraints or len(self.question.outcomes) > 1:
            raise NotImplementedError("gpCAM: one objective, no constraints on outcomes")
        logging.disable(logging.WARNING)
        np.random.seed(self.question.seed)
        self.optimizer: GPOptimizer | None = None
        self.trained = 0

    def learn(self, rows: Sequence[tuple[Value, ...]], outcomes: Sequence[Outcome]) -> None:
        inputs = self.question.units(rows)
        values = self.sign * np.array([outcome[self.question.outcomes[0]] for outcome in outcomes])
        known = len(self.told)
        if self.optimizer is None:
            self.optimizer = GPOptimizer(inputs, values)
            due = True
        else:
            self.optimizer.tell(inputs, values, append=True)
            due = any(self.trained < count <= known for count in TRAIN_AT)
        if due:
            self.optimizer.train(method="global", max_iter=ITERATIONS)
            self.trained = known

    def propose(self, count: int) -> list[Row]:
        bounds = np.array([[0.0, 1.0]] * len(self.question.axes))
        return list(self.question.points(self._asked(bounds, count, max_iter=ITERATIONS)))

    def choose(self, free: Sequence[int], count: int) -> list[int]:
        left = list(free)
        chosen = []
        for point in self._asked(list(self._units[left]), count):
            distances = np.square(self._units[left] - point).sum(axis=1)
            chosen.append(left.pop(int(distances.argmin())))
        return chosen

    def _asked(
        self, where: np.ndarray | list[np.ndarray], count: int, **options: int
    ) -> np.ndarray:
        if self.optimizer is None:
            raise RuntimeError("gpCAM is asked before it was told anything")
        found = self.optimizer.ask(where, acquisition_function=self.acquisition, n=count, **options)
        return np.asarray(found["x"]).reshape(-1, self._columns)[:count]

    @property
    def _columns(self) -> int:
        return sum(len(axis.options) or 1 for axis in self.question.axes)


class GpcamLCB(_Gpcam):
    acquisition = "lcb"


class GpcamEI(_Gpcam):
    """Its expected improvement maximises, so the sign is turned."""

    acquisition = "expected improvement"
    sign = -1.0
