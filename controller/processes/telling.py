"""Who is told when the gate trips, holds and goes on: the engine at once, and the terminal."""

import asyncio
import time
from pathlib import Path

from controller.bench.halts import is_ours
from controller.bus.delivery import Caller
from controller.bus.gate_status import Status
from controller.bus.messages import Message, Note, Tripped
from controller.safety.cleaning import for_the_campaign
from controller.safety.gate.gate import Gate
from controller.safety.states.machine import State

TELL_S = 5.0
"""How long it is tried to tell: a process that starts later has nothing to stop (real seconds)."""


class Telling:
    """Looks whether the gate stands elsewhere than before; all in the gate's event loop."""

    def __init__(self, gate: Gate, engine: Caller, supervisor: Caller, directory: Path) -> None:
        self._gate = gate
        self._engine = engine
        self._supervisor = supervisor
        self._directory = directory
        self._state = gate.state
        self._told = State.DISARMED
        """Where the terminal believes the gate to stand: one that starts latched is news there."""

    def look(self) -> None:
        """Tell what has changed since this was last called."""
        now = self._gate.state
        if now is not self._state:
            before, self._state = self._state, now
            if now is State.SAFING or (now is State.LATCHED and before is not State.SAFING):
                self._post(self._engine, self._tripped())
        if now is not self._told:
            before, self._told = self._told, now
            if text := self._news(before, now):
                self._post(self._supervisor, Note(text=text))

    def _news(self, before: State, now: State) -> str:
        match now:
            case State.SAFING:
                return f"TRIPPED: {self._why()}; the bench is being made safe"
            case State.LATCHED if before is State.SAFING:
                return f"LATCHED: {self._how_safe()}"
            case State.LATCHED:
                return f"LATCHED: {self._why()}; {self._how_safe()}"
            case State.HOLD:
                status = self._gate.status()
                holds = "; ".join(f"{h.name}: {h.reason}" for h in status.holds)
                return f"HOLD: {holds}; {self._advice(status)}"
            case State.RUNNING if before is State.HOLD:
                return "the hold is over: it goes on"
            case State.MAINTENANCE:
                taken = self._gate.status().taken
                return "MAINTENANCE: " + ", ".join(f"{d} ({who})" for d, who in taken.items())
            case State.DISARMED if before is State.LATCHED:
                return "released: the gate is disarmed"
        return ""

    def _advice(self, status: Status) -> str:
        return for_the_campaign(status.advice, self._directory)

    def _tripped(self) -> Tripped:
        ours = is_ours(self._gate.status())
        return Tripped(at=time.monotonic(), ours=ours, reason=self._why())

    def _why(self) -> str:
        cause = self._gate.status().cause
        if cause is None:
            return "the gate was latched before"
        return f"{cause.rule}: {cause.reason}" if cause.rule else cause.reason

    def _how_safe(self) -> str:
        failed = self._gate.status().safe_failed
        if not failed:
            return "the bench was made safe"
        left = "; ".join(f"{signal}: {why}" for signal, why in failed.items())
        return f"THE BENCH IS NOT SAFE: {left}; see to it by hand"

    def _post(self, caller: Caller, message: Message) -> None:
        future = caller.post(message)
        asyncio.get_running_loop().call_later(TELL_S, future.cancel)
