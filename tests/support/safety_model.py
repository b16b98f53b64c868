"""A model of the gate: its table, its disk, its people, and everything that may happen to them.

What the world does is not known to the gate beforehand: every fact that a guard looks at may be so
or not at every input, people of all roles ask for everything, records may lag behind where the gate
doesn't wait for the disk, and the gate may die between any two things that it does. ``explore``
walks all of it, breadth first, and asks ``wrongs`` (safety_invariants) about each step.

The gate's own manner of taking steps (controller.safety.gate.course) is repeated here: what is
recorded before it counts, and what counts before it is recorded.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import product

from controller.safety.people.people import Principal, Role, Scope
from controller.safety.states.machine import (
    TABLE,
    Duty,
    Facts,
    Guard,
    Input,
    Row,
    Standing,
    State,
    Step,
    restarted,
    step,
)

PERSONS = 2
"""How many different people must have approved."""

VIEWER = Principal("vera", frozenset({Role.VIEWER}), "key 1")
OPERATOR = Principal("otto", frozenset({Role.OPERATOR}), "key 2")
OFFICER = Principal("olga", frozenset({Role.SAFETY_OFFICER}), "key 3")
SCIENTIST = Principal("sina", frozenset({Role.SCIENTIST}), "key 4")
PEOPLE = (VIEWER, OPERATOR, OFFICER)
APPROVING = (OPERATOR, OFFICER, SCIENTIST)

BY_PEOPLE: dict[Input, Scope] = {
    Input.ARM: Scope.RUN,
    Input.DISARM: Scope.RUN,
    Input.TAKE: Scope.MAINTAIN,
    Input.GIVE_BACK: Scope.MAINTAIN,
    Input.ACKNOWLEDGE: Scope.ACKNOWLEDGE,
    Input.RESET: Scope.RESET,
}
RECORDED_FIRST = frozenset({*BY_PEOPLE, Input.BEGIN})
"""What is on disk before it counts; all else counts first."""
CAUSES = ("a rule", "another rule")
FACTS = {
    Guard.CHECKS: "checks",
    Guard.NO_TRIP: "no_trip",
    Guard.PERMIT: "permit",
    Guard.LEASE: "lease",
    Guard.NOTHING_HOLDS: "nothing_holds",
}


_START, _NOTHING_SO = Standing(), Facts()


@dataclass(frozen=True, slots=True)
class World:
    """Where everything stands: the gate, its disk, the bench, and what people have said."""

    standing: Standing = _START
    recorded: Standing = _START
    """What a gate that starts finds."""
    marker: bool = False
    safing: bool = False
    """Whether a safe sequence is going on: it ends by itself."""
    approved_by: tuple[str, ...] = ()
    """Who has approved what comes next, each as often as they said so."""
    moved: bool = False
    """Whether the bench may be in a state to be made safe, and nobody took that upon themselves."""
    first: str = ""
    """The first cause since the last release, by the account of whoever looks from outside."""
    seen: bool = False
    """Whether somebody who may has acknowledged after the last thing that happened."""
    first_recorded: str = ""

    @property
    def state(self) -> State:
        return self.standing.state


@dataclass(frozen=True, slots=True)
class Act:
    """Something that happened: an input with its facts and who gave it, or one of the others."""

    what: Input | str
    facts: Facts = _NOTHING_SO
    by: Principal | None = None
    cause: str = ""

    def __str__(self) -> str:
        held = [name for name in FACTS.values() if getattr(self.facts, name)]
        who = f" by {self.by.name}" if self.by is not None else ""
        return f"{self.what}{who} {self.cause} ({', '.join(held)})"


@dataclass(frozen=True, slots=True)
class Transition:
    """What an act led to; *step* is what the table said, None for what isn't an input."""

    before: World
    act: Act
    after: World
    step: Step | None = None
    died: bool = False
    """Whether the gate died during it, and another one started."""


@dataclass(frozen=True, slots=True)
class Model:
    """The machine under test; mutants replace a part of it."""

    table: tuple[Row, ...] = TABLE
    restart: Callable[..., tuple[Standing, tuple[Duty, ...]]] = restarted
    moves_in: frozenset[State] = frozenset({State.RUNNING})
    approvers: Callable[[tuple[str, ...]], int] = lambda names: len(set(names))

    def acts(self, world: World) -> Iterator[Act]:
        """Yield everything that may happen to *world*."""
        for what in Input:
            if what in (Input.REACHED, Input.NOT_REACHED) and not world.safing:
                continue
            yield from self._inputs(world, what)
        if world.state in self.moves_in:
            yield Act("move")
        yield from (Act("approve", by=who) for who in (VIEWER, *APPROVING))
        yield from (Act(other) for other in ("another plan", "approval lapses", "record", "die"))

    def _inputs(self, world: World, what: Input) -> Iterator[Act]:
        rows = [r for r in self.table if r.input is what and world.state in r.sources]
        guards = {guard for row in rows for guard in row.guards}
        free = [name for guard, name in FACTS.items() if guard in guards]
        people = PEOPLE if what in BY_PEOPLE else (VIEWER,) if what is Input.STOP else (None,)
        causes = CAUSES if what is Input.TRIP else (what.value,)
        for by, cause, held in product(people, causes, product((True, False), repeat=len(free))):
            so = dict(zip(free, held, strict=True))
            role = by is not None and what in BY_PEOPLE and by.may(BY_PEOPLE[what])
            approved = self.approvers(world.approved_by) >= PERSONS
            yield Act(what, Facts(role=role, approved=approved, **so), by, cause)

    def after(self, world: World, act: Act) -> Iterator[Transition]:
        """Yield what *act* may lead to; several where the gate may die, or a record may lag."""
        if not isinstance(act.what, Input):
            yield Transition(world, act, self._other(world, act), died=act.what == "die")
            return
        taken = step(world.standing, act.what, act.facts, act.cause, self.table)
        if not taken.taken:
            yield Transition(world, act, world, taken)
            return
        told = _told(world, act, taken)
        manner = _recorded_first if act.what in RECORDED_FIRST else _at_once
        for disk, after in manner(told, taken):
            if after is not None:
                yield Transition(world, act, after, taken)
            yield Transition(world, act, self._begun_again(disk), taken, died=True)

    def _other(self, world: World, act: Act) -> World:
        if act.what == "move":
            return replace(world, moved=True)
        if act.what == "approve" and act.by is not None and act.by.may(Scope.APPROVE):
            return replace(world, approved_by=tuple(sorted((*world.approved_by, act.by.name)))[:3])
        if act.what == "another plan":
            return replace(world, approved_by=())
        if act.what == "approval lapses":
            return replace(world, approved_by=world.approved_by[1:])
        if act.what == "record":
            return replace(world, recorded=world.standing, first_recorded=world.first)
        if act.what == "die":
            return self._begun_again(world)
        return world

    def _begun_again(self, disk: World) -> World:
        """Return where the next gate begins, with what it finds on *disk*."""
        standing, duties = self.restart(disk.recorded, marker=disk.marker)
        first = disk.first_recorded or ("" if standing.state is State.DISARMED else standing.cause)
        return World(
            standing=standing,
            recorded=standing,
            marker=disk.marker or Duty.MAKE_SAFE in duties,
            safing=Duty.MAKE_SAFE in duties,
            moved=disk.moved,
            first=first,
            first_recorded=first,
        )


