"""What all parts of the gate share: where it stands, what it knows, and what holds it."""

from collections.abc import Callable

from controller.errors import Held, Latched, NotArmed
from controller.safety.envelope.declared import Stage
from controller.safety.envelope.envelope import Envelope
from controller.safety.envelope.specs import Reaction
from controller.safety.gate.approvals import Approvals, approval_digest
from controller.safety.gate.bypasses import Bypasses
from controller.safety.gate.clock_check import ClockCheck
from controller.safety.gate.course import Course
from controller.safety.gate.means import Means
from controller.safety.gate.request import NOTHING_ASKED, Arming
from controller.safety.hands.safing import SAFE_S, one_stage
from controller.safety.people.people import Principal, Scope
from controller.safety.record.audit import Audit
from controller.safety.record.recorder import Recorder
from controller.safety.rules.findings import Finding, RuleReading
from controller.safety.rules.picture import Picture
from controller.safety.rules.rulebook import Rulebook
from controller.safety.scene.moment import Moment
from controller.safety.states.holds import Holds
from controller.safety.states.leases import Leases
from controller.safety.states.machine import Facts, State

HOW_TO_RELEASE = "`heliostat ack DIR`, then `heliostat reset DIR --reason ...`"
NOT_ARMED = (
    "the gate is not armed, so that nothing but safe values may be written; the controller arms "
    "it before each plan: `heliostat resume` the campaign"
)


class Core:
    """The gate's parts, and the facts that guards of the table look at."""

    def __init__(
        self, envelope: Envelope, audit: Audit, means: Means, make_safe: Callable[[str], None]
    ) -> None:
        picture = Picture(envelope)
        self.envelope = envelope
        self.digest = envelope.digest()
        self.audit = audit
        self.means = means
        self.clock_fault = means.clock_fault or ClockCheck(audit.last_written()).fault
        self.recorder = Recorder()
        self.course = Course(audit, means.marker, self.recorder, make_safe)
        self.approvals = Approvals(lambda: means.now().real_s)
        self.bypasses = Bypasses()
        self.holds = Holds()
        self.leases = Leases(means.needed, envelope.dead_man.lease_s)
        self.arming: Arming = NOTHING_ASKED
        self.taken: dict[str, str] = {}
        """Devices in maintenance, and who has them."""
        self.disturbed = ""
        """What has changed the bench since it was armed that no plan has asked for, if anything."""
        self.hold_failed: dict[str, str] = {}
        """Hold values of this hold that weren't written, and why."""
        self.findings: tuple[Finding, ...] = ()
        """What was broken when one last looked."""
        self.rules = Rulebook(envelope, picture, self.approvals)
        self.picture = picture

    def recall(self) -> None:
        """Let the rules know what they knew; the time since counts as if nothing had changed."""
        past = self.audit.past_rules()
        if past is not None:
            self.rules.recall(past.data, max(0.0, self.audit.now() - past.stamp))

    @property
    def state(self) -> State:
        """Where the gate stands."""
        return self.course.state

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The safe sequence."""
        return self.envelope.stages or one_stage(self.envelope.safe_values(), SAFE_S)

    def now(self) -> Moment:
        """Return the time, on both clocks."""
        return self.means.now()

    def trips(self) -> tuple[Finding, ...]:
        """Return what is broken that trips."""
        return tuple(f for f in self.findings if f.reaction is Reaction.TRIP)

    def facts(self, by: Principal | None = None, scope: Scope = Scope.RUN) -> Facts:
        """Return how things are now; *role* is whether *by* has *scope*."""
        return Facts(
            role=by is not None and by.may(scope),
            checks=True,
            no_trip=not self.trips(),
            permit=not self.permits_missing(),
            lease=self.leases.held,
            approved=not self.approvals_missing(),
            nothing_holds=not self.holds.all,
        )

    def stale(self) -> tuple[str, ...]:
        """Return the signals of which nothing is known."""
        return self.picture.stale(self.now())

    def readings(self, when: Moment) -> tuple[RuleReading, ...]:
        """Return how each rule stands."""
        return self.rules.readings(when)

    def permits_missing(self) -> tuple[str, ...]:
        """Return the permits that aren't there, and why."""
        return tuple(
            f"{reading.name}: {reading.reason}"
            for reading in self.readings(self.now())
            if reading.kind == "permit" and not reading.kept and reading.bypassed_until is None
        )

    def approvals_missing(self) -> tuple[str, ...]:
        """Return which approvals what is to be run still wants."""
        wanted = self.rules.unapproved(self.arming.effect)
        digest = self.approvals.in_force
        return tuple(f"{each.reason}: `heliostat approve DIR` ({digest[:12]}…)" for each in wanted)

    def take_up(self, arming: Arming) -> None:
        """Let *arming* be what comes next: approvals of anything else are gone."""
        self.arming = arming
        self.disturbed = ""
        digest = approval_digest(self.digest, arming.plan, arming.effect, arming.suggestion)
        self.approvals.take_up(digest)

    def disturb(self, why: str) -> None:
        """Note that the bench was changed under whatever plan runs: the first of it is told."""
        self.disturbed = self.disturbed or why

    def is_taken(self, signal: str) -> bool:
        """Whether *signal* is of a device in maintenance."""
        return signal.split(".", 1)[0] in self.taken

    def in_custody(self, signal: str) -> Held | None:
        """Return what stands against even a safe value for *signal*: a person has its device.

        It moves then by that person's word alone, or when the gate makes the whole bench safe.
        """
        device = signal.split(".", 1)[0]
        if self.state is not State.MAINTENANCE or device not in self.taken:
            return None
        return Held(
            f"{self.taken[device]} has {device} in maintenance: nobody else writes it, not even "
            "what is safe; `heliostat return` gives it back, `heliostat stop` makes the bench safe"
        )

    def not_now(self, signal: str) -> NotArmed | None:
        """Return what stands against writing anything but a safe value to *signal* now."""
        if self.state is State.RUNNING:
            return None
        if self.state is State.HOLD:
            if self.envelope.is_free(signal):
                return None
            return Held(f"the bench holds ({self.why_held()})")
        if self.state is State.MAINTENANCE:
            return Held(f"in maintenance: {', '.join(f'{d} ({w})' for d, w in self.taken.items())}")
        if self.state in (State.SAFING, State.LATCHED):
            return Latched(self.why_latched())
        if self.state is State.SECURING:
            return NotArmed("the bench is being made safe")
        if self.state is State.ARMED and (missing := self.leases.missing()):
            return NotArmed(f"no sign of life of {' and '.join(missing)} yet")
        return NotArmed(NOT_ARMED)

    def why_held(self) -> str:
        """Return what holds the bench; where nothing does any more, what it wants to go on."""
        wanted = (*self.permits_missing(), *self.approvals_missing())
        return self.holds.in_words() or "; ".join(wanted) or "no sign of life of the campaign"

    def why_latched(self) -> str:
        """Return the first cause, how far the bench is safe, and what to do."""
        trip = self.course.trip
        safe = "the bench is being made safe" if self.state is State.SAFING else "it was made safe"
        if self.state is State.LATCHED and trip.failed:
            failed = "; ".join(f"{signal}: {why}" for signal, why in trip.failed.items())
            safe = f"NOT SAFE: {failed}"
        more = f", and {len(trip.consequences)} more after it" if trip.consequences else ""
        return (
            f"the gate has tripped ({trip.cause or self.course.standing.cause}{more}); {safe}; "
            f"to release it: {HOW_TO_RELEASE}"
        )
