"""A bench whose gate stands in the same process: armed before each plan, disarmed at the end."""

from dataclasses import replace
from typing import Self

from agents.protocols import Suggestion
from controller.bench import EngineBench
from controller.engine import PlanOutcome
from controller.errors import BenchStands, NotArmed
from controller.halts import ended_by, halting_of
from controller.parts import Halting, Ran, Released
from controller.safety.gate import Arming, Gate


class ArmedBench(EngineBench):
    """Arms *its* gate before each plan."""

    _gate: Gate

    def behind(self, gate: Gate) -> Self:
        """Let *gate* stand before it; returns itself."""
        self._gate = gate
        return self

    def ready(self, suggestion: Suggestion | None = None, upkeep: str = "") -> Halting | None:
        """Arm the gate for the plan that comes next; return why it wasn't, None when it was.

        Raises JournalError when its record can't be made.
        """
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
            if (failure := self._gate.journal_failure) is not None:
                raise failure from error
            return halting_of(self._gate.status(), str(error))
        return None

    def _ran(self, outcome: PlanOutcome) -> Ran:
        """Say besides what the gate did while a plan ran that didn't end well."""
        ran = super()._ran(outcome)
        return ran if ran.succeeded else replace(ran, halt=ended_by(self._gate.status()))

    def await_release(self, halting: Halting, patience_s: float) -> Released | None:
        """Raise BenchStands: nobody can release anything while this process waits."""
        del patience_s
        raise BenchStands(halting.reason)
