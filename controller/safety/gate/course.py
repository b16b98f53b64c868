"""The gate's course through its states: takes steps of the table, and does what they bid.

What makes safe is done first and recorded after; everything else is on disk before it counts.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.errors import JournalError
from controller.safety.hands.safing import Safed, StageSafed
from controller.safety.record.audit import Audit
from controller.safety.record.recorder import Recorder
from controller.safety.states.causes import Cause, CauseKind
from controller.safety.states.machine import Duty, Facts, Input, State, Step, restarted, step
from controller.safety.states.marker import Marker

DIED = Cause(CauseKind.PROCESS, "the gate died and left the bench armed")


@dataclass(frozen=True, slots=True)
class Word:
    """Who lets the gate take a step, and why."""

    by: str = ""
    reason: str = ""


NOBODY = Word()


class Course:
    """Where the gate stands and why; *make_safe* is what it does for ``Duty.MAKE_SAFE``."""

    def __init__(
        self, audit: Audit, marker: Marker, recorder: Recorder, make_safe: Callable[[str], None]
    ) -> None:
        self._audit = audit
        self._marker = marker
        self._recorder = recorder
        self._make_safe = make_safe
        past = audit.past_standing()
        self.standing = past.standing
        self.trip = past.trip
        self.releases = list(past.releases)
        """When (campaign s since 1970) the standing order has released."""
        self.released = Word(past.released_by, past.released_for)
        """Who has reset it last, and why."""

    @property
    def state(self) -> State:
        """Where it stands."""
        return self.standing.state

    def start(self, *, marker: bool) -> None:
        """Begin where a gate does that finds what is recorded, and whether the *marker* is there.

        Raises JournalError, with the bench being made safe all the same, if it can't be recorded.
        """
        self.standing, duties = restarted(self.standing, marker=marker)
        killed = self._marker.killed_by()
        if self.state is State.SAFING:
            died = Cause(CauseKind.STOP, killed) if killed else DIED
            self.trip = self.trip.with_cause(replace(died, at=self._audit.now()))
        if Duty.MAKE_SAFE in duties:
            self._marker.stay()
            self._make_safe(self.standing.cause)
        if self._audit.length or self.state is not State.DISARMED:
            standing, trip = self.standing, self.trip
            self._recorder.now(lambda: self._audit.started(standing, trip, marker=marker))

    def would(self, what: Input, facts: Facts) -> Step:
        """Return what would come of *what*; nothing is done."""
        return step(self.standing, what, facts)

    def take(self, what: Input, facts: Facts, word: Word = NOBODY) -> Step:
        """Take the step *what* if the table allows it: recorded first, and then done.

        Raises JournalUnwritable, with everything as it was, when it can't be.
        """
        taken = step(self.standing, what, facts)
        if not taken.taken:
            return taken
        trip = self.trip.released() if Duty.FORGET_CAUSE in taken.duties else self.trip
        fresh = Duty.PUT_MARKER in taken.duties and not self._marker.present
        if fresh:
            self._marker.put()
        try:
            self._recorder.now(lambda: self._audit.step(what, facts, taken.standing, trip, word))
        except JournalError:
            if fresh:  # nothing was armed
                self._marker.remove()
            raise
        self.standing, self.trip = taken.standing, trip
        if what is Input.RESET:
            self.released = word
        if Duty.REMOVE_MARKER in taken.duties:
            self._marker.remove()
        return taken

    def at_once(
        self, what: Input, facts: Facts, word: Word = NOBODY, cause: Cause | None = None
    ) -> Step:
        """Take the step *what*: done first, recorded when that can be."""
        taken = step(self.standing, what, facts, str(cause or ""))
        if not taken.taken:
            return taken
        self.standing = taken.standing
        if Duty.MAKE_SAFE in taken.duties:
            self.trip = replace(self.trip, reached=(), failed={})
        if cause is not None and _adds_cause(taken.duties):
            self.trip = self.trip.with_cause(replace(cause, at=self._audit.now()))
        if Duty.MAKE_SAFE in taken.duties:
            self._make_safe(str(cause) if cause is not None else word.reason)
        standing, trip = self.standing, self.trip
        self._recorder.later(lambda: self._audit.step(what, facts, standing, trip, word))
        if Duty.PUT_MARKER in taken.duties:
            self._marker.stay()
        if Duty.REMOVE_MARKER in taken.duties and self._recorder.catch_up():
            self._marker.remove()
        return taken

    def reached(self, safed: Safed) -> Step:
        """Take the step at the end of a safe sequence; *safed* says what it reached."""
        self.trip = replace(self.trip, reached=safed.reached, failed=dict(safed.failed))
        self._recorder.later(
            lambda: self._audit.made_safe(
                self.standing.cause, list(safed.reached), dict(safed.failed)
            )
        )
        if not safed.failed:
            return self.at_once(Input.REACHED, Facts())
        reason = "; ".join(f"{signal}: {why}" for signal, why in safed.failed.items())
        return self.at_once(Input.NOT_REACHED, Facts(), cause=Cause(CauseKind.UNSAFE, reason))

    def kept(self, kept: StageSafed) -> None:
        """Note what isn't safe now, long after the sequence: a server may have come back since."""
        if self.standing.state is not State.LATCHED or bool(kept.failed) == bool(self.trip.failed):
            return
        signals = (*self.trip.reached, *self.trip.failed)
        reached = tuple(s for s in signals if s not in kept.failed)
        self.trip = replace(self.trip, reached=reached, failed=dict(kept.failed))
        said = "no longer safe" if kept.failed else "safe after all"
        failed = dict(kept.failed)
        self._recorder.later(lambda: self._audit.event(said, failed=failed))

    def count_release(self) -> None:
        """Count a release by the standing order."""
        self.releases.append(self._audit.now())


def _adds_cause(duties: tuple[Duty, ...]) -> bool:
    return Duty.KEEP_CAUSE in duties or Duty.ADD_CONSEQUENCE in duties
