"""Every message between processes: frozen, validated, discriminated by ``kind``.

A request travels with an id of its own (``controller.bus.delivery``) and is handled once,
however often it is sent; what answers it stands beneath it.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from agents.protocols import Measured, Observation, Reduced, Suggestion
from controller.bus.consulting import Consult
from controller.bus.gate_status import Status
from controller.events import Event
from controller.verdict import PlanVerdict


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Done(_Message):
    """The request was carried out; there is nothing more to say."""

    kind: Literal["done"] = "done"


class Failed(_Message):
    """The request was not carried out: *error* is the class of what was raised, *reason* its text.

    ``refused`` says that it was judged and not allowed; ``lost`` that nobody knows whether it was
    done (the process that did it has died meanwhile).
    """

    kind: Literal["failed"] = "failed"
    error: str
    reason: str
    refused: bool = False
    lost: bool = False


# --- to the gate --------------------------------------------------------------------------------


class Judge(_Message):
    """Would *value* be written to *signal* now? Answered by Done or Failed(refused)."""

    kind: Literal["judge"] = "judge"
    signal: str
    value: Any


class Write(_Message):
    """Write *value* to the signal of dotted path *signal*; Done when the device has taken it.

    ``once`` forbids to do it again when nobody knows whether it was done. Without ``wait`` it is
    Done as soon as the value has arrived at the server, however long the device is busy with it.
    """

    kind: Literal["write"] = "write"
    signal: str
    value: Any
    once: bool = False
    wait: bool = True


class Arm(_Message):
    """Allow writes within the envelope of *digest* for what comes next; until disarmed or safe.

    Asked before each plan, of the name *plan*; *effect* is what it does to the world, *suggestion*
    the digest of what is to be done: approvals are for it.
    Failed(lost) names every check that stands against it: nothing has moved.
    """

    kind: Literal["arm"] = "arm"
    digest: str
    plan: str = ""
    effect: str = ""
    suggestion: str = ""


class Renew(_Message):
    """The process *pid*, *holder* (controller or engine) of *campaign*, is there and works."""

    kind: Literal["renew"] = "renew"
    holder: str
    pid: int
    campaign: str = ""


class Release(_Message):
    """*holder* ends in an orderly way: nobody needs to miss it."""

    kind: Literal["release"] = "release"
    holder: str


class GateStatus(_Message):
    """Where does the gate stand? Answered by Status."""

    kind: Literal["gate_status"] = "gate_status"


class Disarm(_Message):
    """An orderly end: nothing is written any more, the bench stays as it is."""

    kind: Literal["disarm"] = "disarm"


class MakeSafe(_Message):
    """An orderly end with the bench made safe: nothing is wrong, nothing latches unless it fails.

    Answered by MadeSafe; all other writes are refused until it is armed again.
    """

    kind: Literal["make_safe"] = "make_safe"
    reason: str


class MadeSafe(_Message):
    """Which signals took their safe value, and which did not and why."""

    kind: Literal["made_safe"] = "made_safe"
    reached: tuple[str, ...] = ()
    failed: dict[str, str] = Field(default_factory=dict)


class WritesHead(_Message):
    """What is the head of the gate's own record? Answered by Head."""

    kind: Literal["writes_head"] = "writes_head"


class Head(_Message):
    """The hash of the last record of a chain, and whether the gate is armed."""

    kind: Literal["head"] = "head"
    head: str
    armed: bool = False


class ReadSignal(_Message):
    """What does *signal*, of a device whose driver the gate has, say? Answered by SignalSays."""

    kind: Literal["read_signal"] = "read_signal"
    signal: str


class SignalSays(_Message):
    """What a signal says, and since when (seconds since 1970)."""

    kind: Literal["signal_says"] = "signal_says"
    value: Any
    stamp: float


class LookAround(_Message):
    """What does each signal say, and what do the rules remember? Answered by Seen."""

    kind: Literal["look_around"] = "look_around"


