"""The pre-check of a point: its whole plan is run dry before anything moves."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from bluesky.utils import FailedStatus
from ophyd_async.core import NotConnectedError
from pydantic import ValidationError

from agents.protocols import Suggestion
from controller.benches import Words, envelope_of
from controller.clock import VirtualClock
from controller.errors import ControllerError
from controller.plans.planning import PlannedCall
from controller.precheck.devices import NoSecondSet, SecondSet, second_set
from controller.precheck.gate import DryGate, Present
from controller.precheck.guesses import Guess
from controller.precheck.messages import DryRun, Unforeseeable
from controller.resolving import ResolvedCampaign
from controller.safety.devices.connectors import none_ungated
from controller.seam import own_time
from controller.verdict import Found, PlanVerdict
from instruments.recipes import Recipe

LIMIT_S = 2.0
"""So long (CPU seconds of its thread) may a dry run take."""
WALL_S = 10.0
"""And so long by the wall, where the computer is busy."""
LOOK_S = 10.0
"""How often rules are looked at (campaign seconds), beside each write."""
IDENTITY = "dry-run"


class Rehearsing(Protocol):
    """Runs the campaign's plan dry for a suggestion. Moves nothing; may be asked again."""

    def verdict(self, suggestion: Suggestion, present: Present) -> PlanVerdict | None:
        """Return what would come of *suggestion* on the bench at *present*; None: not asked for."""
        ...


@dataclass
class Rehearsal:
    """Runs plans dry in this thread, on devices that are made when the first one is."""

    resolved: ResolvedCampaign
    words: Words
    seed: int
    call: PlannedCall

    def __post_init__(self) -> None:
        self._clock = VirtualClock()
        self._gate = DryGate(envelope_of(self.resolved, self.words.space))
        self._set: SecondSet | None = None
        self._why_not = ""

    def close(self) -> None:
        """Let the devices go."""
        loop = self._clock.loop
        if not loop.is_closed():
            loop.run_until_complete(_all_left())
            loop.close()

    def verdict(self, suggestion: Suggestion, present: Present) -> PlanVerdict | None:
        """Return what would come of *suggestion*; None where the envelope has no rules."""
        if not self._gate.envelope.rules:
            return None
        try:
            recipe = self.call.recipe(suggestion.parameters)
        except ValidationError:  # the other half of the pre-check says so
            return None
        loop = self._clock.loop
        self.prepare()
        if self._set is None:
            return PlanVerdict(complete=False, stopped=self._why_not)
        made = self._set
        bounds = self.call.spec.readings
        ways = [{}] if not bounds else [{k: v[end] for k, v in bounds.items()} for end in (0, 1)]
        with own_time(self._clock):  # what devices show is as new as it is in the dry run
            return merged(
                [
                    loop.run_until_complete(_Run(made, self.call, recipe, way).of(present))
                    for way in ways
                ]
            )

    def prepare(self) -> None:
        """Make the devices, if plans are run dry at all: the first answer is then quick."""
        if self._set is not None or self._why_not or not self._gate.envelope.rules:
            return
        try:
            with none_ungated():
                self._set = self._clock.loop.run_until_complete(
                    second_set(self.resolved, self.words, self.seed, self._gate)
                )
        except (NoSecondSet, ControllerError, NotConnectedError, NotImplementedError) as error:
            self._why_not = f"not run dry: {error}"


@dataclass
class _Run:
    """One dry run of one plan; readings of leaves in *way* are what that says."""

    made: SecondSet
    call: PlannedCall
    recipe: Recipe
    way: Mapping[str, float]

    def __post_init__(self) -> None:
        self._depends: str = ""
        self._dry = DryRun(self._before, self._reading)
        self._keys = {leaf.name: name for name, leaf in self.made.leaves.items()}
        self._deadlines = (time.thread_time() + LIMIT_S, time.monotonic() + WALL_S)

    async def of(self, present: Present) -> PlanVerdict:
        loop = asyncio.get_running_loop()
        gate = self.made.gate
        gate.forget(present.signals)
        self.made.be(present)
        gate.begin(present.rules)
        simulated, begun = self.made.bench.simulated, loop.time()
        if simulated is not None:
            simulated.start()
        task = asyncio.ensure_future(self._plan())
        ticker = asyncio.ensure_future(self._tick(task))
        try:
            stopped = await task
        except asyncio.CancelledError:
            stopped = self._why_cut
        finally:
            ticker.cancel()
            took = loop.time() - begun
            gate.look()
            gate.end()
            self._dry.leave()
            if simulated is not None:
                simulated.stop()
        return PlanVerdict(
            complete=not stopped,
            messages=self._dry.count,
            campaign_s=round(took, 3),
            stopped=stopped,
            found=tuple(gate.found),
            unjudged=gate.unjudged,
        )

    async def _plan(self) -> str:
        """Run the plan; return why it didn't come to its end."""
        known = (IDENTITY,) if self.call.spec.identified else ()
        try:
            await self._dry.carry_out(
                self.call.spec.run(self.made.bench.station, self.recipe, *known)
            )
        except Unforeseeable as why:
            return str(why)
        except Exception as error:  # whatever a plan or device raises is how it ended
            if self.made.gate.found:
                return ""  # what was refused is why
            return f"the plan ends there: {_words(error)}"
        return ""

    async def _tick(self, task: "asyncio.Future[str]") -> None:
        limit_s = 2.0 * self.call.spec.duration_s(self.recipe) + 3600.0
        begun = asyncio.get_running_loop().time()
        while not task.done():
            await asyncio.sleep(LOOK_S)
            self.made.gate.look()
            self._why_cut = self._too_long()
            if asyncio.get_running_loop().time() - begun > limit_s:
                self._why_cut = "it goes on for longer than it may"
            if self._why_cut:
                task.cancel()

    def _before(self, number: int) -> None:
        self.made.gate.message = number
        why = self._depends or self._too_long()
        if why:
            raise Unforeseeable(why)

    def _too_long(self) -> str:
        cpu, wall = self._deadlines
        if time.thread_time() > cpu or time.monotonic() > wall:
            return f"{LIMIT_S:g} s were used up"
        return ""

    def _reading(self, readings: Mapping[str, Any]) -> Mapping[str, Any]:
        return {key: self._guessed(key, reading) for key, reading in readings.items()}

    def _guessed(self, key: str, reading: Any) -> Any:
        name = self._keys.get(key, key)
        if name in self.way:
            return {**reading, "value": self.way[name]}
        value = reading.get("value")
        if isinstance(value, float) and self.made.unknown(name):
            return {**reading, "value": Guess.of(value, lambda: self._note_use(name))}
        return reading

    def _note_use(self, name: str) -> None:
        self._depends = self._depends or f"from there on it depends on what {name} reads"


def merged(verdicts: list[PlanVerdict]) -> PlanVerdict:
    """Return what several dry runs of one plan come to: all that was found, the shortest way."""
    first = min(verdicts, key=lambda one: (one.complete, one.messages))
    found: dict[tuple[str, str], Found] = {}
    for one in (one for verdict in verdicts for one in verdict.found):
        found.setdefault((one.rule, one.kind), one)
    unjudged = tuple(dict.fromkeys(why for one in verdicts for why in one.unjudged))
    return replace(first, found=tuple(found.values()), unjudged=unjudged)


async def _all_left() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


def _words(error: BaseException) -> str:
    """Return what led to *error*, in words; time-outs end in bare names."""
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    said = [one for one in chain if str(one) and not isinstance(one, FailedStatus)]
    last = said[-1] if said else chain[0]
    return f"{type(last).__name__}: {last}"
