"""What an experiment teaches of a field: the variance that it takes, where the field varies."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from models.series.field import Field

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Teaching:
    """What is left to learn of *field* at *references* (r x d), *elsewhere* (q x d) being seen to.

    The integrated variance (Cohn, Neural Networks 9, 1996) of a field that varies more in some
    places than in others: there it is less sure than distances say.
    """

    field: Field
    references: Array
    elsewhere: Array

    def values(self, points: Array) -> Array:
        """Return the variance (m) that a measurement at *points* (m x d) takes, on the mean."""
        count = len(points)
        both = self._left(np.vstack([points, self.references]))
        shared, own = both[:count, count:], np.diag(both)[:count]
        noisy = np.maximum(own, 1e-12) + self.field.noise
        return np.asarray(np.square(shared) @ self._weights / noisy / len(self.references))

    @cached_property
    def _weights(self) -> Array:
        return self.field.variation(self.references)

    def _left(self, at: Array) -> Array:
        """Return the covariance (m x m) *at* places once *elsewhere* was measured, or may be."""
        waiting = len(self.elsewhere)
        covariance = self.field.covariance(np.vstack([self.elsewhere.reshape(-1, at.shape[1]), at]))
        if not waiting:
            return covariance
        known = covariance[:waiting, :waiting] + (self.field.noise + 1e-9) * np.eye(waiting)
        cross = covariance[:waiting, waiting:]
        return np.asarray(covariance[waiting:, waiting:] - cross.T @ np.linalg.solve(known, cross))