class Seen(_Message):
    """What signals were last read, by dotted path, and the rules' memory."""

    kind: Literal["seen"] = "seen"
    signals: dict[str, Any]
    rules: dict[str, Any]


# --- to the engine ------------------------------------------------------------------------------


class RunExperiment(_Message):
    """Run the campaign's plan for *suggestion*; *head* is the journal's. Answered by PlanEnded.

    *armed* is when the gate was asked to arm for it (s, this computer's monotonic clock).
    """

    kind: Literal["run_experiment"] = "run_experiment"
    suggestion: Suggestion
    experiment_id: str
    attempt: int
    head: str
    armed: float = 0.0


class RunFinal(_Message):
    """Run the campaign's final plan, the *number*-th time. Answered by PlanEnded."""

    kind: Literal["run_final"] = "run_final"
    number: int
    head: str
    armed: float = 0.0


class RunUpkeep(_Message):
    """Run the upkeep plan *name*, the *number*-th time. Answered by PlanEnded."""

    kind: Literal["run_upkeep"] = "run_upkeep"
    name: str
    number: int
    experiment_id: str = ""
    """The experiment that is measured again, where this is what it is for."""
    head: str
    armed: float = 0.0


class Recover(_Message):
    """How did an experiment end that was in flight? Answered by PlanEnded or Failed(lost)."""

    kind: Literal["recover"] = "recover"
    suggestion: Suggestion
    experiment_id: str
    attempt: int


class AwaitConditions(_Message):
    """Wait until the measuring conditions have held long enough, then settle. Answered by Held.

    When they don't hold after *patience_s* of campaign time the answer is no.
    """

    kind: Literal["await_conditions"] = "await_conditions"
    head: str
    patience_s: float | None = None


class Held(_Message):
    """Whether the measuring conditions have held long enough."""

    kind: Literal["held"] = "held"
    yes: bool


class StopPlan(_Message):
    """End the plan in progress: at its next checkpoint or its end, or *now*. Answered by Done."""

    kind: Literal["stop_plan"] = "stop_plan"
    now: bool = False
    reason: str


class Tripped(_Message):
    """The gate has tripped: end at once what was armed before *at*. Answered by Done.

    *at* is in seconds of this computer's monotonic clock. What is armed later was armed by a gate
    that had been released: a message that arrives late ends nothing of it. Where a process of
    *ours* has died, what it ends is lost.
    """

    kind: Literal["tripped"] = "tripped"
    at: float
    ours: bool
    reason: str


class PausePlan(_Message):
    """Pause the plan in progress at its next checkpoint, or *now*. Answered by Done."""

    kind: Literal["pause_plan"] = "pause_plan"
    now: bool = False


class GoOn(_Message):
    """Go on with a paused plan. Answered by Done."""

    kind: Literal["go_on"] = "go_on"


class PlanEnded(_Message):
    """How a plan ended; the fields are those of ``controller.loop.Ran``."""

    kind: Literal["plan_ended"] = "plan_ended"
    runs: tuple[str, ...] = ()
    reason: str = ""
    writes: str = ""
    interrupted: bool = False
    lost: bool = False
    unfit: str = ""


# --- to the worker ------------------------------------------------------------------------------


class Begin(_Message):
    """Build the agent anew and tell it *observations*, in this order. Answered by Done."""

    kind: Literal["begin"] = "begin"
    observations: tuple[Observation, ...]


class Tell(_Message):
    """Tell the agent *observations*; it must know *known* of them by then. Answered by Done."""

    kind: Literal["tell"] = "tell"
    observations: tuple[Observation, ...]
    known: int


class Ask(_Message):
    """Ask for *count* suggestions. Answered by Suggested."""

    kind: Literal["ask"] = "ask"
    count: int
    pending: tuple[Suggestion, ...] = ()
    known: int


