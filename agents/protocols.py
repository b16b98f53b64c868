"""The words everyone speaks: Objective, Suggestion, Observation, Agent, Reducer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, runtime_checkable

from agents.digest import digest_of
from agents.grounds import Calibration, Grounds
from models.values import Documents, Measured, Quality, Reduced, Verdict

__all__ = [
    "Agent",
    "Alternative",
    "Calibrating",
    "Calibration",
    "Documents",
    "Goal",
    "Grounds",
    "Measured",
    "Objective",
    "Observation",
    "Parameters",
    "Prediction",
    "Preparing",
    "Quality",
    "Reduced",
    "Reducer",
    "Suggestion",
    "Value",
    "Verdict",
]

Value = float | int | str
Parameters = Mapping[str, Value]


class Goal(StrEnum):
    """What is wanted of an objective."""

    MAXIMIZE = "maximize"
    MINIMIZE = "minimize"
    TARGET = "target"


@dataclass(frozen=True, slots=True)
class Objective:
    """A measured quantity and what is wanted of it; *target* (in *unit*) for ``Goal.TARGET``."""

    name: str
    goal: Goal
    unit: str = ""
    target: float | None = None

    def score(self, value: float) -> float:
        """Return *value* on a scale where more is always better."""
        if self.goal is Goal.MINIMIZE:
            return -value
        if self.goal is Goal.TARGET and self.target is not None:
            return -abs(value - self.target)
        return value


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a model expects of one objective, in its unit: mean and the two parts of its sigma."""

    mean: float
    epistemic: float
    aleatoric: float


@dataclass(frozen=True, slots=True)
class Alternative:
    """A point that was considered and not taken."""

    parameters: Parameters
    acquisition: float | None
    predictions: Mapping[str, Prediction] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One point to try, with everything needed to explain and to repeat the decision.

    ``id`` is given by the controller; agents leave it empty. ``known`` is the number of
    observations that the agent had been told, ``pending`` the ids it allowed for.
    ``model`` names what chose the point (and says "fallback" when a fit failed), ``fit``
    holds the hyperparameters used, ``note`` a sentence for people, ``grounds`` what the decision
    rests on, where the agent says it.
    """

    parameters: Parameters
    agent: str
    model: str
    seed: int
    known: int
    id: str = ""
    pending: tuple[str, ...] = ()
    predictions: Mapping[str, Prediction] = field(default_factory=dict)
    acquisition: float | None = None
    alternatives: tuple[Alternative, ...] = ()
    fit: Mapping[str, float] = field(default_factory=dict)
    note: str = ""
    grounds: Grounds | None = None

    def digest(self, limits: str = "") -> str:
        """Return the hash of what would be done: content and *limits* in force, never the id."""
        unsaid = ("id",) if self.grounds is not None else ("id", "grounds")
        return digest_of({"suggestion": self, "limits": limits}, leave_out=unsaid)


@dataclass(frozen=True, slots=True)
class Observation:
    """What one experiment taught. A failed one is an observation too: not ``feasible``, no values.

    ``parameters`` are those that were really applied; ``chosen_by`` who chose the point, as the
    suggestion calls its agent (empty: somebody told of it).
    """

    experiment: str
    parameters: Parameters
    values: Mapping[str, Measured] = field(default_factory=dict)
    quality: Quality = Quality()
    runs: tuple[str, ...] = ()
    feasible: bool = True
    chosen_by: str = ""

    @property
    def usable(self) -> bool:
        """Whether its values may enter a training set."""
        return self.feasible and self.quality.verdict is not Verdict.REJECTED


class Agent(Protocol):
    """Chooses the next experiments from all observations so far.

    The same observations, told in the same order to an agent built from the same
    configuration and seed, give the same suggestions: this is how a campaign is
    resumed. Asking twice without telling is allowed and gives the same answer; what is
    fitted when depends on the told history only.
    """

    @property
    def name(self) -> str:
        """The agent's name and version, as journalled in its suggestions."""
        ...

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take in *observations*, in the order in which they were made."""
        ...

    def ask(self, count: int, pending: Sequence[Suggestion] = ()) -> list[Suggestion]:
        """Return up to *count* suggestions, none of them a repeat of one in *pending*.

        Fewer, or none, when a recorded pool has no more to offer.
        """
        ...

    def explain(self, suggestion: Suggestion) -> str:
        """Return a few plain sentences on why *suggestion* was made."""
        ...


class Reducer(Protocol):
    """Turns the documents of one run into values with uncertainty and quality.

    Pure: the same documents give the same values. Never raises for a bad measurement
    (that is a quality verdict); raises ``models.errors.ReductionError`` when the documents
    aren't of the kind it was built for.
    """

    @property
    def name(self) -> str:
        """The reducer's name and version, with a digest of what it was trained on."""
        ...

    def reduce(self, documents: Documents) -> Reduced:
        """Return what *documents* (one complete run) say."""
        ...


@runtime_checkable
class Preparing(Protocol):
    """A reducer that has something long to do once, such as to train a model."""

    def prepare(self) -> None:
        """Do it now, unless it is done."""
        ...


@runtime_checkable
class Calibrating(Protocol):
    """A reducer that learns from upkeep: a foil, a dark current, a reference sample."""

    def calibrate(self, documents: Documents) -> Mapping[str, Measured]:
        """Return what a run of upkeep says for the runs after it, by name; empty for nothing.

        Raises ``models.errors.ReductionError`` when it can't be used.
        """
        ...

    def under(self, calibration: Mapping[str, Measured]) -> Reducer:
        """Return the reducer that takes *calibration* into account (what it doesn't know: not)."""
        ...