def _told(world: World, act: Act, taken: Step) -> World:
    """Return *world* with what somebody outside notes of *act*, and nothing else."""
    noted = world
    if act.what in (Input.TRIP, Input.STOP, Input.NOT_REACHED):
        noted = replace(noted, first=noted.first or act.cause, seen=False)
    if act.what is Input.ACKNOWLEDGE and act.by is not None and act.by.may(Scope.ACKNOWLEDGE):
        noted = replace(noted, seen=True)
    if act.what is Input.RESET:
        noted = replace(noted, first="", seen=False)
    by_word = act.what in (Input.DISARM, Input.RESET, Input.GIVE_BACK)
    if act.what is Input.REACHED or (by_word and taken.standing.state is State.DISARMED):
        noted = replace(noted, moved=False)
    if act.what is Input.TAKE:
        noted = replace(noted, moved=True)
    return noted


def _recorded_first(told: World, taken: Step) -> Iterator[tuple[World, World | None]]:
    """Yield each moment's disk, and where it leads if the gate doesn't die: at the last one.

    Or the record can't be made: then everything is as it was but for the marker.
    """
    world = told
    if Duty.PUT_MARKER in taken.duties:
        world = replace(world, marker=True)
        yield world, None
    world = replace(world, recorded=taken.standing, first_recorded=told.first)
    yield world, None
    world = _counted(world, taken)
    if Duty.REMOVE_MARKER in taken.duties:
        world = replace(world, marker=False)
    yield world, world


def _at_once(told: World, taken: Step) -> Iterator[tuple[World, World | None]]:
    """Yield each moment's disk: the step counts before any of it, and its record may lag."""
    disk = told
    world = _counted(told, taken)
    if Duty.PUT_MARKER not in taken.duties or told.marker:
        yield disk, world  # not recorded yet: nor can the marker go
    else:
        world = replace(world, marker=True)
        yield replace(disk, marker=True), world
    world = replace(world, recorded=taken.standing, first_recorded=told.first)
    yield world, None
    if Duty.REMOVE_MARKER in taken.duties:
        world = replace(world, marker=False)
    yield world, world


def _counted(world: World, taken: Step) -> World:
    safing = world.safing and taken.standing.state in (State.SAFING, State.SECURING)
    safing = safing or Duty.MAKE_SAFE in taken.duties
    approved = () if Duty.FORGET_CAUSE in taken.duties else world.approved_by
    return replace(world, standing=taken.standing, safing=safing, approved_by=approved)


@dataclass(slots=True)
class Explored:
    """All that was found: worlds, transitions, rows that were taken, and what is wrong."""

    worlds: int = 0
    transitions: int = 0
    states: set[State] = field(default_factory=set)
    steps: set[tuple[Input, State, State]] = field(default_factory=set)
    wrong: list[str] = field(default_factory=list)


Wrongs = Callable[[Transition], Iterator[str]]


def explore(model: Model, wrongs: Wrongs, *, at_first: bool = False) -> Explored:
    """Walk everything that *model* can reach; *at_first* ends it with the first thing wrong."""
    found = Explored()
    reached = {World()}
    waiting = deque(reached)
    while waiting:
        world = waiting.popleft()
        found.states.add(world.state)
        for act in model.acts(world):
            for transition in model.after(world, act):
                found.transitions += 1
                _note(found, transition)
                found.wrong += [f"{what}: {_in_words(transition)}" for what in wrongs(transition)]
                if found.wrong and at_first:
                    return found
                if transition.after not in reached:
                    reached.add(transition.after)
                    waiting.append(transition.after)
    found.worlds = len(reached)
    return found


def _note(found: Explored, transition: Transition) -> None:
    act, taken = transition.act, transition.step
    if isinstance(act.what, Input) and taken is not None and taken.taken and not transition.died:
        found.steps.add((act.what, transition.before.state, transition.after.state))


def _in_words(transition: Transition) -> str:
    before, after = transition.before, transition.after
    died = " and the gate dies" if transition.died else ""
    return f"{before.state} {before} —{transition.act}{died}→ {after.state} {after}"
