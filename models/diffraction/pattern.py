"""Powder patterns of one phase, many at a time: sticks in a Fourier transform.

Each line is put between grid points by a quadratic spline, the range is parted into zones of
nearly constant width, and a zone's sticks are multiplied by the transform of its Voigt profile:
exp(-2 π² σ² k² - π Γ |k|), with Scherrer's and the microstrain's part in Γ. The cost doesn't
depend on the number of lines.
"""

from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch

from models.diffraction.grid import Grid
from models.diffraction.phase import LOG_R, Phase
from models.diffraction.radiation import Radiation, stretch

ZONES = 5
CHUNK = 32
"""So many patterns at a time stay in the processor's cache."""
SCHERRER = 0.9
_DEGREES = 180.0 / np.pi
_PER_SIGMA = 2.3548200450309493
"""FWHM of a Gaussian over its sigma."""
LEAST_VARIANCE = 0.5
"""Of the Gaussian part, in grid points squared: what the grid can hold without ringing."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How the patterns of a batch (b) are; every field a tensor (b), or as said.

    ``strain`` (b x k) by the modes of the phase; ``size_nm`` of crystallites; ``microstrain``
    (root mean square times about two, dimensionless); ``log_r`` of March and Dollase along
    texture axis ``axis``; ``fwhm`` of the instrument in degrees; ``zero`` and ``displacement`` in
    degrees (a line moves by zero + displacement cos θ); ``asymmetry`` in degrees, a tail
    toward small angles of that times cot 2θ; ``second`` the weight of the second line of the
    radiation; ``jitter`` (b x r) factors of the lines' strengths, or None.
    """

    strain: torch.Tensor
    size_nm: torch.Tensor
    microstrain: torch.Tensor
    axis: torch.Tensor
    log_r: torch.Tensor
    fwhm: torch.Tensor
    zero: torch.Tensor
    displacement: torch.Tensor
    asymmetry: torch.Tensor
    second: torch.Tensor
    jitter: torch.Tensor | None = None

    @staticmethod
    def plain(phase: Phase, count: int, radiation: Radiation) -> "Shape":
        """Return *count* times the undistorted pattern: 60 nm, 0.1 degrees, no texture."""
        zeros = torch.zeros(count)
        return Shape(
            strain=torch.zeros(count, phase.modes),
            size_nm=torch.full((count,), 60.0),
            microstrain=zeros,
            axis=torch.zeros(count, dtype=torch.long),
            log_r=zeros,
            fwhm=torch.full((count,), 0.1),
            zero=zeros,
            displacement=zeros,
            asymmetry=zeros,
            second=torch.full((count,), radiation.weight),
        )

    def rows(self, which: slice) -> "Shape":
        """Return a part of the batch."""
        parts: dict[str, Any] = {key.name: getattr(self, key.name) for key in fields(self)}
        parts = {name: value if value is None else value[which] for name, value in parts.items()}
        return Shape(**parts)

    def with_(self, **changes: Any) -> "Shape":
        """Return the same with other fields."""
        return replace(self, **changes)


