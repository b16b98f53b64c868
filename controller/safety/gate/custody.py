"""Maintenance: a person takes devices, interlocks keep watching, and what changed is shown."""

from collections.abc import Mapping
from typing import Any

from controller.errors import NotAllowed
from controller.safety.envelope.envelope import Envelope
from controller.safety.envelope.specs import Arrival, Follows, Rate
from controller.safety.gate.arming import standing_checks
from controller.safety.gate.core import Core
from controller.safety.gate.course import Word
from controller.safety.gate.holding import Holding
from controller.safety.gate.releasing import require, why_not
from controller.safety.gate.request import Arming
from controller.safety.people.people import Principal, Scope
from controller.safety.states.holds import RETURNED
from controller.safety.states.machine import Input, State


class Custody:
    """Who has which devices, and what they read when they were taken."""

    def __init__(self, core: Core, holding: Holding) -> None:
        self._core = core
        self._holding = holding
        self._before: dict[str, Any] = {}
        self._noises = _tolerances(core.envelope)

    async def take(self, by: Principal, devices: tuple[str, ...]) -> None:
        """Let *by* have *devices* (names of the station); the campaign holds meanwhile.

        Where one runs, what the envelope declares for a hold is written first, and no more once
        this returns. Raises NotAllowed.
        """
        core = self._core
        require(by, Scope.MAINTAIN)
        self._require_devices(devices)
        before = {**await core.means.hands.positions(devices), **self._read(devices)}
        others = [d for d in devices if core.taken.get(d, by.name) != by.name]
        if others:
            raise NotAllowed(f"{', '.join(others)}: {core.taken[others[0]]} has it already")
        if core.state is State.MAINTENANCE:
            core.recorder.now(lambda: core.audit.event("taken", by=by.name, devices=list(devices)))
        else:
            word, before_it = Word(by.name, f"takes {', '.join(devices)}"), core.state
            taken = core.course.take(Input.TAKE, core.facts(by, Scope.MAINTAIN), word)
            if not taken.taken:
                raise NotAllowed(why_not(core, Input.TAKE, taken))
            core.means.hands.allow()  # for what is written by hand: all else is held
            if before_it is State.RUNNING:
                self._holding.begin()
            elif before_it is not State.HOLD:
                self._holding.forget()
        self._before.update(before)
        core.taken.update(dict.fromkeys(devices, by.name))
        self._lend()
        held = await self._holding.written()
        if core.state is not State.MAINTENANCE:
            raise NotAllowed(f"nothing is taken any more: {core.not_now('') or core.state.value}")
        self._before.update({s: value for s, value in held.items() if s in before})

    async def give_back(self, by: Principal) -> tuple[str, ...]:
        """Take back all that *by* has; return what reads otherwise than before, in words.

        When nobody has anything any more the arming checks run, and it goes on where it was: held
        by *by* where something has changed, until it is looked at. Raises NotAllowed, naming the
        checks that fail.
        """
        core = self._core
        require(by, Scope.MAINTAIN)
        mine = tuple(device for device, who in core.taken.items() if who == by.name)
        if core.state is not State.MAINTENANCE or not mine:
            raise NotAllowed(f"{by.name} has no device to give back")
        after = await core.means.hands.positions(mine)
        changes = _changes(self._before, {**after, **self._read(mine)}, self._noises)
        if set(core.taken) == set(mine):
            await self._leave(by, changes)
        else:
            core.recorder.now(
                lambda: core.audit.event("given back", by=by.name, changes=list(changes))
            )
        if changes:
            core.disturb(f"{by.name} changed it in maintenance: {'; '.join(changes)}")
        for device in mine:
            core.taken.pop(device, None)
        core.rules.adopt(after)
        self._lend()
        return changes

    def forget(self) -> None:
        """End it: the bench is made safe, whoever had what."""
        if self._core.taken:
            self._core.taken.clear()
            self._before.clear()
            self._lend()

    def _lend(self) -> None:
        """Let rules about who commands a setpoint excuse those of devices that people have."""
        core = self._core
        core.rules.lend([signal for signal in core.rules.signals if core.is_taken(signal)])

    async def _leave(self, by: Principal, changes: tuple[str, ...]) -> None:
        core = self._core
        unready = await core.means.hands.unready()
        failed = [f"connections: {signal}: {why}" for signal, why in unready.items()]
        failed += standing_checks(core, Arming(core.digest))
        if failed:
            raise NotAllowed(f"not given back: {'; '.join(failed)}")
        word = Word(by.name, "; ".join(changes) or "nothing has changed")
        given = core.course.take(Input.GIVE_BACK, core.facts(by, Scope.MAINTAIN), word)
        if not given.taken:
            raise NotAllowed(why_not(core, Input.GIVE_BACK, given))
        if changes and core.state is State.HOLD:
            core.holds.by_person(by.name, f"{RETURNED}: {'; '.join(changes)}")
        self._before.clear()

    def _read(self, devices: tuple[str, ...]) -> dict[str, Any]:
        """Return what the readbacks of *devices* say of which rules tell how far they may go."""
        picture = self._core.picture
        mine = [name for name in self._noises if name.split(".", 1)[0] in devices]
        return {name: value for name in mine if (value := picture.value(name)) is not None}

    def _require_devices(self, devices: tuple[str, ...]) -> None:
        envelope = self._core.envelope
        named = (*envelope.limits, *(p for p in envelope.maintenance if p[0] not in "*?["))
        known = {signal.split(".", 1)[0] for signal in named}
        unknown = [device for device in devices if device not in known]
        if unknown or not devices:
            raise NotAllowed(
                f"{', '.join(unknown) or 'nothing'}: can't be taken; there are "
                f"{', '.join(sorted(known))}"
            )


def _tolerances(envelope: Envelope) -> dict[str, float]:
    """Return for each readback by how much it may differ and still count as where it was."""
    found: dict[str, float] = {}
    for rule in envelope.rules:
        match rule:
            case Arrival(readback=name, tolerance=much) | Follows(readback=name, tolerance=much):
                pass
            case Rate(of=name, per_s=per_s, over_s=over_s):
                quantity = envelope.quantities.get(name)
                name, much = name if quantity is None else quantity.readback, per_s * over_s
            case _:
                continue
        if name:
            found[name] = min(much, found.get(name, much))
    return found


def _changes(
    before: Mapping[str, Any], after: Mapping[str, Any], noises: Mapping[str, float]
) -> tuple[str, ...]:
    return tuple(
        f"{signal} reads {value!r}, read {before[signal]!r}"
        for signal, value in sorted(after.items())
        if signal in before and _differ(before[signal], value, noises.get(signal, 0.0))
    )


def _differ(one: Any, other: Any, noise: float) -> bool:
    numbers = isinstance(one, float) and isinstance(other, float)
    return abs(one - other) > noise if numbers and noise else bool(one != other)