class Suggested(_Message):
    """What the agent suggests, and the CPU seconds that it took."""

    kind: Literal["suggested"] = "suggested"
    suggestions: tuple[Suggestion, ...]
    cpu_s: float = 0.0


class Reduce(_Message):
    """Reduce the documents of *run* under the results of upkeep so far. Answered by ReducedRun."""

    kind: Literal["reduce"] = "reduce"
    run: str
    upkeep: dict[str, Measured] = Field(default_factory=dict)


class ReducedRun(_Message):
    """What a run says."""

    kind: Literal["reduced_run"] = "reduced_run"
    reduced: Reduced


class Calibrate(_Message):
    """What does *run*, a run of upkeep, say for the runs after it? Answered by Calibrated."""

    kind: Literal["calibrate"] = "calibrate"
    run: str


class Calibrated(_Message):
    """What a run of upkeep says, by name; empty for nothing."""

    kind: Literal["calibrated"] = "calibrated"
    values: dict[str, Measured]


class RunDry(_Message):
    """What would come of *suggestion* on a bench that is as *signals* and *rules* (of Seen) say?

    Answered by RanDry; nothing moves.
    """

    kind: Literal["run_dry"] = "run_dry"
    suggestion: Suggestion
    signals: dict[str, Any]
    rules: dict[str, Any]


class RanDry(_Message):
    """What came of running the plan dry; None where the limits have no rules."""

    kind: Literal["ran_dry"] = "ran_dry"
    verdict: PlanVerdict | None


# --- to the controller --------------------------------------------------------------------------


class Take(_Message):
    """Journal *event*, which a person has made (a correction, a told result). Answered by Taken."""

    kind: Literal["take"] = "take"
    event: Event


class Taken(_Message):
    """The event is in the journal as record *sequence*."""

    kind: Literal["taken"] = "taken"
    sequence: int


class EndCampaign(_Message):
    """Stop in an orderly way, or *now* with the bench made safe. Answered by Done."""

    kind: Literal["end_campaign"] = "end_campaign"
    now: bool = False
    reason: str


# --- to the supervisor --------------------------------------------------------------------------


class Up(_Message):
    """A process is ready to be spoken to. Answered by Done."""

    kind: Literal["up"] = "up"
    role: str
    pid: int


class Restart(_Message):
    """The process *role* hangs or talks nonsense: end it and start it again. Answered by Done."""

    kind: Literal["restart"] = "restart"
    role: str
    reason: str


class Note(_Message):
    """Something that the person at the terminal should read. Answered by Done."""

    kind: Literal["note"] = "note"
    text: str


class AskPerson(_Message):
    """May *suggestion* run? Asked in the supervisor's terminal. Answered by Word."""

    kind: Literal["ask_person"] = "ask_person"
    suggestion: Suggestion


class Word(_Message):
    """A person's answer; None: there is nobody to ask."""

    kind: Literal["word"] = "word"
    yes: bool | None


Message = Annotated[
    Done
    | Failed
    | Judge
    | Write
    | Arm
    | Renew
    | Release
    | GateStatus
    | Status
    | ReadSignal
    | SignalSays
    | LookAround
    | Seen
    | Disarm
    | MakeSafe
    | MadeSafe
    | WritesHead
    | Head
    | RunExperiment
    | RunFinal
    | RunUpkeep
    | Recover
    | AwaitConditions
    | Held
    | StopPlan
    | Tripped
    | PausePlan
    | GoOn
    | PlanEnded
    | Begin
    | Tell
    | Ask
    | Suggested
    | Consult
    | Reduce
    | ReducedRun
    | Calibrate
    | Calibrated
    | RunDry
    | RanDry
    | Take
    | Taken
    | EndCampaign
    | Up
    | Restart
    | Note
    | AskPerson
    | Word,
    Field(discriminator="kind"),
]

MESSAGE: TypeAdapter[Message] = TypeAdapter(Message)
