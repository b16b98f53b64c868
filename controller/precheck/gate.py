"""The gate of a dry run: the same envelope and rules, nothing recorded but what it finds."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from controller.errors import WriteRefused
from controller.precheck.messages import MESSAGE
from controller.safety.envelope.envelope import Envelope
from controller.safety.envelope.specs import Permit, Reaction
from controller.safety.rules.picture import Picture
from controller.safety.rules.rulebook import LIMITS, Rulebook
from controller.safety.rules.watchers import watcher_of
from controller.safety.scene.moment import Moment
from controller.verdict import HOLD, REFUSED, TRIP, Found

T = TypeVar("T")

EVERYBODY = frozenset(f"person {number}" for number in range(16))
"""That an approval is still missing says nothing of a point: whoever starts it waits for it."""


class Everybody:
    """All have approved of all."""

    def who(self, role: str) -> frozenset[str]:
        """Return enough people for any rule, whatever their *role*."""
        del role
        return EVERYBODY


@dataclass(frozen=True, slots=True)
class Present:
    """The bench as it is before the plan: signals by name, and what the rules remember."""

    signals: Mapping[str, Any] = field(default_factory=dict)
    rules: Any = None
    bench: Mapping[str, Any] = field(default_factory=dict)
    """The state of the simulated bench, where it is known."""


class DryGate:
    """Stands before the second set of devices; ``begin`` starts a plan, ``found`` tells of it."""

    def __init__(self, envelope: Envelope) -> None:
        self.envelope = envelope
        self.message = 0
        self.found: list[Found] = []
        self._unknown: dict[str, str] = {}
        self._broken: dict[str, str] = {}
        self.values: dict[str, Any] = {}
        """What is known of each signal; nothing is, of one that nobody has moved or reported."""
        self._idle = True
        self._begun = 0.0
        self._names = {
            rule.name: watcher_of(rule, envelope.quantities, Everybody()).signals
            for rule in envelope.rules
        }
        self._watched = frozenset().union(*self._names.values(), envelope.signals)
        self._rulebook = self._new_rulebook()

    def forget(self, signals: Mapping[str, Any]) -> None:
        """Forget the plan before: of the bench no more is known than *signals*."""
        self.message, self.found, self._unknown, self._broken = 0, [], {}, {}
        self.values = dict(signals)
        self._rulebook = self._new_rulebook()

    def begin(self, rules: Any) -> None:
        """Judge from here on; *rules* is what those of the gate remember, None for nothing."""
        self._begun = asyncio.get_running_loop().time()
        when = self._now()
        for name in self._watched & self.values.keys():
            self._picture.heard(name, self.values[name], when)
        if rules:
            self._rulebook.recall(rules, 0.0)
        for rule in self.envelope.rules:
            if isinstance(rule, Permit) and rule.role:
                self._rulebook.presence(rule.role, when.later(1e9))
        for finding in self._rulebook.look(when):
            if not self._unknown_of(finding.rule):
                self._broken[finding.rule] = f"broken at present ({finding.reason})"
        self._idle = False

    def end(self) -> None:
        """The plan is over: nothing is judged until the next one begins."""
        self._idle = True

    @property
    def unjudged(self) -> tuple[str, ...]:
        """The rules of which nothing could be said, and why."""
        return tuple(f"{rule}: {why}" for rule, why in (self._broken | self._unknown).items())

    def heard(self, signal: str, value: Any) -> None:
        """A device shows *value*."""
        self.values[signal] = value
        if not self._idle and signal in self._watched:
            self._picture.heard(signal, value, self._now())

    def look(self) -> None:
        """Note what is broken now."""
        for finding in self._rulebook.look(self._now()):
            kind = TRIP if finding.reaction is Reaction.TRIP else HOLD
            if not self._unknown_of(finding.rule):
                self._note(kind, finding.rule, finding.reason)

    async def write(
        self, signal: str, value: Any, perform: Callable[[], Awaitable[T]], *, local: bool = False
    ) -> T:
        """Do *perform*, with a mock device, if the gate would let it pass; else WriteRefused."""
        del local
        if self._idle:
            return await perform()
        when = self._now()
        refusal = self._against(signal, value, when)
        if refusal is not None:
            raise WriteRefused(refusal)
        self._rulebook.asked(signal, value, when)
        done = False
        try:
            result = await perform()
            done = True
        finally:
            self._rulebook.ended(signal, value, self._now(), done=done)
        return result

    def _against(self, signal: str, value: Any, when: Moment) -> str | None:
        reason = self.envelope.reason_against(signal, value)
        if reason:
            reason = f"{signal}: asked for {value!r}: {reason}"
            self._note(REFUSED, LIMITS, reason)
            return reason
        if self.envelope.is_safe(signal, value):
            return None
        refusal = self._rulebook.judge(signal, value, when)
        if refusal is None:
            return None
        unknown = self._unknown_of(refusal.rule) - {signal}
        if unknown:
            self._unknown[refusal.rule] = f"nobody knows {', '.join(sorted(unknown))} beforehand"
            return None
        return refusal.reason if self._note(REFUSED, refusal.rule, refusal.reason) else None

    def _unknown_of(self, rule: str) -> frozenset[str]:
        return self._names.get(rule, frozenset()) - self.values.keys()

    def _note(self, kind: Any, rule: str, reason: str) -> bool:
        """Note a finding once; return whether it can be held against the point."""
        if rule in self._broken:
            return False
        if not any(one.rule == rule and one.kind == kind for one in self.found):
            since = asyncio.get_running_loop().time() - self._begun
            message = MESSAGE.get() or self.message
            self.found.append(Found(kind, rule, reason, message, round(since, 3)))
        return True

    def _new_rulebook(self) -> Rulebook:
        self._picture = Picture(self.envelope)
        return Rulebook(self.envelope, self._picture, Everybody())

    def _now(self) -> Moment:
        """Return the time: no real time passes, so that nothing that was heard gets old."""
        return Moment(asyncio.get_running_loop().time(), 0.0)
