"""The rules of an envelope, watched: which write they refuse, and which of them are broken now.

Pure: all it knows is what it was told. Whoever has it tells the picture what is heard, and this
what is written (``asked`` before a write leaves, ``ended`` after), and looks on each change and on
a tick. Times are those of the moments passed in; one that lies before a former is taken for that.
"""

import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from controller.errors import JournalBroken, SafetyError
from controller.safety.envelope.envelope import Envelope
from controller.safety.envelope.specs import OF_HANDS, Reaction
from controller.safety.rules.approval import ApprovalWatcher
from controller.safety.rules.budget import BudgetWatcher
from controller.safety.rules.clearing import Clearing
from controller.safety.rules.findings import Approvals, Finding, Refusal, RuleReading
from controller.safety.rules.ownership import OwnershipWatcher
from controller.safety.rules.permit import PermitWatcher
from controller.safety.rules.picture import Picture
from controller.safety.rules.watcher import Broken, Scalar, Watcher
from controller.safety.rules.watchers import watcher_of
from controller.safety.scene.moment import Moment
from controller.safety.scene.scene import Scene
from controller.safety.scene.values import plain

LIMITS = "limits"
"""The rule of a refusal that no state of the bench would change."""
_VERSION = 1


class Rulebook:
    """Watches the rules of one envelope; all in one thread.

    A safe write passes everything but the hard limits. A rule that is bypassed neither refuses nor
    is found broken, but goes on counting.
    """

    def __init__(self, envelope: Envelope, picture: Picture, approvals: Approvals) -> None:
        self.envelope = envelope
        self._picture = picture
        self._watchers = tuple(
            watcher_of(spec, envelope.quantities, approvals) for spec in envelope.rules
        )
        self._by_name = {watcher.spec.name: watcher for watcher in self._watchers}
        self._clearing = {w.spec.name: Clearing(w.spec) for w in self._watchers}
        self._broken: dict[str, Broken | None] = {}
        self._bypassed: dict[str, Moment] = {}
        self._lent: frozenset[str] = frozenset()
        self._others: dict[str, Any] = {}
        self._given: dict[str, Any] = {}
        """What each signal was given last, whatever became of it."""
        self._all = tuple(w for w in self._watchers if w.judges_all)
        self._of: dict[str, tuple[Watcher, ...]] = self._index()
        self._asking, self._ending = self._minding(Watcher.asked), self._minding(Watcher.ended)
        self._naming = {
            signal: tuple(w for w in self._watchers if signal in w.signals and not w.statements)
            for signal in self.signals
        }
        self._keys = {w: frozenset(id(each) for each in w.statements) for w in self._watchers}
        self._stating: dict[int, list[Watcher]] = {}
        for watcher, keys in self._keys.items():
            for key in keys:
                self._stating.setdefault(key, []).append(watcher)
        self._awake = set(self._watchers)
        """What the next look looks at; the others would find and count nothing."""
        self._looked_s = float("-inf")
        picture.on_change(self._wake_of)
        picture.truths.on_forgotten(self._wake_for)
        for watcher in self._watchers:
            for signal in watcher.hears:
                picture.listen(signal, self._hear(watcher))

    @property
    def signals(self) -> frozenset[str]:
        """All signals that the rules name, quantities taken apart."""
        return frozenset().union(*(watcher.signals for watcher in self._watchers))

    # --- writes ---------------------------------------------------------------------------------

    def judge(
        self, signal: str, value: Any, when: Moment, *, by_hand: bool = False
    ) -> Refusal | None:
        """Return why *value* may not be written to *signal* now (*by_hand*: by a person who has
        the device); None when it may.

        Hard limits, types and finiteness come first; then each rule that names the signal looks
        at the state after the write, the way there included.
        """
        value = plain(value)
        envelope = self.envelope
        against = envelope.reason_against_hand if by_hand else envelope.reason_against
        if reason := against(signal, value):
            return Refusal(LIMITS, reason)
        watchers = self._of.get(signal, self._all)
        if not watchers or envelope.is_safe(signal, value):
            return None
        after = self._picture.scene(when, {signal: value})
        for watcher in self._concerned(watchers, after):
            reason = watcher.judge(signal, value, after) or self._uncleared(watcher)
            if reason and not self._is_bypassed(watcher.spec.name, after.when):
                return Refusal(watcher.spec.name, f"rule {watcher.spec.name!r}: {reason}")
        return None

    def asked(self, signal: str, value: Any, when: Moment) -> None:
        """Note that *value* is about to be written to *signal*: budgets are charged."""
        value = plain(value)
        self._picture.asked(signal, value)
        watchers = self._asking.get(signal)
        if not watchers:
            return
        repeats = signal in self._given and self._given[signal] == value
        self._given[signal] = value
        repeats = repeats and self.envelope.is_safe(signal, value)
        scene = self._picture.scene(when)
        for watcher in watchers:
            if watcher.minds_repeats or not repeats:
                watcher.asked(signal, value, scene)

    def ended(self, signal: str, value: Any, when: Moment, *, done: bool) -> None:
        """Note how that ended; not *done* means that nobody knows whether it was."""
        value = plain(value)
        self._picture.ended(signal, value, when, done=done)
        watchers = self._ending.get(signal)
        if not watchers:
            return
        scene = self._picture.scene(when)
        for watcher in watchers:
            watcher.ended(signal, value, scene, done=done)

    # --- looking --------------------------------------------------------------------------------

    def look(self, when: Moment) -> tuple[Finding, ...]:
        """Return everything that is broken now, or was and hasn't cleared; time is counted."""
        scene = self._picture.scene(when)
        found: list[Finding] = []
        for watcher in self._watchers:
            if watcher not in self._awake:
                continue
            name = watcher.spec.name
            broken = self._uncleared_of(watcher, watcher.look(scene), scene)
            self._broken[name] = broken
            if broken is None and watcher.resting():
                for statement in watcher.statements:
                    scene.truth(statement)
                self._awake.discard(watcher)
            if broken is None or self._is_bypassed(name, scene.when):
                continue
            reaction = broken.reaction or watcher.spec.reaction
            if reaction is not Reaction.REFUSE:
                signals = tuple(sorted(watcher.signals))
                found.append(Finding(name, reaction, broken.reason, signals, broken.over))
        self._looked_s = scene.when.campaign_s
        return tuple(found)

    def readings(self, when: Moment) -> tuple[RuleReading, ...]:
        """Return how each rule stands, as it was looked at last."""
        if len(self._broken) < len(self._watchers):
            self.look(when)
        scene = self._picture.scene(when)
        return tuple(self._reading(watcher, scene) for watcher in self._watchers)

    def unapproved(self, effect: str) -> tuple[Refusal, ...]:
        """Return which rules ask for approvals of a plan of *effect* that aren't there."""
        return tuple(
            Refusal(w.spec.name, f"rule {w.spec.name!r}: a plan that is {effect} {missing}")
            for w in self._watchers
            if isinstance(w, ApprovalWatcher)
            and w.spec.effect == effect != ""
            and (missing := w.missing())
        )

    # --- people ---------------------------------------------------------------------------------

    def bypass(self, rule: str, until: Moment) -> None:
        """Let *rule* neither refuse nor trip until *until*, by whichever clock is there first.

        Raises SafetyError for a mandatory rule, and for one that there isn't. That it is two
        people who ask is for whoever calls this.
        """
        watcher = self._by_name.get(rule)
        if watcher is None:
            rules = ", ".join(sorted(self._by_name)) or "none"
            raise SafetyError(f"rule {rule!r} can't be bypassed: there are {rules}")
        if watcher.spec.mandatory:
            raise SafetyError(f"rule {rule!r} is mandatory: it can't be bypassed by anybody")
        self._bypassed[rule] = until

    def presence(self, role: str, until: Moment) -> None:
        """Note that somebody of *role* is there until *until*, or as long as a permit believes."""
        for watcher in self._watchers:
            if isinstance(watcher, PermitWatcher) and watcher.spec.role == role:
                watcher.present(until)

    def lend(self, signals: Collection[str]) -> None:
        """Let others set *signals*, and no others (maintenance); ``()`` when all are back.

        What a signal reads when it goes and when it comes back is what it should from then on.
        What is back begins anew: neither how fast it came there nor how far it went counts.
        """
        lent = frozenset(signals)
        for signal in self._lent ^ lent:
            self._picture.adopt(signal)
        back = self._lent - lent
        for watcher in self._watchers:
            wholly = watcher.signals <= self._lent and watcher.signals & back
            if wholly and isinstance(watcher.spec, OF_HANDS):
                watcher.begin_anew()
                self._clearing[watcher.spec.name].forget()
                self._wake((watcher,))
        self._lent = lent
        for watcher in self._watchers:
            if isinstance(watcher, OwnershipWatcher):
                watcher.lend(watcher.signals & lent)

    @property
    def owned(self) -> frozenset[str]:
        """All setpoints that nobody else may change."""
        return frozenset().union(
            *(w.signals for w in self._watchers if isinstance(w, OwnershipWatcher))
        )

    def adopt(
        self, signals: Iterable[str] | None = None, now: Mapping[str, Any] | None = None
    ) -> None:
        """Take what *signals* (None: all setpoints that are owned) read for what they should.

        A person has seen that they changed: acknowledged it, or moved them and given them back.
        *now* is what they were just read to be; what isn't in it is what it is heard to be next.
        """
        chosen = None if signals is None else frozenset(signals)
        for watcher in self._watchers:
            if not isinstance(watcher, OwnershipWatcher):
                continue
            for signal in watcher.signals if chosen is None else watcher.signals & chosen:
                watcher.adopt(signal, self._picture.adopt(signal, (now or {}).get(signal)))

    def begin_sample(self, name: str) -> None:
        """Charge budgets per sample to *name* from now on."""
        for watcher in self._watchers:
            if isinstance(watcher, BudgetWatcher):
                watcher.ledger.begin_sample(name)
                self._wake((watcher,))

    def begin_spot(self, name: str) -> None:
        """Charge budgets per spot to the spot *name* of this sample from now on."""
        for watcher in self._watchers:
            if isinstance(watcher, BudgetWatcher):
                watcher.ledger.begin_spot(name)
                self._wake((watcher,))

    # --- restarts -------------------------------------------------------------------------------

    def remember(self) -> dict[str, Any]:
        """Return what a restart must not forget, as JSON: what is used up, what is owed."""
        for watcher in self._watchers:
            if watcher not in self._awake:
                watcher.rested(self._looked_s)
        rules = {_key(w): data for w in self._watchers if (data := w.remember())}
        return {"version": _VERSION, "rules": {**self._others, **rules}}

    def recall(self, data: Mapping[str, Any], gap_s: float) -> None:
        """Take up what a former rulebook remembered *gap_s* campaign seconds ago.

        What was running then is charged for the gap as it was last known. Rules that this
        envelope hasn't are kept for one that has them. Raises JournalBroken for what none wrote.
        """
        if not math.isfinite(gap_s):
            raise ValueError(f"a gap of {gap_s!r} s: a finite number, 0 where it isn't known")
        rules = data.get("rules")
        if data.get("version") != _VERSION or not isinstance(rules, Mapping):
            raise JournalBroken(f"what rules remembered can't be read: {str(data)[:80]}")
        self._wake(self._watchers)
        here = {_key(watcher): watcher for watcher in self._watchers}
        for key, remembered in rules.items():
            if not isinstance(remembered, Mapping):
                raise JournalBroken(f"what rule {key} remembered can't be read")
            if key in here:
                here[key].recall(remembered, max(gap_s, 0.0))
            else:
                self._others[key] = dict(remembered)

    # --- inside ---------------------------------------------------------------------------------

    def _index(self) -> dict[str, tuple[Watcher, ...]]:
        return {
            signal: tuple(w for w in self._watchers if w.judges_all or signal in w.signals)
            for signal in self.signals
        }

    def _minding(self, method: Callable[..., None]) -> dict[str, tuple[Watcher, ...]]:
        """Return those of each signal that do something of their own in *method*."""
        name = method.__name__
        return {
            signal: tuple(w for w in watchers if getattr(type(w), name) is not method)
            for signal, watchers in self._of.items()
        }

    def _hear(self, watcher: Watcher) -> Any:
        def hook(signal: str, value: Scalar | None, when: Moment) -> bool:
            watcher.heard(signal, value, self._picture.scene(when))
            if watcher.settled(signal):
                return True
            self._wake((watcher,))
            return False

        return hook

    def _wake_of(self, signal: str) -> None:
        """Look at what names *signal* next time: something else is known of it."""
        self._wake(self._naming.get(signal, ()))

    def _wake_for(self, statement: int) -> None:
        """Look at what rests on the statement of this identity: it must be judged anew."""
        self._wake(self._stating.get(statement, ()))

    def _concerned(self, watchers: Iterable[Watcher], after: Scene) -> Iterable[Watcher]:
        """Return those of *watchers* for which a write may change something."""
        if not after.changes_nothing_sure:
            return watchers
        awake, keys, sure = self._awake, self._keys, self._picture.truths.sure
        return [w for w in watchers if w in awake or not keys[w] or not sure(keys[w])]

    def _wake(self, watchers: Iterable[Watcher]) -> None:
        """Look at *watchers* next time; what rested counts from the last look on."""
        for watcher in watchers:
            if watcher not in self._awake:
                watcher.rested(self._looked_s)
                self._awake.add(watcher)

    def _uncleared_of(self, watcher: Watcher, broken: Broken | None, scene: Scene) -> Broken | None:
        """Return *broken*, or what was broken and hasn't cleared.

        What is broken before everything was heard for the first time has nothing to clear from.
        """
        if broken is not None and self._picture.unheard(watcher.signals):
            return broken
        return self._clearing[watcher.spec.name].update(broken, scene)

    def _uncleared(self, watcher: Watcher) -> str:
        """Return what was broken and hasn't been kept for long enough since."""
        spec = watcher.spec
        if spec.clears_after_s <= 0.0 and spec.clears_when is None:
            return ""
        pending = self._clearing[spec.name].pending
        return "" if pending is None else f"not kept for long enough since: {pending.reason}"

    def _is_bypassed(self, rule: str, now: Moment) -> bool:
        until = self._bypassed.get(rule)
        if until is None:
            return False
        if now.campaign_s <= until.campaign_s and now.real_s <= until.real_s:
            return True
        del self._bypassed[rule]
        return False

    def _reading(self, watcher: Watcher, scene: Scene) -> RuleReading:
        name = watcher.spec.name
        broken, gauge = self._broken.get(name), watcher.gauge(scene)
        bypassed = self._bypassed.get(name) if self._is_bypassed(name, scene.when) else None
        return RuleReading(
            name,
            watcher.kind,
            kept=broken is None,
            reason="" if broken is None else broken.reason,
            margin=gauge.margin,
            unit=gauge.unit,
            used=gauge.used,
            bypassed_until=bypassed,
        )


def _key(watcher: Watcher) -> str:
    return f"{watcher.kind}:{watcher.spec.name}"
