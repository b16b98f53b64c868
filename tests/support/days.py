"""A loop over a bench that does what it is told to: losses, dumps, upkeep; no hardware, no wait."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.protocols import Goal, Measured, Objective, Reduced, Suggestion
from agents.sobol import SobolAgent
from agents.space import Continuous, Integer, Space
from controller.errors import BenchStands
from controller.events import CampaignResumed, CampaignStarted, Event, ExperimentResolved
from controller.history import fold
from controller.journal import Journal, read
from controller.loop import Loop, Parts
from controller.parts import Halting, Ran, Released, Sent
from controller.terms import Terms
from instruments.effects import Effect

YIELD = Objective("yield", Goal.MAXIMIZE, "%")
SPACE = Space((Continuous("x", 0, 10), Integer("n", 1, 40)))
MEASURE_S = 100.0


@dataclass
class StepClock:
    """Campaign time that passes only where the bench says so."""

    time: float = 1000.0

    def now(self) -> float:
        return self.time


@dataclass
class ScriptedBench:
    """Ends each attempt as *script* says (a finished run when it says nothing more).

    *found* are the outcomes that `recover` finds; *dumps* how often waiting for conditions gives
    up before they hold; *keeping* how runs of upkeep end.
    """

    clock: StepClock
    script: list[Ran] = field(default_factory=list)
    effect: Effect = Effect.REPEATABLE
    found: list[Ran | None] = field(default_factory=list)
    dumps: int = 0
    keeping: list[Ran] = field(default_factory=list)
    during: Callable[[], None] = lambda: None
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    plan: str = "scripted"
    halting: list[Halting | None] = field(default_factory=list)
    """What the gate says before each plan."""
    releases: list[Released | None] = field(default_factory=list)
    """What comes of waiting; without any more nobody can release it meanwhile."""

    def applied(self, suggestion: Suggestion) -> Mapping[str, Any]:
        return suggestion.parameters

    def experiment(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> Ran:
        self.calls.append(("experiment", experiment_id, attempt))
        self.clock.time += MEASURE_S
        self.during()
        return self.script.pop(0) if self.script else done(f"{experiment_id}/{attempt}")

    def final(self, number: int) -> Ran:
        self.calls.append(("final", number))
        return done(f"final/{number}")

    def recover(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> Ran | None:
        self.calls.append(("recover", experiment_id, attempt))
        return self.found.pop(0) if self.found else None

    def upkeep(self, name: str, number: int, experiment_id: str = "") -> Ran:
        self.calls.append(("again", experiment_id) if experiment_id else ("upkeep", name, number))
        self.clock.time += MEASURE_S
        return self.keeping.pop(0) if self.keeping else done(f"upkeep/{name}/{number}")

    def ready(self, suggestion: Suggestion | None = None, upkeep: str = "") -> Halting | None:
        return self.halting.pop(0) if self.halting else None

    def await_release(self, halting: Halting, patience_s: float) -> Released | None:
        self.calls.append(("await release", halting.reason))
        if not self.releases:
            raise BenchStands(halting.reason)
        self.clock.time += patience_s
        return self.releases.pop(0)

    def await_conditions(self, patience_s: float) -> bool:
        self.calls.append(("await",))
        self.clock.time += patience_s
        self.dumps -= 1
        return self.dumps < 0

    def documents(self, run: str) -> Any:
        return [("start", {"uid": run})]

    def attempts(self) -> list[int]:
        """Return the numbers of the attempts made, in order."""
        return [call[2] for call in self.calls if call[0] == "experiment"]


class ShiftingReducer:
    """Measures 1 for each run, plus the shift that upkeep says."""

    name = "shifting"

    def __init__(
        self, shift: float = 0.0, shifts: Sequence[float] = (0.25, 0.5, 0.75, 1.0)
    ) -> None:
        self._shift = shift
        self._shifts = list(shifts)

    def reduce(self, documents: Any) -> Reduced:
        return Reduced({"yield": Measured(1.0 + self._shift, 0.1)})

    def calibrate(self, documents: Any) -> Mapping[str, Measured]:
        return {"shift": Measured(self._shifts.pop(0), 0.01)}

    def under(self, calibration: Mapping[str, Measured]) -> "ShiftingReducer":
        return ShiftingReducer(calibration["shift"].mean)


@dataclass
class Clearing:
    """Lets everything pass that ends before *until*."""

    until: float = float("inf")

    def refuses(self, suggestion: Suggestion) -> tuple[str, ...]:
        return ()

    def verdict(self, suggestion: Suggestion) -> None:
        return None

    def in_time(self, suggestion: Suggestion, now: float) -> bool:
        return now + MEASURE_S <= self.until


@dataclass
class Days:
    """A campaign in *directory*: its loop, its bench, and what was sent to it."""

    directory: Path
    loop: Loop
    bench: ScriptedBench
    clock: StepClock
    sent: list[Sent]

    @property
    def state(self) -> Any:
        return self.loop.state

    def run(self) -> "Days":
        self.loop.run()
        return self

    def events(self, kind: type[Event]) -> list[Any]:
        return [r.event for r in read(self.directory) if isinstance(r.event, kind)]

    def kinds(self) -> list[str]:
        return [record.event.kind for record in read(self.directory)]


def done(run: str) -> Ran:
    return Ran((run,), True, "", {})


def lost(reason: str = "the engine died") -> Ran:
    return Ran((), False, reason, {}, lost=True)


def unfit(reason: str = "ring.current > 50 mA failed") -> Ran:
    return Ran(("spoilt",), False, reason, {}, unfit=reason)


def say(directory: Path, outcome: Any, experiment: str, runs: tuple[str, ...] = ()) -> None:
    """Journal a person's word on *experiment* while nobody runs the campaign."""
    journal = Journal.open(directory)
    word = ExperimentResolved(
        experiment_id=experiment, outcome=outcome, person="P", reason="I saw it", runs=runs
    )
    journal.append(2000.0, word)
    journal.close()


@contextmanager
def days(
    directory: Path,
    terms: Terms | None = None,
    space: Space = SPACE,
    clearing: Clearing | None = None,
    **script: Any,
) -> Any:
    """Yield a campaign in *directory*, begun anew or gone on with; *script* is the bench's.

    *consumes*, *foresee*, *await_people* and *agent* of *script* are parts of the loop.
    """
    clock, journal, sent = StepClock(), Journal.open(directory), []
    names = ("consumes", "foresee", "rebuild", "await_people")
    parts = {name: script.pop(name) for name in names if name in script}
    agent = script.pop("agent", None) or SobolAgent(space, (YIELD,), 3)
    bench = ScriptedBench(clock, **script)
    terms = terms or Terms((YIELD,), experiments=3)
    try:
        anew = not len(journal)
        if anew:
            started = CampaignStarted(campaign_id="c", campaign={}, seed=3, limits="")
            journal.append(clock.now(), started)
        state = fold(list(journal.records()), terms)
        clock.time = max(clock.time, state.latest)

        def inbox() -> list[Sent]:
            taken = list(sent)
            sent.clear()
            return taken

        parts.setdefault("rebuild", lambda: SobolAgent(space, (YIELD,), 3))
        loop = Loop(
            Parts(
                clock=clock,
                journal=journal,
                agent=agent,
                reducer=ShiftingReducer(),
                bench=bench,
                clearance=clearing or Clearing(),
                inbox=inbox,
                **parts,
            ),
            state,
            lambda _record, _state: None,
        )
        if not anew:
            loop.record(CampaignResumed())
        yield Days(directory, loop, bench, clock, sent)
    finally:
        journal.close()
