"""What the gate does by itself as time passes and signals speak: trips, holds, and goes on."""

from collections.abc import Callable

from controller.errors import JournalError
from controller.safety.envelope.specs import OF_HANDS, Reaction
from controller.safety.gate.core import Core
from controller.safety.gate.course import Word
from controller.safety.rules.findings import Finding
from controller.safety.states.causes import Cause, CauseKind
from controller.safety.states.holds import DISK, JOURNAL
from controller.safety.states.machine import Facts, Input, State

REMEMBER_S = 60.0
"""How often what the rules must not forget is recorded (campaign seconds)."""
DISK_S = 1.0
"""How often the disk is looked at (real seconds)."""
SYNC_S = 0.2
"""So long (real seconds) a record may be only noted: outcomes, which nothing waits for."""
AWAY_S = 1.0
"""With a longer pause between two ticks (real s) it was this process that didn't run: leases are
counted from then on. The watch over processes and the lease at the IOC don't depend on it."""
SHADOW_S = 3.0
"""For so long after such a pause (real s) what breaks is taken to follow from it."""
_LIVE = frozenset({State.ARMED, State.RUNNING, State.HOLD, State.MAINTENANCE, State.SECURING})


class Watching:
    """Looks at rules, leases, disk and record; *trip* and *holding* do what comes of it."""

    def __init__(
        self, core: Core, trip: Callable[[Cause], None], holding: Callable[[], None]
    ) -> None:
        self._core = core
        self._trip = trip
        self._holding = holding
        self._specs = {spec.name: spec for spec in core.envelope.rules}
        self._known: frozenset[str] = frozenset()
        """Rules whose trip was told already, and which are broken still."""
        self._remembered: object = None
        self._remembered_s = core.now().campaign_s
        self._disk_s = float("-inf")
        self._seen_s = self._synced_s = core.now().real_s
        self._synced = core.audit.synced
        ages = [watched.max_age_s for watched in core.envelope.signals.values()]
        self._patience_s = min((core.leases.lease_s, *ages))
        """A shorter pause makes nothing unknown, and lets no IOC go safe by itself."""
        self._paused: tuple[float, float] | None = None
        """When the last long pause ended, and how long it was (real s); None once it is told."""

    def look(self) -> None:
        """Look at all rules, and do what they ask for."""
        core = self._core
        self._notice_pause()
        found = core.rules.look(core.now()) if self._specs else ()
        core.findings = tuple(f for f in found if not self._excused(f))
        core.holds.by_rules({f.rule: f.reason for f in found if f.reaction is Reaction.HOLD})
        self._heed(core.trips())
        self._hold_or_go_on()

    def tick(self) -> None:
        """Look at everything; called again and again, however fast."""
        core = self._core
        now_s = core.now().real_s
        self._notice_pause()
        if not core.recorder.catch_up() and core.recorder.failure is not None:
            self.journal_failed(core.recorder.failure)
        for holder in core.leases.lapsed(now_s):
            core.leases.release(holder)
            self._trip(
                Cause(CauseKind.PROCESS, f"no sign of life of the {holder} for {_lease(core):g} s")
            )
        self._look_at_disk(now_s)
        self._sync(now_s)
        self.look()
        self._remember_now_and_then()

    def remember(self) -> None:
        """Record what the rules must not forget, if that is something else than was recorded."""
        core = self._core
        data = core.rules.remember() if self._specs else None
        if not data or data == self._remembered:
            return
        try:
            core.recorder.now(lambda: core.audit.remember(data))
        except JournalError as error:
            self.journal_failed(error)
            return
        self._remembered = data
        self._remembered_s = core.now().campaign_s

    def remember_later(self) -> None:
        """Let that be recorded when it can be: a trip doesn't wait for it."""
        if self._specs:
            data = self._core.rules.remember()
            self._core.recorder.later(lambda: self._core.audit.remember(data))

    def journal_failed(self, error: JournalError) -> None:
        """Hold, since nothing more can be recorded: no actuation but safe values."""
        self._core.recorder.failure = error
        self._core.holds.by_itself(JOURNAL, str(error))
        self._hold_or_go_on()

    def _notice_pause(self) -> None:
        """Let nobody be missed, and remember it, where this process itself stood still."""
        core = self._core
        now_s = core.now().real_s
        paused_s, self._seen_s = now_s - self._seen_s, now_s
        if paused_s > AWAY_S:
            core.leases.rest_from(now_s)
            if core.leases.needed and paused_s >= self._patience_s:
                self._paused = (now_s, paused_s)

    def led_to(self, cause: Cause) -> Cause | None:
        """Return what has led to *cause*, where that is known: a process of ours, never the bench.

        Asked before the trip; what is told once isn't told again.
        """
        core = self._core
        if core.state not in _LIVE or cause.kind is CauseKind.STOP:
            return None
        if why := core.means.forsaken():
            return Cause(CauseKind.PROCESS, why)
        paused, self._paused = self._paused, None
        if paused is None or cause.kind is not CauseKind.RULE:
            return None
        if core.now().real_s - paused[0] > SHADOW_S:
            return None
        return Cause(CauseKind.PROCESS, f"the gate stood still for {paused[1]:.1f} s")

    def _heed(self, broken: tuple[Finding, ...]) -> None:
        core = self._core
        if core.state in _AFTER:  # what a gate that has just started hasn't heard yet says nothing
            broken = tuple(found for found in broken if self._is_news(found))
        for found in broken:
            if core.state in _LIVE or (found.rule not in self._known and core.state in _AFTER):
                self._trip(Cause(CauseKind.RULE, found.reason, found.rule))
        self._known = frozenset(found.rule for found in broken)

    def _hold_or_go_on(self) -> None:
        core = self._core
        if core.state is State.RUNNING and core.holds.all:
            core.course.at_once(Input.HOLD, Facts(), Word("", core.holds.in_words()))
            self._holding()
        elif core.state is State.HOLD and not core.holds.all:
            core.course.at_once(Input.GO_ON, core.facts(), Word("", "nothing holds it any more"))

    def _look_at_disk(self, now_s: float) -> None:
        if now_s - self._disk_s < DISK_S:
            return
        self._disk_s = now_s
        core = self._core
        core.holds.by_itself(DISK, core.means.disk.fault())
        failed = core.recorder.failure
        if failed is not None and self._core.holds.has(JOURNAL):
            try:
                core.recorder.now(lambda: core.audit.event("can be recorded again"))
            except JournalError:
                return
        core.holds.by_itself(JOURNAL, "")

    def _sync(self, now_s: float) -> None:
        """Let the disk have what was noted, unless another record has seen to that meanwhile."""
        audit = self._core.audit
        if audit.synced == audit.length or audit.synced != self._synced:
            self._synced, self._synced_s = audit.synced, now_s
        elif now_s - self._synced_s >= SYNC_S:
            try:
                self._core.recorder.now(audit.sync)
            except JournalError as error:
                self.journal_failed(error)

    def _remember_now_and_then(self) -> None:
        if self._specs and self._core.now().campaign_s - self._remembered_s >= REMEMBER_S:
            self._remembered_s = self._core.now().campaign_s
            self.remember()

    def _is_news(self, found: Finding) -> bool:
        """Whether it is broken now by what was heard, and not by what isn't known yet."""
        if found.over and found.rule not in self._known:
            return False
        picture = self._core.picture
        written = [picture.written(signal) for signal in found.signals]
        unread = any(w is not None and w.touched and w.ours is None for w in written)
        return not unread and all(picture.value(signal) is not None for signal in found.signals)

    def _excused(self, found: Finding) -> bool:
        """Whether it is about a device that a person has: interlocks are never excused."""
        if not isinstance(self._specs.get(found.rule), OF_HANDS) or not self._core.taken:
            return False
        return all(self._core.is_taken(signal) for signal in found.signals)


_AFTER = frozenset({State.SAFING, State.LATCHED})


def _lease(core: Core) -> float:
    return core.leases.lease_s
