"""The reducer of powder patterns: mass fractions of phases, and whether something is unknown."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from models.diffraction.grid import Grid
from models.diffraction.phase import read_phases
from models.diffraction.powder import Powder, powder
from models.diffraction.radiation import radiation
from models.errors import ModelFileError, PatternError, ReductionError
from models.phases.budget import learning_for
from models.phases.identifier import Identified, Identifier
from models.phases.learning import learn
from models.phases.store import hashes, load_identifier, save_identifier
from models.values import Documents, Measured, Quality, Reduced, Verdict

UNSEEN_SIGMA = 0.02
"""Of the fraction of a phase that isn't seen: mixtures are trained from 5 % of a phase on."""
VERSION = "2"
"""Raised whenever the same files and options would give another model."""


@dataclass(frozen=True, slots=True)
class PatternKeys:
    """Names in ``event["data"]`` of 2-theta (degrees, n) and counts (n), and their stream."""

    two_theta: str
    counts: str
    stream: str = "primary"


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

    def identifier(self, kept: Path) -> Identifier:
        """Return the model: from the folder *kept* if it is there, else trained and put there."""
        folder = kept / f"phases-{self._key()}"
        try:
            return load_identifier(folder)
        except ModelFileError:
            return self._trained(folder)

    def _trained(self, folder: Path) -> Identifier:
        light, grid = radiation(self.wavelength), Grid(*self.two_theta)
        phases = read_phases(self.cifs, light, grid.least_d(light.wavelength))
        learning = learning_for(self.minutes, len(phases), self.seed)
        learnt = learn(phases, grid, light, learning, lambda _part: None)
        try:
            save_identifier(folder, learnt, learning, self._files(), force=True)
        except ModelFileError:  # a folder that can't be written costs a training and no more
            return learnt.identifier
        return learnt.identifier

    def _files(self) -> dict[str, str]:
        return hashes(sorted(self.cifs.glob("*.cif")))

    def _key(self) -> str:
        said = (VERSION, self.wavelength, self.two_theta, self.minutes, self.seed, self._files())
        return hashlib.sha256(repr(said).encode()).hexdigest()[:32]


class PhaseReducer:
    """Identifies the phases of a run's last pattern and tells the mass fractions of some.

    *names* gives the name of the value for each phase that is told. The model is made by *make*
    when it is first wanted.
    """

    def __init__(
        self, make: Callable[[], Identifier], names: Mapping[str, str], keys: PatternKeys
    ) -> None:
        self._make = make
        self._names = dict(names)
        self._keys = keys

    @property
    def name(self) -> str:
        """The reducer's name and version."""
        return f"phases {VERSION}"

    def prepare(self) -> None:
        """Have the model ready; what a first use has to train takes about a minute."""
        self._identifier  # noqa: B018 - made once, and kept

    def reduce(self, documents: Documents) -> Reduced:
        """Return the fractions; a pattern that can't be used is a rejected measurement.

        Raises ReductionError when the run has no event with these keys.
        """
        try:
            return self._told(self._identifier.identify(last_pattern(documents, self._keys)))
        except PatternError as error:
            return Reduced({}, Quality(Verdict.REJECTED, (str(error),)))

    @cached_property
    def _identifier(self) -> Identifier:
        made = self._make()
        known = {phase.name for phase in made.phases}
        if strange := sorted(self._names.keys() - known):
            raise ModelFileError(
                f"the model knows no phase {', '.join(strange)}; it has {', '.join(sorted(known))}"
            )
        return made

    def _told(self, found: Identified) -> Reduced:
        if found.quality.verdict is Verdict.REJECTED:
            return Reduced({}, found.quality)
        seen = {one.name: one.fraction for one in found.present}
        values = {}
        for phase, name in self._names.items():
            fraction = seen.get(phase)
            values[name] = Measured(0.0, UNSEEN_SIGMA) if fraction is None else fraction
        return Reduced(values, found.quality)


def last_pattern(documents: Documents, keys: PatternKeys) -> Powder:
    """Return the last pattern of a run.

    Raises ReductionError when the run has none of these keys, PatternError for one that can't be
    used.
    """
    streams = {told["uid"]: told["name"] for name, told in documents if name == "descriptor"}
    events = [
        document["data"]
        for name, document in documents
        if name == "event" and streams.get(document["descriptor"]) == keys.stream
    ]
    if not events:
        raise ReductionError(f"the run has no event of stream {keys.stream!r}: it took no pattern")
    missing = [key for key in (keys.two_theta, keys.counts) if key not in events[-1]]
    if missing:
        raise ReductionError(f"the run's events have no {', '.join(missing)}")
    return powder("pattern", events[-1][keys.two_theta], events[-1][keys.counts])
