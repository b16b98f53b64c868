"""The full-pattern fit: how much of each phase, with what is uncertain about cell and instrument
refined beside it.

Weights of the phases and of a smooth background are linear, and solved for (those of phases
non-negative); the rest (see refinement.py) is refined by Gauss-Newton steps on what is left of
the pattern (variable projection: Kaufman, BIT 15, 49, 1975), with Gaussian priors.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import nnls

from models.diffraction.grid import Grid
from models.diffraction.pattern import PhasePatterns
from models.diffraction.radiation import FloatArray
from models.diffraction.resampling import Scan
from models.phases.background import background_columns
from models.phases.leftover import Leftover, leftover_of
from models.phases.refinement import (
    PRIOR,
    REACH,
    SHARED,
    STEP,
    Key,
    State,
    beginning,
    changed,
    own_keys,
)

MODEL_ERROR = 0.08
"""Part of the lines' intensity that no model describes: an uncertainty beside the counts'."""
COARSE_ROUNDS, FINE_ROUNDS, MORE_ROUNDS = 2, 4, 2
BLUR_DEG = 0.3
"""By how much scan and patterns are widened in the coarse rounds, to find each other."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """What a fit says of the phases it was given (k).

    ``fractions`` by mass and ``covariance`` (k x k) of them, from noise and misfit; ``shares``
    of the scattered intensity; ``gains`` in chi², over the misfit, from having each phase;
    ``strains`` of the cells; ``misfit`` is chi² per point.
    """

    phases: tuple[int, ...]
    fractions: FloatArray
    covariance: FloatArray
    shares: FloatArray
    gains: FloatArray
    strains: FloatArray
    displacement: float
    misfit: float
    leftover: Leftover
    state: State

    @property
    def sigma(self) -> FloatArray:
        """Standard uncertainties (k) of the fractions."""
        return np.sqrt(np.clip(np.diag(self.covariance), 0.0, None))


class FullPattern:
    """Fits scans on *grid*, taken with what *simulators* (of all phases) simulate."""

    def __init__(self, simulators: Sequence[PhasePatterns], grid: Grid, second: float) -> None:
        self._simulators, self._grid, self._second = list(simulators), grid, second
        self._background = background_columns(grid)

    def fit(
        self, scan: Scan, phases: Sequence[int], displacement: float, strains: FloatArray
    ) -> Fitted:
        """Return the fit of *phases* to *scan*, begun at *displacement* and *strains* (theirs)."""
        simulators = [self._simulators[k] for k in phases]
        state = beginning(simulators, displacement, strains, self._second)
        coarse = _Problem(scan, simulators, self._background, self._grid, BLUR_DEG)
        for _ in range(COARSE_ROUNDS):
            state = coarse.step(state)
        return self._refined(scan, phases, state, FINE_ROUNDS)

    def go_on(self, scan: Scan, phases: Sequence[int], before: Fitted) -> Fitted:
        """Return the fit of some of the phases of a fit *before*, begun where that ended."""
        places = [before.phases.index(k) for k in phases]
        return self._refined(scan, phases, before.state.of(places), MORE_ROUNDS)

    def _refined(self, scan: Scan, phases: Sequence[int], state: State, rounds: int) -> Fitted:
        simulators = [self._simulators[k] for k in phases]
        fine = _Problem(scan, simulators, self._background, self._grid, 0.0)
        for _ in range(rounds):
            state = fine.step(state)
        return fine.result(tuple(phases), state)


@dataclass(slots=True)
class _Linear:
    """The linear part at one state: patterns (k x n), derivatives, weights, residual."""

    patterns: FloatArray
    columns: FloatArray
    jacobian: FloatArray
    keys: list[Key]
    weights: FloatArray
    residual: FloatArray
    objective: float


class _Problem:
    """One scan and some phases; everything is over the measured points (n)."""

    def __init__(
        self,
        scan: Scan,
        simulators: Sequence[PhasePatterns],
        background: FloatArray,
        grid: Grid,
        blur: float,
    ) -> None:
        self._simulators, self._grid, self._blur = simulators, grid, blur
        self._mask = scan.measured
        intensity = _widened(scan, blur / grid.step) if blur else scan.intensity
        self._y = intensity[self._mask]
        self._variance = scan.variance[self._mask]
        smooth = _mean_of(intensity, 5)[self._mask]
        lines = np.clip(smooth - np.percentile(smooth, 20), 0.0, None)
        self._weight = 1 / np.sqrt(self._variance + (MODEL_ERROR * lines) ** 2)
        self._background = background[self._mask]
        self._smooth = np.linalg.qr(self._background * self._weight[:, None])[0]
        self._target = self._clear(self._y * self._weight)
        self._before: tuple[State, float] | None = None
        self._used = [True] * len(simulators)
        self._damping = 1.0

    def step(self, state: State) -> State:
        """Return the state after one step; back from a step that made it worse."""
        linear = self._solve(state)
        if self._before is not None and linear.objective > self._before[1]:
            self._damping *= 8.0
            state = self._before[0]
            linear = self._solve(state)
        else:
            self._damping = max(self._damping / 4, 0.1)
        self._before = (state, linear.objective)
        noise = max(1.0, float(linear.residual @ linear.residual) / len(self._y))
        jacobian = linear.jacobian
        active = linear.columns[:, linear.weights > 0]
        if active.size:
            basis = np.linalg.qr(active)[0]
            jacobian = jacobian - basis @ (basis.T @ jacobian)
        sigma = np.array([PRIOR[key.kind] for key in linear.keys])
        away = np.array([state.value(key) - self._home(key) for key in linear.keys])
        normal = jacobian.T @ jacobian / noise
        normal[np.diag_indices_from(normal)] += 1 / sigma**2 + self._damping * 0.01 * np.diag(
            normal
        )
        slope = jacobian.T @ linear.residual / noise - away / sigma**2
        reach = np.array([REACH[key.kind] for key in linear.keys]) * (3.0 if self._blur else 1.0)
        return state.moved(linear.keys, np.clip(np.linalg.solve(normal, slope), -reach, reach))

    def result(self, phases: tuple[int, ...], state: State) -> Fitted:
        """Return what the fit says at *state*, or the state before if that was better."""
        linear = self._solve(state)
        if self._before is not None and linear.objective > self._before[1]:
            state = self._before[0]
            linear = self._solve(state)
        square = float(linear.residual @ linear.residual)
        misfit = square / len(self._y)
        noise = max(1.0, misfit)
        fractions, covariance = self._fractions(linear, noise)
        areas = linear.weights * linear.patterns.sum(axis=1)
        lines = linear.weights @ linear.patterns
        solved = np.linalg.lstsq(
            self._background * self._weight[:, None], (self._y - lines) * self._weight, rcond=None
        )[0]
        return Fitted(
            phases,
            fractions,
            covariance,
            areas / max(float(areas.sum()), 1e-12),
            self._gains(linear, square) / noise,
            np.array([strain[0] for strain in state.strains]),
            float(state.shared[0]),
            misfit,
            leftover_of(
                self._y - self._background @ solved, lines, self._variance, self._grid.step
            ),
            state,
        )

    def _home(self, key: Key) -> float:
        homes = {"width": float(np.log(0.10)), "second": self._second_home}
        return homes.get(key.kind, 0.0)

    @property
    def _second_home(self) -> float:
        return 0.5 if self._simulators[0].doublet else 0.0

    def _clear(self, columns: FloatArray) -> FloatArray:
        """Return *columns* (n, or n x c) without what the background can be."""
        return np.asarray(columns - self._smooth @ (self._smooth.T @ columns))

    def _keys(self) -> list[Key]:
        kinds: tuple[str, ...] = SHARED[:2] if self._blur else SHARED
        if not self._simulators[0].doublet:
            kinds = tuple(kind for kind in kinds if kind != "second")
        return [Key(kind) for kind in kinds]

    def _solve(self, state: State) -> _Linear:
        shared = self._keys()
        patterns, slopes = [], []
        keys = list(shared)
        for place, simulator in enumerate(self._simulators):
            # a phase without weight had no say in the last step, and has none in this
            own = own_keys(simulator, place, coarse=bool(self._blur)) if self._used[place] else []
            wanted = [*shared, *own] if self._used[place] else []
            rows = changed(simulator, state, place, wanted, self._blur).double().numpy()
            rows = rows[:, self._mask]
            steps = np.array([STEP[key.kind] for key in wanted]).reshape(-1, 1)
            patterns.append(rows[0])
            slopes.append((rows[1:] - rows[0]) / steps)
            keys += own
        stacked = np.array(patterns)
        scale = np.linalg.norm(stacked * self._weight, axis=1) + 1e-30
        columns = self._clear((stacked * self._weight / scale[:, None]).T)
        weights = nnls(columns, self._target, maxiter=100 * len(scale))[0]
        residual = self._target - columns @ weights
        mass = weights / scale
        common = np.zeros((len(shared), len(self._y)))
        for m, slope in zip(mass, slopes, strict=True):
            if len(slope):
                common += m * slope[: len(shared)]
        self._used = [bool(weight > 0) for weight in weights]
        own_rows = [m * s[len(shared) :] for m, s in zip(mass, slopes, strict=True)]
        jacobian = self._clear((np.vstack([common, *own_rows]) * self._weight).T)
        sigma = np.array([PRIOR[key.kind] for key in keys])
        away = np.array([state.value(key) - self._home(key) for key in keys])
        square = float(residual @ residual)
        objective = square + max(1.0, square / len(self._y)) * float(((away / sigma) ** 2).sum())
        return _Linear(stacked, columns * scale, jacobian, keys, mass, residual, objective)

    def _fractions(self, linear: _Linear, noise: float) -> tuple[FloatArray, FloatArray]:
        """Return mass fractions (k) and their covariance, what is refined taken into account."""
        total = float(linear.weights.sum())
        count = len(linear.weights)
        if total <= 0:
            return np.zeros(count), np.zeros((count, count))
        scale = np.linalg.norm(linear.columns, axis=0) + 1e-30
        both = np.hstack([linear.columns / scale, linear.jacobian])
        normal = both.T @ both / noise
        sigma = np.array([PRIOR[key.kind] for key in linear.keys])
        normal[np.diag_indices_from(normal)] += np.concatenate([np.full(count, 1e-9), 1 / sigma**2])
        of_weights = np.linalg.inv(normal)[:count, :count] / np.outer(scale, scale)
        fractions = linear.weights / total
        slope = (np.eye(count) - fractions[:, None]) / total
        return fractions, slope @ of_weights @ slope.T

    def _gains(self, linear: _Linear, square: float) -> FloatArray:
        """Return by how much chi² would be larger without each phase (k)."""
        out = np.zeros(len(linear.weights))
        scale = np.linalg.norm(linear.columns, axis=0) + 1e-30
        for k in np.flatnonzero(linear.weights > 0):
            rest = np.delete(linear.columns / scale, k, axis=1)
            left = (
                nnls(rest, self._target, maxiter=100 * len(scale))[1] ** 2
                if rest.size
                else float(self._target @ self._target)
            )
            out[k] = max(left - square, 0.0)
        return out


def _mean_of(values: FloatArray, width: int) -> FloatArray:
    return np.convolve(np.pad(values, width // 2, mode="edge"), np.ones(width) / width, "valid")


def _widened(scan: Scan, fwhm: float) -> FloatArray:
    """Return the intensity convolved with a Gaussian of *fwhm* points."""
    sigma = fwhm / 2.3548
    reach = int(np.ceil(3 * sigma))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    inside = np.flatnonzero(scan.measured)
    filled = scan.intensity[np.clip(np.arange(len(scan.intensity)), inside[0], inside[-1])]
    return np.convolve(np.pad(filled, reach, mode="edge"), kernel / kernel.sum(), "valid")
