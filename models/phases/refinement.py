"""What a full-pattern fit refines, and the patterns with each of it changed a little."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from models.diffraction.pattern import PhasePatterns, Shape
from models.diffraction.radiation import FloatArray

SHARED = ("displacement", "zero", "width", "second")
"""Of the instrument: degrees, degrees, ln of the width, weight of the second line."""
OWN = ("strain", "skew", "size", "texture")
"""Of a phase: strain of the cell and its other modes, ln of 1/size, ln r along each axis."""

WIDTH_DEG, SIZE_NM = 0.10, 50.0
"""Where widths begin: of the instrument, and of crystallites."""

STEP = {
    **{"displacement": 0.01, "zero": 0.01, "width": 0.05, "second": 0.1},
    **{"strain": 2e-4, "skew": 2e-4, "size": 0.05, "texture": 0.05},
}
"""By how much each is changed for its derivative."""
PRIOR = {
    **{"displacement": 0.25, "zero": 0.03, "width": 0.4, "second": 0.15},
    **{"strain": 0.006, "skew": 0.003, "size": 0.9, "texture": 0.2},
}
"""Standard deviation of each about where it begins, or about 0 (strain, skew)."""
REACH = {
    **{"displacement": 0.08, "zero": 0.03, "width": 0.3, "second": 0.15},
    **{"strain": 0.0015, "skew": 0.001, "size": 0.5, "texture": 0.2},
}
"""How far each may go in one step."""


@dataclass(frozen=True, slots=True)
class Key:
    """One refined quantity: its *kind*, of which phase (*place*; None: shared), and which one."""

    kind: str
    place: int | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """All that is refined: *shared* (4), and of each phase strains, size and textures."""

    shared: FloatArray
    strains: tuple[FloatArray, ...]
    sizes: tuple[float, ...]
    textures: tuple[FloatArray, ...]

    def value(self, key: Key) -> float:
        """Return the value of *key*."""
        if key.place is None:
            return float(self.shared[SHARED.index(key.kind)])
        if key.kind == "size":
            return self.sizes[key.place]
        values = self.textures if key.kind == "texture" else self.strains
        return float(values[key.place][key.number])

    def of(self, places: Sequence[int]) -> "State":
        """Return the state of some of the phases."""
        return State(
            self.shared,
            tuple(self.strains[k] for k in places),
            tuple(self.sizes[k] for k in places),
            tuple(self.textures[k] for k in places),
        )

    def moved(self, keys: Sequence[Key], steps: FloatArray) -> "State":
        """Return the state with *steps* added to *keys*."""
        shared = self.shared.copy()
        strains = [s.copy() for s in self.strains]
        sizes, textures = list(self.sizes), [t.copy() for t in self.textures]
        for key, step in zip(keys, steps, strict=True):
            if key.place is None:
                shared[SHARED.index(key.kind)] += step
            elif key.kind == "size":
                sizes[key.place] += step
            else:
                (textures if key.kind == "texture" else strains)[key.place][key.number] += step
        shared[3] = np.clip(shared[3], 0.0, 0.7)
        return State(shared, tuple(strains), tuple(sizes), tuple(textures))


def beginning(
    simulators: Sequence[PhasePatterns], displacement: float, strains: FloatArray, second: float
) -> State:
    """Return the state from which *simulators* (k) with *strains* (k) are refined."""
    return State(
        np.array([displacement, 0.0, np.log(WIDTH_DEG), second]),
        tuple(np.eye(1, s.phase.modes)[0] * e for s, e in zip(simulators, strains, strict=True)),
        (0.0,) * len(simulators),
        tuple(np.zeros(s.phase.texture.shape[0]) for s in simulators),
    )


def own_keys(simulator: PhasePatterns, place: int, *, coarse: bool) -> list[Key]:
    """Return what is refined of a phase; where lines are only, when *coarse*."""
    keys = [Key("strain", place)]
    keys += [Key("skew", place, k) for k in range(1, simulator.phase.modes)]
    if not coarse:
        keys.append(Key("size", place))
        keys += [Key("texture", place, k) for k in range(simulator.phase.texture.shape[0])]
    return keys


def changed(
    simulator: PhasePatterns, state: State, place: int, keys: Sequence[Key], blur: float
) -> torch.Tensor:
    """Return the pattern of the phase at *place*, and those with one of *keys* changed by its
    ``STEP`` (1 + keys x n); *blur* in degrees widens all."""
    count = len(keys) + 1
    shared = np.tile(state.shared, (count, 1))
    strain = np.tile(state.strains[place], (count, 1))
    size = np.full(count, state.sizes[place])
    texture = np.tile(state.textures[place], (count, 1))
    for row, key in enumerate(keys, start=1):
        if key.place is None:
            shared[row, SHARED.index(key.kind)] += STEP[key.kind]
        elif key.kind == "size":
            size[row] += STEP["size"]
        else:
            (texture if key.kind == "texture" else strain)[row, key.number] += STEP[key.kind]
    width = np.sqrt(np.exp(2 * shared[:, 2]) + blur**2)
    zeros = torch.zeros(count)
    return simulator(
        Shape(
            strain=_tensor(strain),
            size_nm=_tensor(SIZE_NM * np.exp(-np.clip(size, -1.5, 3.0))),
            microstrain=zeros,
            axis=torch.zeros(count, dtype=torch.long),
            log_r=zeros,
            fwhm=_tensor(width),
            zero=_tensor(shared[:, 1]),
            displacement=_tensor(shared[:, 0]),
            asymmetry=zeros,
            second=_tensor(shared[:, 3]),
            jitter=simulator.textures(_tensor(texture)),
        )
    )


def _tensor(values: FloatArray) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float32)
