"""A bench whose gate stands in the same process: armed before each plan, disarmed at the end."""

from typing import Self

from agents.protocols import Suggestion
from controller.bench import EngineBench
from controller.errors import BenchStands, NotArmed
from controller.halts import halting_of
from controller.parts import Halting, Released
from controller.safety.gate import Arming, Gate


class ArmedBench(EngineBench):
    """Arms *its* gate before each plan."""

    _gate: Gate

    def behind(self, gate: Gate) -> Self:
        """Let *gate* stand before it; returns itself."""
        self._gate = gate
        return self

    def ready(self, suggestion: Suggestion | None = None, upkeep: str = "") -> Halting | None:
        """Arm the gate for the plan that comes next; return why it wasn't, None when it was."""
        call = self._routine.upkeep.get(upkeep) if upkeep else None
        if not upkeep:
            call = self._final if suggestion is None else self._call
        digest = self._gate.digest
        arming = Arming(
            digest,
            plan="" if call is None else call.spec.name,
            effect="" if call is None else call.spec.effect.value,
            suggestion="" if suggestion is None else suggestion.digest(digest),
        )
        try:
            self._engine.call(self._gate.arm(arming))
        except NotArmed as error:
            return halting_of(self._gate.status(), str(error))
        return None

    def await_release(self, halting: Halting, patience_s: float) -> Released | None:
        """Raise BenchStands: nobody can release anything while this process waits."""
        del patience_s
        raise BenchStands(halting.reason)
