"""Everything that can happen to a campaign: frozen, versioned records.

The journal stores them, ``controller.state`` folds them, nothing else is true. A new
field needs a default; a changed meaning needs a new ``version`` and a reader for the old.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agents.protocols import Observation, Suggestion
from instruments.effects import Effect


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


class SuggestionMade(_Event):
    """An agent decided. Journalled before anything acts on it; never recomputed on resume."""

    kind: Literal["suggestion_made"] = "suggestion_made"
    suggestion: Suggestion
    digest: str


class SuggestionCleared(_Event):
    """The pre-check and the autonomy level let the suggestion pass, or not (``reasons``)."""

    kind: Literal["suggestion_cleared"] = "suggestion_cleared"
    suggestion_id: str
    allowed: bool
    reasons: tuple[str, ...] = ()


class ExperimentStarted(_Event):
    """A plan is about to run; ``attempt`` counts from 1."""

    kind: Literal["experiment_started"] = "experiment_started"
    experiment_id: str
    suggestion_id: str
    plan: str
    effect: Effect
    attempt: int


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


class ExperimentAbandoned(_Event):
    """An experiment found in flight after a crash that will not be run again (``reason``)."""

    kind: Literal["experiment_abandoned"] = "experiment_abandoned"
    experiment_id: str
    reason: str


class ObservationMade(_Event):
    """What the experiment taught; the agents are told this."""

    kind: Literal["observation_made"] = "observation_made"
    observation: Observation


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


class CampaignStopped(_Event):
    """No further experiment, and why in words (``controller.state.Stop`` has the usual ones)."""

    kind: Literal["campaign_stopped"] = "campaign_stopped"
    reason: str


Event = Annotated[
    CampaignStarted
    | SuggestionMade
    | SuggestionCleared
    | ExperimentStarted
    | ExperimentFinished
    | ExperimentAbandoned
    | ObservationMade
    | FinalPlanRan
    | CampaignResumed
    | CampaignStopped,
    Field(discriminator="kind"),
]

EVENT: TypeAdapter[Event] = TypeAdapter(Event)
