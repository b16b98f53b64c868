"""What a loop dispatches to, and the manners of each."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from agents.protocols import Agent, Reducer, Suggestion
from controller.clock import Clock
from controller.events import Event
from controller.journal import Journal, Record
from controller.state import CampaignState
from controller.verdict import PlanVerdict
from instruments.effects import Effect
from models.values import Documents

Listener = Callable[[Record, CampaignState], None]
"""Hears every event once it is durable and applied: progress bars, consoles, tests."""
_FIGURE = re.compile(r"(?<![\w.])[-+]?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w.])")


@dataclass(frozen=True, slots=True)
class Ran:
    """How a plan ended; the state of a simulated bench and the head of the gate's record then."""

    runs: tuple[str, ...]
    succeeded: bool
    reason: str
    bench: Mapping[str, Any]
    writes: str = ""
    interrupted: bool = False
    """Whether it ended because the operator would not wait."""
    lost: bool = False
    """Whether what ran it has died or hung: nobody knows yet how far it came. ``recover`` says
    more, and until then it is neither a success nor a failed experiment."""
    unfit: str = ""
    """Why what was measured doesn't count (the measuring conditions failed during an exposure);
    empty when it does. The plan was ended, its clean-up has run; it can be repeated once
    ``await_conditions`` returns."""
    halt: "Halting | None" = None
    """What the gate did while it ran, where that is why it didn't end well."""


@dataclass(frozen=True, slots=True)
class Halting:
    """Why nothing can be run: the gate has tripped (*latched*), or the bench holds."""

    reason: str
    latched: bool
    occurrence: int = 0

    def goes_on(self, before: "Halting") -> bool:
        """Whether it is what was so *before*: figures pass (readings, how long since)."""
        told, then = (_FIGURE.sub("", halting.reason) for halting in (self, before))
        return (told, self.latched, self.occurrence) == (then, before.latched, before.occurrence)


@dataclass(frozen=True, slots=True)
class Released:
    """Who has released the bench and why, as far as is known."""

    by: str = ""
    reason: str = ""


class Bench(Protocol):
    """Where experiments are done. Called from the loop's thread, one call at a time."""

    @property
    def plan(self) -> str:
        """The name of the plan that does an experiment."""
        ...

    @property
    def effect(self) -> Effect:
        """What that plan does to the world."""
        ...

    def applied(self, suggestion: Suggestion) -> Mapping[str, Any]:
        """Return the parameters as they will be applied."""
        ...

    def ready(self, suggestion: Suggestion | None = None, upkeep: str = "") -> Halting | None:
        """Let the gate arm for the plan that comes next; return why it doesn't, None when it did.

        With *upkeep* it is that upkeep's plan, else the campaign's own with *suggestion*, and the
        final one without. Called before each plan; may be called again and again. Doesn't wait
        for people.
        """
        ...

    def await_release(self, halting: Halting, patience_s: float) -> Released | None:
        """Wait until what *halting* says may be over, at most *patience_s*; None when it isn't.

        Tells people what to do, once for each halting. ``ready`` has the last word. An interrupt
        ends the wait with KeyboardInterrupt. Raises BenchStands when nobody can release the bench
        while this process waits.
        """
        ...

    def experiment(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> Ran:
        """Run the plan for *suggestion* to its end, whatever that is."""
        ...

    def final(self, number: int) -> Ran:
        """Run the campaign's final plan; only an operator who interrupts twice ends it early."""
        ...

    def recover(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> Ran | None:
        """Return how the attempt ended that was lost, or None when nobody can know.

        What is looked at: the documents on disk (a finished run that succeeded and carries this
        experiment and attempt is adopted) and, for reconcilable plans that can, the instrument.
        None leaves it to the plan's effect: repeat it, or ask a person. Nothing is moved; may be
        called again, and long after.
        """
        ...

    def upkeep(self, name: str, number: int, experiment_id: str = "") -> Ran:
        """Run the upkeep plan *name* to its end, the campaign's *number*-th run of upkeep.

        With an experiment it measures again what that left at the bench. Raises KeyError for a
        name that the campaign doesn't have.
        """
        ...

    def await_conditions(self, patience_s: float = math.inf) -> bool:
        """Wait until it may be measured again, then run the settling plan if there is one.

        True when it may (at once when the campaign has no measuring conditions). False when they
        don't hold after *patience_s* of campaign time; while they hold, but not for long enough
        yet, it is waited on: the caller looks at the time, and asks again. An interrupt ends the
        wait with KeyboardInterrupt. Raises EngineError when the bench can't be asked any more, or
        the settling plan fails for another reason than the conditions (then it is waited again).
        """
        ...

    def documents(self, run: str) -> Documents:
        """Return the documents of a finished run."""
        ...


class Clearance(Protocol):
    """Says whether a suggestion may run: before it does, and without moving anything."""

    def refuses(self, suggestion: Suggestion) -> tuple[str, ...]:
        """Return every reason why *suggestion* may not run (a person's no included)."""
        ...

    def verdict(self, suggestion: Suggestion) -> PlanVerdict | None:
        """Return what a dry run said of *suggestion*, when it was last asked about; or None."""
        ...

    def in_time(self, suggestion: Suggestion, now: float) -> bool:
        """Whether it and the final plan would end before the campaign's ``until``; *now* in s."""
        ...


@dataclass(frozen=True, slots=True)
class Sent:
    """An event that a person sends to a running campaign, and who waits for the answer.

    One of the two is called once, in the loop's thread: *taken* with the event's record, or
    *refused* with the reason.
    """

    event: Event
    taken: Callable[[Record], None]
    refused: Callable[[str], None]


def nothing_sent() -> Sequence[Sent]:
    """Return nothing: nobody can send."""
    return ()


def nobody_comes(_patience_s: float) -> bool:
    """Return at once that nobody can send anything."""
    return False


def nothing_foreseen(_pending: Sequence[Suggestion]) -> None:
    """Foresee nothing: who decides is asked when it is time to."""


def nothing_consumed(_suggestion: Suggestion, _attempt: int) -> Mapping[str, float]:
    """Return nothing: experiments use nothing up."""
    return {}


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that the loop dispatches to."""

    clock: Clock
    journal: Journal
    agent: Agent
    reducer: Reducer
    bench: Bench
    clearance: Clearance
    rebuild: Callable[[], Agent] | None = None
    """Returns the agent as it was at the beginning, told nothing; without it no observation that
    was told can be corrected while the campaign runs."""
    foresee: Callable[[Sequence[Suggestion]], None] = nothing_foreseen
    """Told what is pending when an experiment has begun: whoever can, decides meanwhile. Must not
    block."""
    inbox: Callable[[], Sequence[Sent]] = nothing_sent
    """Returns what was sent since it was last asked; must not block."""
    await_people: Callable[[float], bool] = nobody_comes
    """Waits until something was sent, at most so long (s); False where nobody can send. An
    interrupt ends the wait with KeyboardInterrupt."""
    consumes: Callable[[Suggestion, int], Mapping[str, float]] = nothing_consumed
    """Returns what an attempt (counted from 1) at a suggestion uses up of the campaign's stock."""
