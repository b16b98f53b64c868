"""A bench whose gate stands in the same process: armed before each plan, disarmed at the end."""

import math
from dataclasses import replace
from functools import partial
from typing import Self

import bluesky.plan_stubs as bps

from agents.protocols import Suggestion
from controller.bench.bench import EngineBench
from controller.bench.halts import ended_by, halting_of, is_released, last_release, undisturbed
from controller.engine import PlanOutcome, Supervision
from controller.errors import BenchStands, NotArmed
from controller.parts import Halting, Ran, Released
from controller.safety.gate.gate import Arming, Gate
from instruments.plans import Plan


class ArmedBench(EngineBench):
    """Arms *its* gate before each plan."""

    _gate: Gate
    _held_s = 0.0

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

    def experiment(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> Ran:
        """Run the plan for *suggestion*; what the bench was changed under doesn't count."""
        ran = super().experiment(suggestion, experiment_id, attempt)
        return undisturbed(ran, self._gate)

    def upkeep(self, name: str, number: int, experiment_id: str = "") -> Ran:
        """Run the upkeep plan *name*; what the bench was changed under doesn't count."""
        return undisturbed(super().upkeep(name, number, experiment_id), self._gate)

    def _ran(self, outcome: PlanOutcome) -> Ran:
        """Say besides what the gate did while a plan ran that didn't end well."""
        ran = super()._ran(outcome)
        return ran if ran.succeeded else replace(ran, halt=ended_by(self._gate.status()))

    def await_release(self, halting: Halting, patience_s: float) -> Released | None:
        """Let time pass at the bench while a rule holds it, at most *patience_s*.

        Raises BenchStands for all else: nobody can release anything while this process waits.
        """
        status = self._gate.status()
        if halting.latched and is_released(status):
            return last_release(self._identity.directory)
        if halting.latched or not status.holds or self._held_s >= LONGEST_HOLD_S:
            raise BenchStands(halting.reason)
        name = f"{self._identity.campaign_id}/hold/{self._identity.head()}/{self._held_s:g}"
        self._held_s += patience_s
        passing = Supervision(replayable=True)
        outcome = self._do(partial(_let_pass, self._gate, patience_s), name, {}, passing)
        if outcome.interrupted:
            raise KeyboardInterrupt
        if self._gate.status().holds:
            return None
        self._held_s = 0.0
        return Released()


def _let_pass(gate: Gate, patience_s: float) -> Plan:
    """Let time pass, until nothing holds the bench or *patience_s* are over."""
    for _ in range(math.ceil(patience_s / STEP_S)):
        yield from bps.sleep(STEP_S)
        if not gate.status().holds:
            return


STEP_S = 10.0
"""How often one looks whether a hold is over (campaign seconds)."""
LONGEST_HOLD_S = 86400.0
"""A bench that holds for so long (campaign seconds) doesn't go on by itself."""
