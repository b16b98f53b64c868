"""What must be so of every step of the gate, said without looking at its table.

Each function speaks of one promise of the safety layer and yields what breaks it.
"""

from collections.abc import Iterator

from controller.safety.people.people import Role
from controller.safety.states.machine import Duty, Input, State
from tests.support.safety_model import PERSONS, Act, Explored, Transition

LIVE = frozenset({State.ARMED, State.RUNNING, State.HOLD, State.MAINTENANCE, State.SECURING})
TRIPPED = frozenset({State.SAFING, State.LATCHED})
WORKING = frozenset({State.ARMED, State.RUNNING, State.HOLD})
RESETTING = frozenset({Role.SAFETY_OFFICER})
ACKNOWLEDGING = frozenset({Role.SAFETY_OFFICER, Role.OPERATOR})
RUNNING_IT = frozenset({Role.SAFETY_OFFICER, Role.OPERATOR})


def no_motion_outside_running(t: Transition) -> Iterator[str]:
    """Nothing moves but while RUNNING, with the marker on disk and no safe sequence going on."""
    if t.act.what == "move" and not (
        t.before.state is State.RUNNING and t.before.marker and not t.before.safing
    ):
        yield "moved"


def never_run_with_a_trip_present(t: Transition) -> Iterator[str]:
    """ARMED, RUNNING and HOLD are never entered while a trip is present."""
    entered = t.after.state in WORKING and t.after.state is not t.before.state
    ended = t.act.what in (Input.END, Input.HOLD)
    if entered and not ended and not t.act.facts.no_trip:
        yield "went on with a trip present"


def only_armed_with_all_checks(t: Transition) -> Iterator[str]:
    """Arming, and returning from maintenance, want checks, permit and a person who may."""
    arms = t.before.state is State.DISARMED and t.after.state in WORKING
    returns = t.before.state is State.MAINTENANCE and t.after.state not in (
        State.MAINTENANCE,
        *TRIPPED,
    )
    if not (arms or returns):
        return
    facts = t.act.facts
    if not (facts.checks and facts.permit and facts.no_trip):
        yield "armed or returned without all checks"
    if not _is_one(t.act, RUNNING_IT):
        yield "armed or returned by somebody who may not"


def only_runs_with_everything_there(t: Transition) -> Iterator[str]:
    """RUNNING wants leases, permit, nothing that holds, and the approval of different people."""
    if t.after.state is not State.RUNNING or t.before.state is State.RUNNING:
        return
    facts = t.act.facts
    if not (facts.lease and facts.permit and facts.no_trip and facts.nothing_holds):
        yield "runs without lease or permit, or though something holds"
    if len(set(t.before.approved_by)) < PERSONS:
        yield "runs without the approval of two people"


def only_waits_armed_with_everything_there(t: Transition) -> Iterator[str]:
    """A campaign that begins held has its leases, its permit and its approvals."""
    if t.after.state is not State.HOLD or t.before.state is not State.ARMED:
        return
    if not (t.act.facts.lease and t.act.facts.permit):
        yield "begins held without lease or permit"
    if len(set(t.before.approved_by)) < PERSONS:
        yield "begins held without the approval of two people"


def each_trip_makes_safe(t: Transition) -> Iterator[str]:
    """A trip makes safe from every state in which anything could move; after that it is noted."""
    if t.act.what is not Input.TRIP or t.died:
        return
    if t.before.state in LIVE and not (t.after.state is State.SAFING and t.after.safing):
        yield "a trip without a safe sequence"
    if t.before.state in TRIPPED and t.after.state is not t.before.state:
        yield "a trip that led out of the latch"
    if t.before.state in TRIPPED and t.after.standing.acknowledged:
        yield "acknowledged before it was there"


def emergency_stop_latches_from_every_state(t: Transition) -> Iterator[str]:
    """An emergency stop, by anybody at all, makes safe whatever the state."""
    made_safe = t.after.state in TRIPPED and (t.after.safing or t.died)
    if t.act.what is Input.STOP and not made_safe:
        yield "an emergency stop without a safe sequence"


def latch_left_only_by_people(t: Transition) -> Iterator[str]:
    """Out of SAFING and LATCHED leads only a reset: seen, cause clear, by a role that may."""
    if t.before.state not in TRIPPED or t.after.state in TRIPPED:
        return
    before, act = t.before, t.act
    if act.what is not Input.RESET:
        yield "left the latch"
    elif not (before.state is State.LATCHED and before.seen and before.standing.acknowledged):
        yield "reset what nobody has acknowledged"
    elif not act.facts.no_trip:
        yield "reset with the cause present"
    elif not _is_one(act, RESETTING):
        yield "reset by somebody who may not"


