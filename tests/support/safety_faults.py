"""What goes wrong under the copper station's rules, where, by how much, and what must trip."""

import signal
import time
from collections.abc import Callable
from dataclasses import dataclass

from simulators.ioc.faults import ACTS, PASSING, WRITES, Kind
from tests.support.safety_rig import PHASES, SPEED, SafetyRig

Inject = Callable[[SafetyRig, str], None]

READ = {
    "heating": "furnace.readback",
    "gas": "he.readback",
    "exposure": "dose.accumulated",
    "clean-up": "o2.readback",
}
WRITTEN = {
    "heating": "furnace.setpoint",
    "gas": "he.setpoint",
    "exposure": "shutter.command",
    "clean-up": "o2.setpoint",
}
AMOUNTS: dict[Kind, tuple[float, float, float, float]] = {
    Kind.SPIKES: (500.0, 90.0, 50.0, 15.0),
    Kind.NOISE: (50.0, 30.0, 5.0, 5.0),
    Kind.OFFSET: (300.0, -95.0, 50.0, 15.0),
    Kind.DRIFT: (2.0, 1.0, 0.5, 0.5),
    Kind.OUT_OF_RANGE: (1e4, 1e4, 1e4, 1e4),
    Kind.SATURATED: (100.0, 10.0, 0.001, 0.01),
    Kind.CLOCK_JUMP: (3600.0, 3600.0, 3600.0, 3600.0),
    Kind.SLOW: (600.0, 600.0, 60.0, 600.0),
    Kind.SHORT: (50.0, 30.0, 0.0, 2.0),
    Kind.CLAMPED: (100.0, 10.0, 0.0, 1.0),
    Kind.FAILS_LATE: (60.0, 60.0, 60.0, 60.0),
    Kind.MOVED: (600.0, 0.0, 1.0, 15.0),
    Kind.RUNAWAY: (600.0, 0.0, 0.0, 15.0),
}
GONE_S = 10.0
"""How long (real s) a server is gone."""
NUMBERS_ONLY = {Kind.SHORT, Kind.CLAMPED, Kind.RUNAWAY, Kind.STOPPED}
"""These need a setpoint that is a number: not the shutter's."""
NOT_HERE = {Kind.TRUNCATED}
"""An array of counts is no matter of safety; the benchmark of device faults has it."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, in which phases, and in which of them the gate must trip."""

    kind: str
    inject: Inject
    phases: tuple[str, ...] = PHASES
    trips: frozenset[str] = frozenset()
    early: bool = False
    """Whether it must be there before the phase begins: it befalls what begins it."""


def on_panel(kind: Kind) -> Inject:
    """Return what injects *kind* by the twin's panel into what the phase is about."""

    def inject(rig: SafetyRig, phase: str) -> None:
        where = (WRITTEN if kind in WRITES | ACTS else READ)[phase]
        amount = AMOUNTS.get(kind, (0.0,) * 4)[PHASES.index(phase)]
        passing = kind in PASSING
        seconds = GONE_S * SPEED if passing else 0.0
        why_not = rig.desk.ask("spoil", kind.value, "" if passing else where, amount, seconds)
        assert not why_not, why_not

    return inject


def on_process(role: str, number: int, seconds: float = 0.0) -> Inject:
    """Return what sends a signal to a process; one that is stopped goes on after *seconds*."""

    def inject(rig: SafetyRig, _phase: str) -> None:
        process = rig.crew.processes[role]
        process.send_signal(number)
        if number == signal.SIGSTOP:
            time.sleep(seconds)
            process.send_signal(signal.SIGCONT)
        else:
            process.wait()
            rig.crew.start(role)  # type: ignore[arg-type]

    return inject


def lost_exhaust_and_sensor(rig: SafetyRig, _phase: str) -> None:
    """The exhaust stops, and its flow meter is stuck: what the rule can't see."""
    assert rig.desk.ask("spoil", "disconnect", "exhaust.flow") == ""


UNKNOWN = frozenset({"heating"})
MUST = {
    Kind.NAN: UNKNOWN,
    Kind.INF: UNKNOWN,
    Kind.MINUS_INF: UNKNOWN,
    Kind.OUT_OF_RANGE: UNKNOWN,
    Kind.INVALID: UNKNOWN,
    Kind.DISCONNECT: UNKNOWN,
    Kind.MOVED: frozenset({"heating", "gas", "exposure", "clean-up"}),
    Kind.EXHAUST_STOP: UNKNOWN,
    Kind.REBOOT: UNKNOWN,
    Kind.UNRESPONSIVE: UNKNOWN,
}
FAULTS = (
    *(
        Fault(
            kind.value,
            on_panel(kind),
            tuple(p for p in PHASES if not (p == "exposure" and kind in NUMBERS_ONLY)),
            MUST.get(kind, frozenset()),
            kind in WRITES,
        )
        for kind in Kind
        if kind not in NOT_HERE
    ),
    Fault("exhaust unknown", lost_exhaust_and_sensor, ("heating",), UNKNOWN),
    Fault("kill -9 of the twin", on_process("twin", signal.SIGKILL)),
    Fault("kill -9 of the gate", on_process("gate", signal.SIGKILL), trips=frozenset(PHASES[:3])),
    Fault(
        "kill -9 of the engine", on_process("engine", signal.SIGKILL), trips=frozenset(PHASES[:3])
    ),
    Fault("engine stopped 6 s", on_process("engine", signal.SIGSTOP, 6.0), trips=UNKNOWN),
    Fault("gate stopped 6 s", on_process("gate", signal.SIGSTOP, 6.0), trips=UNKNOWN),
)
