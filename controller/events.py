"""Everything that can happen to a campaign: frozen, versioned records.

The journal stores them, ``controller.state`` folds them, nothing else is true. A new
field needs a default; a changed meaning needs a new ``version`` and a reader for the old.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agents.protocols import Measured, Observation, Suggestion, Value
from controller.verdict import PlanVerdict
from instruments.effects import Effect
from models.values import Verdict


class _Event(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    version: Literal[1] = 1


class CampaignStarted(_Event):
    """The campaign as validated (defaults filled in), and all that its decisions depend on."""

    kind: Literal["campaign_started"] = "campaign_started"
    campaign_id: str
    campaign: dict[str, Any]
    seed: int
    limits: str
    """Digest of the safety envelope in force."""
    versions: dict[str, str] = Field(default_factory=dict)
    digests: dict[str, str] = Field(default_factory=dict)
    """Of the code, and of the files that the campaign was read from (by their paths)."""


class SuggestionMade(_Event):
    """An agent decided. Journalled before anything acts on it; never recomputed on resume."""

    kind: Literal["suggestion_made"] = "suggestion_made"
    suggestion: Suggestion
    digest: str


class PointProposed(_Event):
    """A person wants *parameters* tried: they come next, before what the agent would suggest."""

    kind: Literal["point_proposed"] = "point_proposed"
    parameters: dict[str, Value]
    person: str
    reason: str


class PointAwaited(_Event):
    """People decide, and no point of theirs is left: the campaign waits for one."""

    kind: Literal["point_awaited"] = "point_awaited"


class SuggestionCleared(_Event):
    """The pre-check and the autonomy level let the suggestion pass, or not (``reasons``)."""

    kind: Literal["suggestion_cleared"] = "suggestion_cleared"
    suggestion_id: str
    allowed: bool
    reasons: tuple[str, ...] = ()
    verdict: PlanVerdict | None = None
    """What came of running the plan dry; None where it wasn't."""


class ExperimentStarted(_Event):
    """A plan is about to run; ``attempt`` counts from 1."""

    kind: Literal["experiment_started"] = "experiment_started"
    experiment_id: str
    suggestion_id: str
    plan: str
    effect: Effect
    attempt: int
    consumes: dict[str, float] = Field(default_factory=dict)
    """What this attempt uses up of the campaign's stock, by name."""


class ExperimentFinished(_Event):
    """The plan ended, and its documents are on disk. ``bench`` is a simulated bench's own state."""

    kind: Literal["experiment_finished"] = "experiment_finished"
    experiment_id: str
    attempt: int
    runs: tuple[str, ...]
    succeeded: bool
    reason: str = ""
    bench: dict[str, Any] = Field(default_factory=dict)
    writes: str = ""
    """The head of the gate's own chain of records after the plan."""
    unfit: str = ""
    """Why what was measured doesn't count: the measuring conditions failed; empty when it does."""


class MeasurementDoubted(_Event):
    """The reducer isn't sure of what was measured (``reasons``): it is measured again."""

    kind: Literal["measurement_doubted"] = "measurement_doubted"
    experiment_id: str
    verdict: Verdict
    reasons: tuple[str, ...]


class MeasuredAgain(_Event):
    """What is at the bench was measured again; the campaign's ``number``-th time that it was.

    Where it succeeded, its last run says what the experiment taught.
    """

    kind: Literal["measured_again"] = "measured_again"
    experiment_id: str
    number: int
    runs: tuple[str, ...]
    succeeded: bool
    reason: str = ""
    bench: dict[str, Any] = Field(default_factory=dict)
    writes: str = ""
    """The head of the gate's own chain of records after the plan."""
    unfit: str = ""
    """Why it doesn't count: the measuring conditions failed, or the gate ended it."""


class ExperimentLost(_Event):
    """An attempt whose end nobody saw: what ran it has died (``reason``), nothing was found."""

    kind: Literal["experiment_lost"] = "experiment_lost"
    experiment_id: str
    attempt: int
    reason: str


class ExperimentAbandoned(_Event):
    """An experiment found in flight after a crash that will not be run again (``reason``)."""

    kind: Literal["experiment_abandoned"] = "experiment_abandoned"
    experiment_id: str
    reason: str


class ExperimentResolved(_Event):
    """A person's word on an experiment that nobody else can decide about; it holds.

    ``done``: it was carried out, and ``runs`` are what is on disk of it (with none it teaches
    nothing). ``not_done``: it may be run again. ``discard``: it counts as failed.
    """

    kind: Literal["experiment_resolved"] = "experiment_resolved"
    experiment_id: str
    outcome: Literal["done", "not_done", "discard"]
    person: str
    reason: str
    runs: tuple[str, ...] = ()


