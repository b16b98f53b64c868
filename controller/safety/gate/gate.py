"""The gate: the one place through which a value reaches a device.

Every write is judged against the envelope and its rules, recorded before it leaves and again when
it ended. A signal that the envelope doesn't name is not writable. When a rule says so, a person
stops it, or one of our processes dies, the bench is made safe and the gate latches until people
release it. It refuses and never edits a value. It is a software layer beside the hardware's own
interlocks, claims no integrity level, and never replaces them.

All methods are called in one event loop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from controller.bus.gate_status import Status
from controller.errors import Held, JournalError, Latched, NotAllowed, NotArmed
from controller.safety.envelope.envelope import Envelope
from controller.safety.gate.arming import failed_checks
from controller.safety.gate.by_hand import ByHand
from controller.safety.gate.bypasses import Bypass
from controller.safety.gate.core import Core
from controller.safety.gate.course import Word
from controller.safety.gate.custody import Custody
from controller.safety.gate.holding import Holding
from controller.safety.gate.means import Means
from controller.safety.gate.people_words import PeopleWords
from controller.safety.gate.readbacks import Readbacks
from controller.safety.gate.releasing import Releasing, why_not
from controller.safety.gate.request import Arming
from controller.safety.gate.safekeeping import Safekeeping
from controller.safety.gate.status import status_of
from controller.safety.gate.watching import Watching
from controller.safety.gate.writing import Permit, Writes, Writing, refusal
from controller.safety.hands.safing import Safed
from controller.safety.people.people import SUPERVISOR, Principal
from controller.safety.record.audit import Audit
from controller.safety.scene.moment import Moment
from controller.safety.states.causes import Cause, CauseKind
from controller.safety.states.machine import HOLDS, Facts, Input, State

__all__ = ["Arming", "Cause", "CauseKind", "Gate", "Means", "Permit", "Writes", "refusal"]

T = TypeVar("T")


class Gate:
    """Where everything comes together. ``start`` it before anything else is asked of it."""

    def __init__(self, envelope: Envelope, audit: Audit, means: Means) -> None:
        self.envelope = envelope
        self._core = core = Core(envelope, audit, means, self._begin_safing)
        self._safekeeping = Safekeeping(core)
        self._holding = Holding(core)
        self._watching = Watching(core, self.trip, self._holding.begin)
        self._writing = Writing(core, self._watching.journal_failed)
        self._releasing = Releasing(core, self._watching.look)
        self._custody = Custody(core, self._holding)
        self._by_hand = ByHand(core, self._watching.journal_failed)
        self._readbacks = Readbacks(core)
        self._people = PeopleWords(core)
        self._arming = asyncio.Lock()
        self._named = core.rules.signals

    def start(self) -> None:
        """Begin where the gate before this one ended; a bench that was left alone is made safe.

        Raises JournalError, with the bench being made safe, when nothing can be recorded.
        """
        marker = self._core.means.marker
        self._core.recall()
        self._core.course.start(marker=marker.found and not self._core.means.restored)
        if self.state is State.DISARMED:  # one that is found here is of a bench that was put back
            marker.remove()

    # --- where it stands ------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """Where the gate stands."""
        return self._core.state

    @property
    def digest(self) -> str:
        """The digest of the limits in force."""
        return self._core.digest

    @property
    def armed(self) -> bool:
        """Whether anything but safe values could be written if nothing held it."""
        return self.state in (State.ARMED, State.RUNNING, State.HOLD)

    @property
    def disturbed(self) -> str:
        """What has changed the bench since it was armed that no plan asked for; empty if nothing.

        Asked after each experiment: ``status`` would look at every rule for it.
        """
        return self._core.disturbed

    @property
    def journal_failure(self) -> JournalError | None:
        """Why nothing can be recorded; None when it can."""
        return self._core.recorder.failure

    def status(self) -> Status:
        """Return all that there is to know of it now."""
        return status_of(self._core)

    def now(self) -> Moment:
        """Return the time by both clocks."""
        return self._core.now()

    def picture(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what signals were last read, and what the rules remember: to run plans dry."""
        core = self._core
        names = core.rules.signals | self.envelope.limits.keys()
        read = {name: core.picture.value(name) for name in sorted(names)}
        known = {name: value for name, value in read.items() if value is not None}
        return known, core.rules.remember()

    # --- writing --------------------------------------------------------------------------------

    async def write(
        self, signal: str, value: Any, perform: Callable[[], Awaitable[T]], *, local: bool = False
    ) -> T:
        """Do *perform* (which writes *value* to *signal*) if envelope, state and rules allow it.

        Raises WriteRefused, with nothing moved, when they don't, and JournalUnwritable when the
        record can't be made, unless *value* is the one that makes the signal safe.
        """
        return await self.carry_out(self.admit(signal, value), perform)

    def judge(self, signal: str, value: Any) -> None:
        """Raise WriteRefused, and record that, when *value* may not be written to *signal* now.

        Its kinds NotArmed, Held and Latched say that it isn't the value that stands against it.
        """
        self._writing.judge(signal, value)

    def admit(self, signal: str, value: Any, *, request: str = "") -> Permit:
        """Judge a write and record it as intended; *request* is the id of who asked elsewhere.

        Raises as ``write`` does.
        """
        return self._writing.admit(signal, value, request)

    def require_still(self, permit: Permit) -> None:
        """Raise NotArmed when what *permit* allows may not be put any more; asked right before."""
        self._writing.require_still(permit)

    async def carry_out(self, permit: Permit, perform: Callable[[], Awaitable[T]]) -> T:
        """Do *perform*, which writes what *permit* allows, and record how it ended."""
        return await self._writing.carry_out(permit, perform)

    def reason_against(self, signal: str, value: Any) -> str:
        """Return why *value* may never be written to *signal*, or an empty string."""
        return self.envelope.reason_against(signal, value)

    # --- what happens at the bench, and as time passes ------------------------------------------

    def heard(
        self,
        signal: str,
        value: Any,
        *,
        severity: int = 0,
        stamp: float | None = None,
        wall: float | None = None,
    ) -> None:
        """Take in that *signal* says *value* (or still does), and look at the rules if that is new.

        *severity* is Channel Access's; *stamp* is the record's own time and *wall* the computer's,
        both in seconds since 1970.
        """
        news = severity != 0 or not _same(self._core.picture.value(signal), value)
        self._hear(signal, value, severity=severity, stamp=stamp, wall=wall)
        if news and signal in self._named:  # that it still says so is for the next tick
            self._watching.look()

    def lost(self, signal: str) -> None:
        """Take in that *signal* has no server any more."""
        self._core.picture.lost(signal)
        self._watching.look()

    def watch(self, readings: Mapping[str, Any]) -> tuple[str, ...]:
        """Take in many *readings* at once, and tick; return what violates limits on readbacks."""
        now = self._core.now()
        for signal, value in readings.items():
            self._core.picture.heard(signal, value, now)
            self._readbacks.heard(signal, value)
        self.tick()
        return self._readbacks.violations

    def tick(self) -> None:
        """Look at rules, leases, disk and time; called every 50 ms or so."""
        self._watching.tick()
        self._safekeeping.keep()

    def _hear(self, signal: str, value: Any, **more: Any) -> None:
        self._core.picture.heard(signal, value, self._core.now(), **more)
        self._readbacks.heard(signal, value)

    # --- armed or not ---------------------------------------------------------------------------

    async def arm(self, arming: Arming, by: Principal = SUPERVISOR) -> None:
        """Allow writes for what *arming* says comes next, once every check passes.

        Waits for a safe sequence in progress and for servers that don't answer. Raises NotArmed
        naming all checks that fail, Held while the bench holds, Latched after a trip which no
        standing order releases.
        """
        async with self._arming:
            await self._safekeeping.ended()
            if self.state is State.LATCHED:
                await self._releasing.by_standing_order(lambda: self._checks(arming))
            self._require_no_hold()
            self._take_up(arming)
            if self.state is State.DISARMED:  # whatever people set meanwhile is what it begins with
                self._core.rules.adopt()
            failed = await self._checks(arming)
            if not failed and self.state is State.DISARMED:
                await self._begin_with_what_is_set()
            if self.state in (State.SAFING, State.LATCHED):
                raise Latched(self._core.why_latched())
            self._require_no_hold()
            if failed:
                raise NotArmed(f"not armed: {'; '.join(failed)}")
            self._arm_now(by)
            self._require_no_hold()

    def disarm(self, by: Principal = SUPERVISOR) -> None:
        """End in an orderly way: nothing is written any more, the bench stays as it is.

        Raises Latched after a trip: only people release that.
        """
        if self.state in (State.SAFING, State.LATCHED):
            raise Latched(self._core.why_latched())
        self._core.leases.release_all()
        self._core.course.at_once(Input.END, Facts(), Word(by.name))
        self._core.course.take(Input.DISARM, self._core.facts(by), Word(by.name))
        self._watching.remember()

    def renew(self, holder: str) -> None:
        """Take a sign of life of *holder* (controller or engine); KeyError for anybody else."""
        self._core.leases.renew(holder, self._core.now().real_s)
        if self.state is State.ARMED and self._core.leases.held:
            self._begin()

    def release(self, holder: str) -> None:
        """Miss *holder* no more: it ends in an orderly way; without it nothing is written."""
        self._core.leases.release(holder)
        if not self._core.leases.held:
            self._core.course.at_once(Input.END, Facts(), Word(holder, "has ended"))

    def holder_died(self, holder: str) -> None:
        """Make the bench safe: *holder* has died."""
        self._core.leases.release(holder)
        self.trip(Cause(CauseKind.PROCESS, f"the {holder} died"))

    async def secure(self, reason: str) -> Safed:
        """Make the bench safe because somebody ends in an orderly way; return how far that went.

        Nothing latches unless it isn't reached. After a trip it is written once more.
        """
        self._core.leases.release_all()
        if self.state is State.MAINTENANCE:
            self.trip(Cause(CauseKind.PROCESS, reason))
        taken = self._core.course.at_once(Input.SECURE, Facts(), Word("", reason))
        if not taken.taken:
            self._begin_safing(reason)
        return await self._safekeeping.ended()

    # --- trips ----------------------------------------------------------------------------------

    def trip(self, cause: Cause) -> None:
        """Make the bench safe at once and latch; after a trip it is one more consequence.

        Where *cause* follows from the death or a pause of a process of ours, that is the first.
        """
        for each in (self._watching.led_to(cause), cause):
            if each is not None:
                self._core.course.at_once(Input.TRIP, Facts(), cause=each)
        self._after_trip()

    def stop(self, by: Principal) -> None:
        """Emergency stop: make the bench safe and latch, whatever the state, for anybody at all."""
        cause = Cause(CauseKind.STOP, f"emergency stop by {by.name} ({by.via})")
        self._core.course.at_once(Input.STOP, Facts(), Word(by.name), cause)
        self._after_trip()

    def acknowledge(self, by: Principal, occurrence: int) -> None:
        """Note that *by* has seen all up to *occurrence*; NotAllowed when it is not the last."""
        self._releasing.acknowledge(by, occurrence)

    def reset(self, by: Principal, reason: str) -> None:
        """Release the latch; raises NotAllowed and says what stands against it."""
        self._releasing.reset(by, reason)

    # --- people ---------------------------------------------------------------------------------

    def hold(self, reason: str, by: Principal) -> None:
        """Let nothing new move until a person lets it go on."""
        self._people.hold(reason, by)
        self._watching.look()

    async def hold_failed(self) -> dict[str, str]:
        """Return which hold values aren't written, by signal, and why; empty where none holds."""
        failed = await self._holding.failed()
        return failed if self.state in HOLDS else {}

    def go_on(self, by: Principal) -> None:
        """End what people hold; raises NotAllowed where nobody does, and naming what holds yet."""
        if not self._core.holds.by_people and self.state is not State.HOLD:
            raise NotAllowed(f"nobody holds it: the gate is {self.state.value}")
        self._people.let_go(by)
        self._watching.look()
        if self.state is State.HOLD:
            raise NotAllowed(f"it holds yet: {self._core.why_held()}")

    def approve(self, by: Principal, digest: str, for_s: float) -> None:
        """Take *by*'s approval of what has *digest* (see ``Status.approving``), for *for_s* s."""
        self._people.approve(by, digest, for_s)
        if self.state is State.ARMED and self._core.leases.held:
            self._begin()

    def bypass(self, by: Principal, rule: str, for_s: float, reason: str) -> Bypass:
        """Let *rule* be broken for *for_s* seconds, once two people have asked for it.

        Raises NotAllowed for a mandatory rule.
        """
        return self._people.bypass(by, rule, for_s, reason)

    def present(self, by: Principal, for_s: float) -> None:
        """Take *by*'s word to be there for *for_s* seconds, in all its roles."""
        self._people.present(by, for_s)

    async def take(self, by: Principal, devices: tuple[str, ...]) -> None:
        """Let *by* have *devices* for maintenance; the campaign holds. Raises NotAllowed."""
        await self._custody.take(by, devices)

    async def give_back(self, by: Principal) -> tuple[str, ...]:
        """Take back what *by* has; return what has changed. Raises NotAllowed naming checks."""
        changes = await self._custody.give_back(by)
        self._watching.look()
        return changes

    async def write_by_hand(self, by: Principal, signal: str, value: float | str) -> None:
        """Write *value* for *by*, who has the device of *signal*. Raises NotAllowed."""
        await self._by_hand.write(by, signal, value)

    def begin_sample(self, by: Principal, name: str) -> None:
        """Take *by*'s word that another sample is in place: budgets per sample begin anew."""
        self._people.begin_sample(by, name)

    def begin_spot(self, by: Principal, name: str) -> None:
        """Take *by*'s word that another spot is in the beam: budgets per spot begin anew."""
        self._people.begin_spot(by, name)

    def note(self, kind: str, **said: object) -> None:
        """Record what comes to pass beside the gate (a login, a refusal); nobody waits for it."""
        self._core.recorder.later(lambda: self._core.audit.event(kind, **said))
        self._core.recorder.catch_up()

    # --- within ---------------------------------------------------------------------------------

    def _begin_safing(self, why: str) -> None:
        self._safekeeping.begin(why)

    def _after_trip(self) -> None:
        self._custody.forget()
        self._core.leases.release_all()
        self._watching.remember_later()
        asyncio.get_running_loop().call_soon(self._core.recorder.catch_up)  # what acts goes first

    async def _checks(self, arming: Arming) -> tuple[str, ...]:
        self._watching.tick()
        failed = await failed_checks(self._core, arming)
        self._watching.tick()
        return failed

    def _take_up(self, arming: Arming) -> None:
        """Let *arming* be what approvals are for, as soon as it is asked: people see its digest."""
        if arming.digest == self.digest:
            self._core.take_up(arming)
            self._end_unless_approved()

    async def _begin_with_what_is_set(self) -> None:
        """Read the setpoints that are ours alone: whatever differs from now on was another."""
        rules = self._core.rules
        devices = sorted({signal.split(".", 1)[0] for signal in rules.owned})
        if devices:
            rules.adopt(now=await self._core.means.hands.positions(devices))

    def _end_unless_approved(self) -> None:
        if self.state is State.RUNNING and self._core.approvals_missing():
            self._core.course.at_once(
                Input.END, Facts(), Word("", "what comes next isn't approved")
            )

    def _require_no_hold(self) -> None:
        if self.state in (State.HOLD, State.MAINTENANCE):
            raise self._core.not_now("") or Held("the bench holds")

    def _arm_now(self, by: Principal) -> None:
        core = self._core
        if self.state is State.DISARMED:
            armed = core.course.take(Input.ARM, core.facts(by), Word(by.name, core.arming.plan))
            if not armed.taken:
                raise NotArmed(f"not armed: {why_not(core, Input.ARM, armed)}")
            core.means.hands.allow()
        self._end_unless_approved()
        if missing := core.approvals_missing():
            raise NotArmed(f"not approved: {'; '.join(missing)}")
        if self.state is State.ARMED and core.leases.held:
            self._begin()

    def _begin(self) -> None:
        begun = self._core.course.take(Input.BEGIN, self._core.facts())
        if begun.taken and self.state is State.HOLD:
            self._holding.begin()
        self._watching.look()


def _same(before: Any, value: Any) -> bool:
    """Whether a signal still says what it said; not for what isn't a plain value."""
    return type(before) is type(value) and isinstance(value, float | str) and before == value