def acknowledged_only_by_people(t: Transition) -> Iterator[str]:
    """What counts as acknowledged was acknowledged, by a role that may, after all that happened."""
    by_word = t.act.what is Input.ACKNOWLEDGE and _is_one(t.act, ACKNOWLEDGING)
    if t.after.standing.acknowledged and not t.before.standing.acknowledged and not by_word:
        yield "acknowledged by nobody who may"
    if t.after.standing.acknowledged and not t.after.seen:
        yield "acknowledged before the last cause"


def first_cause_is_kept(t: Transition) -> Iterator[str]:
    """The first cause stays until the reset, and nothing is left of it after."""
    if t.after.standing.cause != t.after.first:
        yield f"the first cause is {t.after.first!r}"
    if (t.after.state in TRIPPED) != bool(t.after.standing.cause):
        yield "latched without a cause, or a cause without a latch"
    released = t.before.state is State.LATCHED and t.after.state is State.DISARMED
    if released and t.after.approved_by:
        yield "approvals outlived the trip"


def no_cause_is_lost(t: Transition) -> Iterator[str]:
    """Each cause is told of: as the first, or as one that came after it."""
    if t.act.what not in (Input.TRIP, Input.STOP, Input.NOT_REACHED) or t.step is None:
        return
    first = Duty.KEEP_CAUSE in t.step.duties
    later = Duty.ADD_CONSEQUENCE in t.step.duties
    if t.step.taken and (first is later or first is (t.before.state in TRIPPED)):
        yield "a cause that is lost, or told of twice"


def marker_in_every_state_but_disarmed(t: Transition) -> Iterator[str]:
    """The armed marker is on disk in every other state; it goes at a word, or when all is safe."""
    if t.after.state is not State.DISARMED and not t.after.marker:
        yield "no marker"
    if t.before.marker and not t.after.marker and not t.died:
        by_word = t.act.what in (Input.DISARM, Input.GIVE_BACK) and _is_one(t.act, RUNNING_IT)
        reset = t.act.what is Input.RESET
        safe = t.act.what is Input.REACHED and t.before.state is State.SECURING
        if not (by_word or reset or safe):
            yield "the marker went"


def an_orderly_end_leaves_no_marker(t: Transition) -> Iterator[str]:
    """Whatever ends in an orderly way, and is recorded, doesn't trip the next gate."""
    ended = t.after.state is State.DISARMED and t.before.state is not State.DISARMED
    if ended and t.after.recorded == t.after.standing and t.after.marker and not t.died:
        yield "the marker stayed"
    ends = {Input.DISARM: LIVE, Input.RESET: {State.LATCHED}, Input.REACHED: {State.SECURING}}
    taken = t.step is not None and t.step.taken and not t.died
    if taken and t.before.state in ends.get(t.act.what, ()) and t.after.state is not State.DISARMED:  # type: ignore[call-overload]
        yield "didn't end"


def no_restart_avoids_making_safe(t: Transition) -> Iterator[str]:
    """A gate that starts is making safe, latched or disarmed; with the bench left alone, not."""
    if not t.died:
        return
    if t.after.state not in (*TRIPPED, State.DISARMED):
        yield "a gate started elsewhere"
    if t.after.moved and t.after.state is State.DISARMED:
        yield "a restart that left the bench alone"
    reset = t.act.what is Input.RESET and t.step is not None and t.step.taken
    if t.after.state is State.DISARMED and t.before.recorded.state in TRIPPED and not reset:
        yield "a restart that left the latch"
    if t.after.standing.acknowledged:
        yield "that the gate died was acknowledged before"


def every_safing_ends_latched(t: Transition) -> Iterator[str]:
    """What makes safe has a sequence going on, and its end leads on without help."""
    if t.after.state in (State.SAFING, State.SECURING) and not t.after.safing:
        yield "waits for a safe sequence that isn't there"
    if t.died or t.act.what not in (Input.REACHED, Input.NOT_REACHED):
        return
    if t.before.state is State.SAFING and t.after.state is not State.LATCHED:
        yield "made safe, and not latched"
    wanted = State.DISARMED if t.act.what is Input.REACHED else State.LATCHED
    if t.before.state is State.SECURING and t.after.state is not wanted:
        yield "an orderly end that didn't end"


