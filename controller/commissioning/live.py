"""What is tried at the bench itself: its safe sequence, and cables that a person pulls.

Nothing else is written there, so heater and gases are off from the first step on.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from controller.commissioning.rig import Values
from controller.devices.live_reading import Look, Row, look_at
from controller.devices.live_signals import LiveSignal, signals_of
from controller.errors import ConfigurationError
from controller.safety.envelope.envelope import Envelope
from controller.safety.hands.safing import SAFE_S, make_safe, one_stage
from controller.safety.process.connections import connections_of
from controller.safety.record.commissioned import Tried

ANSWER_S = 5.0
"""How long every PV has to answer, all at once (real seconds)."""
NOTICE_S = 15.0
"""How long after a cable was pulled or plugged in its signal may take to show it (real seconds)."""
Ask = Callable[[str], str]
"""Says something to the person at the terminal, and returns what they type; empty: done."""


class LiveBench:
    """The station of *devices* (not connected), read by the names of its PVs."""

    def __init__(self, envelope: Envelope, devices: Mapping[str, Any]) -> None:
        self.envelope = envelope
        self._devices = devices
        named = {*envelope.limits, *envelope.signals}
        self._signals = [signal for signal in signals_of(devices) if signal.path in named]

    def read(self) -> Values:
        """Return what every signal that the envelope names says.

        Raises ConfigurationError naming those that don't answer, or say nothing.
        """
        look = self._look(self._signals)
        silent = [f"{row.signal} ({row.pv})" for row in look.rows if _is_silent(row)]
        if silent:
            raise ConfigurationError(
                f"nothing was tried: {', '.join(silent)}: no answer, or INVALID; see to it first"
            )
        return dict(_values(look))

    def make_safe(self) -> Tried:
        """Run the safe sequence, and see that every safe value is there."""
        stages = self.envelope.stages or one_stage(self.envelope.safe_values(), SAFE_S)
        actuators = connections_of(self._devices, self.envelope).actuators
        begun = time.monotonic()
        safed = asyncio.run(make_safe(stages, actuators))
        took_ms = 1000.0 * (time.monotonic() - begun)
        wanted = len(self.envelope.safe_values())
        failed = "; ".join(f"{signal}: {why}" for signal, why in safed.failed.items())
        return Tried(
            rule="safe sequence",
            kind="stop",
            drive="run at the bench, every value read back",
            expected=f"{wanted} of {wanted} safe values reached",
            seen=f"{len(safed.reached)} of {wanted} reached in {took_ms:.0f} ms"
            + (f"; {failed}" if failed else ""),
            ok=not safed.failed and len(safed.reached) == wanted,
            live=tuple(self.envelope.safe_values()),
        )

    def cables(self, ask: Ask) -> Iterator[Tried]:
        """Have the cable of each device that rules read pulled, and plugged in again."""
        read = [s for s in self._signals if s.path in self.envelope.signals and not s.written]
        for device in dict.fromkeys(signal.path.partition(".")[0] for signal in read):
            yield self._cable(device, [s for s in read if s.path.startswith(f"{device}.")], ask)

    def _cable(self, device: str, signals: Sequence[LiveSignal], ask: Ask) -> Tried:
        names = ", ".join(signal.path for signal in signals)
        said = ask(f"Pull the cable of {device} ({names}) and press Return; or say why it can't be")
        if said.strip():
            return _cable(names, f"not pulled, by the person's word: {said.strip()[:200]}", ok=True)
        if not self._until(signals, silent=True):
            return _cable(names, "still says something, and isn't INVALID", ok=False)
        ask(f"Plug {device} in again, then press Return")
        back = self._until(signals, silent=False)
        seen = "unknown, then known again" if back else "unknown, and stays so"
        return _cable(names, seen, ok=back)

    def _until(self, signals: Sequence[LiveSignal], *, silent: bool) -> bool:
        """Whether *signals* are all *silent* (or all not) before it is too late."""
        deadline = time.monotonic() + NOTICE_S
        while True:
            rows = self._look(signals, 1.0).rows
            if all(_is_silent(row) == silent for row in rows):
                return True
            if time.monotonic() > deadline:
                return False

    def _look(self, signals: Sequence[LiveSignal], timeout_s: float = ANSWER_S) -> Look:
        return look_at(signals, self.envelope, timeout_s)


def _is_silent(row: Row) -> bool:
    return row.missing or (row.said is not None and row.said.severity == "INVALID")


def _values(look: Look) -> Iterator[tuple[str, float | str | bool]]:
    for row in look.rows:
        if row.said is None:
            continue
        value = row.said.value
        if isinstance(value, (str, bool)):
            yield row.signal, value
        elif isinstance(value, (int, float)):
            yield row.signal, float(value)


def _cable(names: str, seen: str, *, ok: bool) -> Tried:
    return Tried(
        rule="cables",
        kind="cable",
        drive=f"the cable of {names} is pulled at the bench",
        expected="unknown, then known again",
        seen=seen,
        ok=ok,
        live=tuple(names.split(", ")),
    )