class ConditionsHeld(_Event):
    """The measuring conditions hold again, after *waited_s* seconds of waiting for them."""

    kind: Literal["conditions_held"] = "conditions_held"
    waited_s: float


class BenchTripped(_Event):
    """The gate has tripped, for *cause*, made the bench safe and latched.

    The attempt that it ended, if one is named, says nothing of its point and counts as no loss.
    """

    kind: Literal["bench_tripped"] = "bench_tripped"
    cause: str
    occurrence: int
    """By which people acknowledge it; grows with each cause and each consequence."""
    experiment_id: str = ""
    attempt: int = 0


class BenchReleased(_Event):
    """The latch was released: *by* whom and why, as far as is known; it goes on."""

    kind: Literal["bench_released"] = "bench_released"
    by: str = ""
    reason: str = ""
    waited_s: float


class BenchHeld(_Event):
    """Nothing may be moved for now, and nothing is wrong that would need a release.

    A rule holds, a person does, an approval or a check of arming is missing. Of the attempt that
    it ended, if one is named, the same is true as of a trip.
    """

    kind: Literal["bench_held"] = "bench_held"
    reason: str
    experiment_id: str = ""
    attempt: int = 0


class BenchWentOn(_Event):
    """What held the bench is over, after *waited_s* seconds."""

    kind: Literal["bench_went_on"] = "bench_went_on"
    waited_s: float


class UpkeepRan(_Event):
    """An upkeep plan ran, the campaign's ``number``-th; ``values`` are in use from now on."""

    kind: Literal["upkeep_ran"] = "upkeep_ran"
    name: str
    number: int
    runs: tuple[str, ...]
    succeeded: bool
    reason: str = ""
    values: dict[str, Measured] = Field(default_factory=dict)
    bench: dict[str, Any] = Field(default_factory=dict)
    writes: str = ""
    """The head of the gate's own chain of records after the plan."""
    unfit: str = ""
    """Why it doesn't count and is done again: the measuring conditions failed."""


class ObservationMade(_Event):
    """What the experiment taught; the agents are told this."""

    kind: Literal["observation_made"] = "observation_made"
    observation: Observation


class ObservationTold(_Event):
    """A person tells what was measured elsewhere, or came later than its experiment."""

    kind: Literal["observation_told"] = "observation_told"
    observation: Observation
    person: str
    reason: str


class ObservationAmended(_Event):
    """A person corrects the values of an experiment; those not named stay as they were."""

    kind: Literal["observation_amended"] = "observation_amended"
    experiment_id: str
    values: dict[str, Measured]
    person: str
    reason: str


class ObservationRetracted(_Event):
    """A person takes an observation back: it teaches nothing any more, whatever it said."""

    kind: Literal["observation_retracted"] = "observation_retracted"
    experiment_id: str
    person: str
    reason: str


class FinalPlanRan(_Event):
    """The campaign's ``finally`` plan ran (or failed, and why)."""

    kind: Literal["final_plan_ran"] = "final_plan_ran"
    plan: str
    runs: tuple[str, ...]
    succeeded: bool
    reason: str = ""
    bench: dict[str, Any] = Field(default_factory=dict)
    writes: str = ""
    """The head of the gate's own chain of records after the plan."""


class CampaignResumed(_Event):
    """The campaign goes on after an interruption; ``changed`` names what isn't as it was."""

    kind: Literal["campaign_resumed"] = "campaign_resumed"
    changed: tuple[str, ...] = ()


class CampaignRevised(_Event):
    """From here on the campaign is another: what it is now, what was changed, who wanted it."""

    kind: Literal["campaign_revised"] = "campaign_revised"
    campaign: dict[str, Any]
    limits: str
    digests: dict[str, str]
    versions: dict[str, str]
    changes: tuple[str, ...]
    person: str
    reason: str


class CampaignStopped(_Event):
    """No further experiment, and why in words (``controller.state.Stop`` has the usual ones)."""

    kind: Literal["campaign_stopped"] = "campaign_stopped"
    reason: str


Event = Annotated[
    CampaignStarted
    | SuggestionMade
    | PointProposed
    | PointAwaited
    | SuggestionCleared
    | ExperimentStarted
    | ExperimentFinished
    | MeasurementDoubted
    | MeasuredAgain
    | ExperimentLost
    | ExperimentAbandoned
    | ExperimentResolved
    | ConditionsHeld
    | BenchTripped
    | BenchReleased
    | BenchHeld
    | BenchWentOn
    | UpkeepRan
    | ObservationMade
    | ObservationTold
    | ObservationAmended
    | ObservationRetracted
    | FinalPlanRan
    | CampaignResumed
    | CampaignRevised
    | CampaignStopped,
    Field(discriminator="kind"),
]

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