def people_may_only_what_their_role_says(t: Transition) -> Iterator[str]:
    """Maintenance and the end of a campaign want a person who may."""
    if t.died or t.after.state is t.before.state or _is_one(t.act, RUNNING_IT):
        return
    if t.after.state is State.MAINTENANCE:
        yield "taken by somebody who may not"
    if t.act.what is Input.DISARM:
        yield "disarmed by somebody who may not"


def a_hold_stops_motion(t: Transition) -> Iterator[str]:
    """What holds takes the bench out of RUNNING; being secured begins a safe sequence."""
    if t.act.what is Input.HOLD and t.after.state is State.RUNNING:
        yield "moves on though it is held"
    if t.act.what is Input.SECURE and t.before.state in WORKING and not t.after.safing:
        yield "secured without a safe sequence"


INVARIANTS = (
    no_motion_outside_running,
    never_run_with_a_trip_present,
    only_armed_with_all_checks,
    only_runs_with_everything_there,
    only_waits_armed_with_everything_there,
    each_trip_makes_safe,
    emergency_stop_latches_from_every_state,
    latch_left_only_by_people,
    acknowledged_only_by_people,
    first_cause_is_kept,
    no_cause_is_lost,
    marker_in_every_state_but_disarmed,
    an_orderly_end_leaves_no_marker,
    no_restart_avoids_making_safe,
    every_safing_ends_latched,
    people_may_only_what_their_role_says,
    a_hold_stops_motion,
)


def wrongs(transition: Transition) -> Iterator[str]:
    """Yield what *transition* breaks."""
    for invariant in INVARIANTS:
        yield from invariant(transition)


STEPS = frozenset(
    {
        (Input.ARM, State.DISARMED, State.ARMED),
        (Input.BEGIN, State.ARMED, State.RUNNING),
        (Input.BEGIN, State.ARMED, State.HOLD),
        (Input.END, State.RUNNING, State.ARMED),
        (Input.END, State.HOLD, State.ARMED),
        (Input.DISARM, State.ARMED, State.DISARMED),
        (Input.HOLD, State.RUNNING, State.HOLD),
        (Input.GO_ON, State.HOLD, State.RUNNING),
        (Input.TAKE, State.DISARMED, State.MAINTENANCE),
        (Input.TAKE, State.ARMED, State.MAINTENANCE),
        (Input.TAKE, State.RUNNING, State.MAINTENANCE),
        (Input.TAKE, State.HOLD, State.MAINTENANCE),
        (Input.GIVE_BACK, State.MAINTENANCE, State.DISARMED),
        (Input.GIVE_BACK, State.MAINTENANCE, State.HOLD),
        (Input.SECURE, State.ARMED, State.SECURING),
        (Input.SECURE, State.RUNNING, State.SECURING),
        (Input.SECURE, State.HOLD, State.SECURING),
        (Input.REACHED, State.SECURING, State.DISARMED),
        (Input.NOT_REACHED, State.SECURING, State.LATCHED),
        (Input.REACHED, State.SAFING, State.LATCHED),
        (Input.NOT_REACHED, State.SAFING, State.LATCHED),
        (Input.ACKNOWLEDGE, State.LATCHED, State.LATCHED),
        (Input.RESET, State.LATCHED, State.DISARMED),
        (Input.STOP, State.DISARMED, State.SAFING),
        (Input.STOP, State.SAFING, State.SAFING),
        (Input.STOP, State.LATCHED, State.SAFING),
        (Input.TRIP, State.SAFING, State.SAFING),
        (Input.TRIP, State.LATCHED, State.LATCHED),
        *((what, state, State.SAFING) for what in (Input.TRIP, Input.STOP) for state in LIVE),
    }
)
"""All steps that there may be, and each must be possible: a gate that never runs is safe, too."""


def steps_wrong(found: Explored) -> list[str]:
    """Return steps that were taken and may not be, and such as were never possible."""
    more, missing = found.steps - STEPS, STEPS - found.steps
    return [f"takes {s}" for s in sorted(more)] + [f"never takes {s}" for s in sorted(missing)]


def _is_one(act: Act, roles: frozenset[Role]) -> bool:
    return act.by is not None and bool(act.by.roles & roles)
