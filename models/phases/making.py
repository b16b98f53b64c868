"""A model of phases as a campaign asks for it: trained on first use, then kept.

Importable without torch, so that it can be told whether a model is there before anything runs.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from models.errors import ModelFileError

if TYPE_CHECKING:
    from models.phases.identifier import Identifier

VERSION = "2"
"""Raised whenever the same files and options would give another model."""


@dataclass(frozen=True, slots=True)
class Making:
    """What a model is trained from on first use: CIF files, radiation, range, effort.

    *two_theta* in degrees with the number of points; *minutes* of a processor.
    """

    cifs: Path
    wavelength: str
    two_theta: tuple[float, float, int]
    minutes: float
    seed: int = 0

    def folder(self, kept: Path) -> Path:
        """Return where in the folder *kept* the model is, or will be."""
        said = (VERSION, self.wavelength, self.two_theta, self.minutes, self.seed, self._files())
        return kept / f"phases-{hashlib.sha256(repr(said).encode()).hexdigest()[:32]}"

    def identifier(
        self, kept: Path, progress: Callable[[float], None] = lambda _part: None
    ) -> "Identifier":
        """Return the model: from the folder *kept* if it is there, else trained and put there."""
        from models.phases.store import load_identifier

        folder = self.folder(kept)
        try:
            return load_identifier(folder)
        except ModelFileError:
            return self._trained(folder, progress)

    def _trained(self, folder: Path, progress: Callable[[float], None]) -> "Identifier":
        from models.diffraction.grid import Grid
        from models.diffraction.phase import read_phases
        from models.diffraction.radiation import radiation
        from models.phases.budget import learning_for
        from models.phases.learning import learn
        from models.phases.store import save_identifier

        light, grid = radiation(self.wavelength), Grid(*self.two_theta)
        phases = read_phases(self.cifs, light, grid.least_d(light.wavelength))
        learning = learning_for(self.minutes, len(phases), self.seed)
        learnt = learn(phases, grid, light, learning, progress)
        try:
            save_identifier(folder, learnt, learning, self._files(), force=True)
        except ModelFileError:  # a folder that can't be written costs a training and no more
            return learnt.identifier
        return learnt.identifier

    def _files(self) -> dict[str, str]:
        """Return the SHA-256 of each CIF file by its name."""
        files = sorted(self.cifs.glob("*.cif"))
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
