"""The gate's table with something taken out of it, to see whether the model check finds out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from controller.safety.states.machine import TABLE, Duty, Row, Standing, State, restarted
from tests.support.safety_invariants import steps_wrong, wrongs
from tests.support.safety_model import Model, explore


@dataclass(frozen=True, slots=True)
class Mutant:
    """One thing changed: *row* of the table becomes *other* (None: it is gone)."""

    name: str
    row: int
    other: Row | None


def without_a_guard() -> Iterator[Mutant]:
    """Yield for each guard of each row what it would be without."""
    for number, row in enumerate(TABLE):
        for guard in row.guards:
            rest = tuple(other for other in row.guards if other is not guard)
            yield Mutant(f"{_title(row)} without {guard.name}", number, replace(row, guards=rest))


def without_a_duty() -> Iterator[Mutant]:
    """Yield for each duty of each row what it would be without."""
    for number, row in enumerate(TABLE):
        for duty in row.duties:
            rest = tuple(other for other in row.duties if other is not duty)
            yield Mutant(f"{_title(row)} without {duty.name}", number, replace(row, duties=rest))


def without_a_source() -> Iterator[Mutant]:
    """Yield each row gone, and each gone for one of the states that it leads from."""
    for number, row in enumerate(TABLE):
        yield Mutant(f"{_title(row)} gone", number, None)
        if len(row.sources) > 1:
            for state in sorted(row.sources):
                rest = replace(row, sources=row.sources - {state})
                yield Mutant(f"{_title(row)} not from {state.name}", number, rest)


def to_another_state() -> Iterator[Mutant]:
    """Yield each row with each other state as its target."""
    for number, row in enumerate(TABLE):
        for state in (None, *State):
            if state is not row.target and not _same(row, state):
                name = f"{_title(row)} to {state.name if state else 'where it is'} instead"
                yield Mutant(name, number, replace(row, target=state))


def from_another_state() -> Iterator[Mutant]:
    """Yield each row leading from one more state, where none led from for its input."""
    for number, row in enumerate(TABLE):
        taken = {s for r in TABLE if r.input is row.input for s in r.sources}
        for state in State:
            if state not in taken:
                more = replace(row, sources=row.sources | {state})
                yield Mutant(f"{_title(row)} from {state.name} too", number, more)


def table_with(mutant: Mutant) -> tuple[Row, ...]:
    """Return the table with *mutant* in it."""
    rows = (mutant.other if n == mutant.row else row for n, row in enumerate(TABLE))
    return tuple(row for row in rows if row is not None)


def found_in(model: Model) -> str:
    """Return the first thing that the model check finds wrong; empty when it finds nothing."""
    explored = explore(model, wrongs, at_first=True)
    return next(iter([*explored.wrong, *steps_wrong(explored)]), "")


def survivors(mutants: Iterable[Mutant]) -> list[str]:
    """Return the names of those about which nothing is found wrong."""
    return [mutant.name for mutant in mutants if not found_in(Model(table_with(mutant)))]


def _always_disarmed(_standing: Standing, *, marker: bool) -> tuple[Standing, tuple[Duty, ...]]:
    del marker
    return Standing(), ()


def _blind_for_the_marker(standing: Standing, *, marker: bool) -> tuple[Standing, tuple[Duty, ...]]:
    del marker
    return restarted(standing, marker=False)


def _blind_for_the_record(
    _standing: Standing, *, marker: bool
) -> tuple[Standing, tuple[Duty, ...]]:
    return restarted(Standing(), marker=marker)


def _lazy(standing: Standing, *, marker: bool) -> tuple[Standing, tuple[Duty, ...]]:
    return restarted(standing, marker=marker)[0], ()


def _goes_on(standing: Standing, *, marker: bool) -> tuple[Standing, tuple[Duty, ...]]:
    return (standing, ()) if marker else restarted(standing, marker=marker)


def _takes_the_old_word(standing: Standing, *, marker: bool) -> tuple[Standing, tuple[Duty, ...]]:
    began, duties = restarted(standing, marker=marker)
    return replace(began, acknowledged=standing.acknowledged), duties


OTHER_PARTS: dict[str, Model] = {
    "a gate always starts disarmed": Model(restart=_always_disarmed),
    "a gate that starts doesn't look for the marker": Model(restart=_blind_for_the_marker),
    "a gate that starts doesn't look at its record": Model(restart=_blind_for_the_record),
    "a gate that starts doesn't make safe": Model(restart=_lazy),
    "a gate that starts goes on": Model(restart=_goes_on),
    "what was acknowledged before a death counts": Model(restart=_takes_the_old_word),
    "one person approves twice": Model(approvers=len),
    **{
        f"moves while {state.value}": Model(moves_in=frozenset({State.RUNNING, state}))
        for state in State
        if state is not State.RUNNING
    },
}
"""What isn't in the table, done wrong."""


def _title(row: Row) -> str:
    target = row.target.name if row.target is not None else "the same"
    return f"{row.input.name} from {'/'.join(sorted(s.name for s in row.sources))} to {target}"


def _same(row: Row, state: State | None) -> bool:
    """Whether *state* says the same as what stands there: to stay in the only source."""
    only = next(iter(row.sources)) if len(row.sources) == 1 else None
    return {state, row.target} == {None, only}