class PhasePatterns:
    """Simulates patterns of one *phase* on *grid*, per unit of its mass.

    *radiation* is what the grid's angles are of; *measured* what the lines' intensities and
    second line are of, where that is another one (see resampling.py).
    """

    def __init__(
        self, phase: Phase, grid: Grid, radiation: Radiation, measured: Radiation | None = None
    ) -> None:
        measured = measured or radiation
        self.phase, self.grid = phase, grid
        area = phase.strength * measured.factor(phase.d) * stretch(phase.d, radiation, measured)
        self._area = torch.tensor(area, dtype=torch.float32)
        self._inverse = torch.tensor((radiation.wavelength / (2 * phase.d)) ** 2)
        self._modes = torch.tensor(phase.strain)
        self._texture = torch.tensor(phase.texture, dtype=torch.float32)
        self._ratio = measured.ratio
        self._padded = _fast_length(grid.count + 96)
        frequency = np.arange(self._padded // 2 + 1) / self._padded
        self._frequency = torch.tensor(frequency, dtype=torch.float32)
        # the spline's transform is sinc³; one sinc stays, for a point is the mean over its step
        self._sharpen = torch.tensor(-2 * np.log(np.sinc(frequency)), dtype=torch.float32)
        centers = np.linspace(grid.start, grid.stop, ZONES)
        self._theta = torch.tensor(np.radians(centers / 2), dtype=torch.float32)
        self._wavelength_nm = radiation.wavelength / 10

    def __call__(self, shape: Shape) -> torch.Tensor:
        """Return patterns (b x n); the area of a line is in degrees times its strength."""
        batch = shape.zero.shape[0]
        if batch > CHUNK:
            rows = [slice(k, k + CHUNK) for k in range(0, batch, CHUNK)]
            return torch.cat([self(shape.rows(each)) for each in rows])
        lines = torch.fft.rfft(self._sticks(shape))
        profile, tail = self._profile(shape)
        if tail is None:
            spectrum = (lines * profile).sum(dim=1)
        else:  # 1 / (1 - i x) = (1 + i x) / (1 + x²)
            profile = profile / (1 + tail.square())
            spectrum = (lines * torch.complex(profile, profile * tail)).sum(dim=1)
        pattern: torch.Tensor = torch.fft.irfft(spectrum, n=self._padded)
        return pattern[:, : self.grid.count].clamp(min=0.0)

    @property
    def doublet(self) -> bool:
        """Whether the radiation has a second line."""
        return self._ratio != 1.0

    def places(self, shape: Shape) -> torch.Tensor:
        """Return where the lines are (b x r), in degrees; NaN beyond 180."""
        return self._places(shape, 1.0)

    def areas(self, shape: Shape) -> torch.Tensor:
        """Return the areas of the lines (b x r) in degrees, before any second line."""
        area = self._area * self._textured(shape.axis, shape.log_r)
        return area if shape.jitter is None else area * shape.jitter

    def textures(self, log_r: torch.Tensor) -> torch.Tensor:
        """Return factors of the lines (b x r) for ln r along every axis (b x a), multiplied."""
        factors = torch.ones(log_r.shape[0], self._area.shape[0])
        for axis in range(log_r.shape[1]):
            which = torch.full((log_r.shape[0],), axis)
            factors = factors * self._textured(which, log_r[:, axis])
        return factors

    def _places(self, shape: Shape, ratio: float) -> torch.Tensor:
        squeezed = 1 - 2 * (shape.strain.double() @ self._modes)
        sine = (ratio**2 * self._inverse * squeezed).clamp(min=1e-8).sqrt()
        theta = torch.asin(sine.clamp(max=1.0))
        moved = shape.zero[:, None] + shape.displacement[:, None] * torch.cos(theta)
        place = 2 * theta * _DEGREES + moved
        return torch.where(sine < 1.0, place, torch.nan)

    def _textured(self, axis: torch.Tensor, log_r: torch.Tensor) -> torch.Tensor:
        """Return the March-Dollase factors (b x r), between the tabulated ones."""
        step = float(LOG_R[1] - LOG_R[0])
        place = ((log_r - float(LOG_R[0])) / step).clamp(0.0, len(LOG_R) - 1.001)
        low = place.floor().long()
        part = (place - low)[:, None]
        below, above = self._texture[axis, low], self._texture[axis, low + 1]
        return below + part * (above - below)

    def _sticks(self, shape: Shape) -> torch.Tensor:
        """Return the lines as sticks (b x zones x padded), each shared by its two zones."""
        area = self.areas(shape) / self.grid.step
        batch = area.shape[0]
        second = shape.second[:, None]
        places = [self._places(shape, 1.0)]
        areas = [area / (1 + second)]
        if self._ratio != 1.0 and bool(second.any()):
            places.append(self._places(shape, self._ratio))
            areas.append(area * second / (1 + second))
        place, area = torch.cat(places, dim=1), torch.cat(areas, dim=1)
        pixel = (place - self.grid.start) / self.grid.step
        inside = (pixel > 1) & (pixel < self.grid.count - 2)
        pixel = torch.where(inside, pixel, 1.5)
        area = torch.where(inside, area, 0.0)
        zone = pixel * ((ZONES - 1) / (self.grid.count - 1))
        low = zone.floor().clamp(max=ZONES - 2)
        above = (zone - low).float()
        middle = pixel.round()
        t = (pixel - middle).float()
        row = torch.arange(batch)[:, None] * ZONES + low.long()
        base = row * self._padded + middle.long()
        spline = ((-1, 0.5 * (0.5 - t) ** 2), (0, 0.75 - t * t), (1, 0.5 * (0.5 + t) ** 2))
        index = torch.stack([base + (k + z * self._padded) for z in (0, 1) for k, _ in spline])
        value = torch.stack([area * w * s for w in (1 - above, above) for _, s in spline])
        flat = torch.zeros(batch * ZONES * self._padded)
        flat.index_add_(0, index.reshape(-1), value.reshape(-1))
        return flat.view(batch, ZONES, self._padded)

    def _profile(self, shape: Shape) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Return the transforms of the zones' profiles (b x zones x frequencies).

        With them x = 2 π k τ of a tail exp(-u/τ) toward small angles, whose transform is
        1 / (1 - i x), if there is one.
        """
        cosine, tangent = torch.cos(self._theta), torch.tan(self._theta)
        step = self.grid.step
        size = SCHERRER * self._wavelength_nm / shape.size_nm[:, None] / cosine
        lorentz = (size + 2 * shape.microstrain[:, None] * tangent) * (_DEGREES / step)
        sigma = shape.fwhm / (_PER_SIGMA * step)
        variance = sigma.square().clamp(min=LEAST_VARIANCE)
        k = self._frequency
        gauss = (-2 * np.pi**2 * variance)[:, None] * k.square() + self._sharpen
        profile = torch.addcmul(gauss[:, None], (-np.pi * lorentz)[..., None], k).exp_()
        if not bool(shape.asymmetry.any()):
            return profile, None
        cotangent = (1 / torch.tan(2 * self._theta)).clamp(min=0.0)
        tail = (2 * np.pi / step) * shape.asymmetry[:, None] * cotangent
        return profile, tail[..., None] * k


def _fast_length(least: int) -> int:
    """Return the smallest length from *least* up that has no prime factor beyond 5, and even."""
    length = least + least % 2
    while True:
        rest = length
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return length
        length += 2
