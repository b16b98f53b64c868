"""The reducer of powder patterns: mass fractions of phases, and whether something is unknown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from models.diffraction.powder import Powder, powder
from models.errors import ModelFileError, PatternError, ReductionError
from models.phases.identifier import Identified, Identifier
from models.phases.making import VERSION
from models.values import Documents, Measured, Quality, Reduced, Verdict

UNSEEN_SIGMA = 0.02
"""Of the fraction of a phase that isn't seen: mixtures are trained from 5 % of a phase on."""


@dataclass(frozen=True, slots=True)
class PatternKeys:
    """Names in ``event["data"]`` of 2-theta (degrees, n) and counts (n), and their stream."""

    two_theta: str
    counts: str
    stream: str = "primary"


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
