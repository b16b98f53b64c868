"""Figure: device faults survived, in each phase of an experiment, over real Channel Access.

    python -m benchmarks.faults [--quick] [--only KIND ...] [--speed 200]

A copper experiment (heating, gas change, exposure, clean-up) runs in the real processes: engine,
gate, and the twin as a soft IOC. In each phase something goes wrong: by the twin's fault panel, by
signals to processes, by a second client, by devices that misbehave. A kind is survived when the
plan ends within its bound, isn't called a success where it wasn't one, is called lost where it was
no fault of the point, says why in words, and the next experiment is a success once the fault is
gone. Exit status 1 if one isn't.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from signal import SIGKILL, SIGSTOP

from tests.support.device_faults import (
    FAILED,
    LOST,
    OK,
    UNFIT,
    Fault,
    Outcome,
    Rig,
    expect,
    misbehaving,
    nothing,
    on_panel,
    on_process,
    rig,
    second_mover,
    shortened,
)
from tests.support.misbehaving import MISBEHAVIOUR, UNSEEN

MOVING = ("heating", "gas", "clean-up")
BROKEN = expect(FAILED, LOST)
ANY = expect(OK, FAILED, LOST)
GONE = expect(OK, LOST)
"""A server that goes and comes is nobody's point's fault; a move may outlast it."""

FAULTS = (
    Fault("stuck reading", on_panel("stuck", "readback"), ANY),
    Fault("frozen reading", on_panel("frozen", "readback"), ANY, MOVING),
    Fault("stale exposure", on_panel("frozen", "readback"), BROKEN, ("exposure",)),
    Fault("spikes", on_panel("spikes", "readback", 500.0), ANY),
    Fault("NaN", on_panel("nan", "readback"), BROKEN, ("heating", "exposure")),
    Fault("INVALID", on_panel("invalid", "readback"), BROKEN, ("heating", "exposure")),
    Fault("slow move", on_panel("slow", "setpoint", 60.0), expect(OK)),
    Fault("stalled move", on_panel("stalled", "setpoint"), ANY, MOVING),
    Fault("clamped setpoint", on_panel("clamped", "setpoint", 1.0), ANY, MOVING),
    Fault("refused write", on_panel("refused", "setpoint"), ANY),
    Fault("hung put", on_panel("hung", "setpoint"), ANY),
    Fault("saturation", on_panel("saturated", "readback", 10.0), expect(OK), ("exposure",)),
    Fault("beam dump", on_panel("beam_dump", "", 0.0, 120.0), expect(OK, UNFIT)),
    Fault("IOC reboot", on_panel("reboot", "", 0.0, 300.0), GONE),
    Fault("disconnect", on_panel("disconnect", "readback"), expect(OK, LOST)),
    Fault("disconnected setpoint", on_panel("disconnect", "setpoint"), expect(OK, LOST)),
    Fault("second mover", second_mover, ANY),
    Fault("twin stopped 1 s", on_process("twin", SIGSTOP, 1.0), GONE),
    Fault("twin stopped 30 s", on_process("twin", SIGSTOP, 30.0), GONE),
    Fault("kill -9 of the twin", on_process("twin", SIGKILL), GONE),
    Fault("kill -9 of the gate", on_process("gate", SIGKILL), expect(LOST)),
    Fault("kill -9 of the engine", on_process("engine", SIGKILL), expect(LOST)),
    Fault("engine stopped 12 s", on_process("engine", SIGSTOP, 12.0), GONE),
    Fault("gate stopped 1 s", on_process("gate", SIGSTOP, 1.0), GONE),
    Fault("gate stopped 15 s", on_process("gate", SIGSTOP, 15.0), GONE),
)
INSIDE = tuple(
    Fault(kind, nothing, expect(OK) if kind in UNSEEN else BROKEN, ("treatment", "clean-up"))
    for kind in MISBEHAVIOUR
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="each kind in one phase")
    parser.add_argument("--only", nargs="*", default=[], help="kinds whose name has one of these")
    parser.add_argument("--speed", type=float, default=200.0)
    wanted = parser.parse_args()
    found: list[Outcome] = []
    for resolved, faults in ((shortened(), FAULTS), (misbehaving(), INSIDE)):
        chosen = [f for f in faults if not wanted.only or any(o in f.kind for o in wanted.only)]
        if chosen:
            with (
                tempfile.TemporaryDirectory() as folder,
                rig(Path(folder) / "campaign", resolved, wanted.speed, "3 s") as made,
            ):
                for number, fault in enumerate(chosen):
                    found += meet_all(made, fault, number, quick=wanted.quick)
    sys.exit(summary(found))


def meet_all(made: Rig, fault: Fault, number: int, *, quick: bool) -> list[Outcome]:
    phases = fault.phases
    if quick:
        phases = (phases[number % len(phases)],)
    outcomes = []
    for phase in phases:
        inside = fault.inject is nothing
        changes = {"kind": fault.kind, "phase": phase} if inside else {}
        one = made.meet(fault, phase, changes)
        outcomes.append(one)
        print(line(one), flush=True)
    return outcomes


def line(one: Outcome) -> str:
    mark = "  " if one.survived else "! "
    told = one.reason if one.survived else f"{one.reason} {one.note}"
    return (
        f"{mark}{one.kind:24} {one.phase:10} {one.word:8} {one.took_s:6.1f} s "
        f"next {one.recovered_s:5.1f} s  {told[:180]}"
    )


def summary(found: list[Outcome]) -> int:
    """Print how many kinds were survived; return the exit status."""
    kinds: dict[str, list[bool]] = defaultdict(list)
    for one in found:
        kinds[one.kind].append(one.survived)
    survived = sum(all(marks) for marks in kinds.values())
    cells = sum(sum(marks) for marks in kinds.values())
    print(f"{survived} of {len(kinds)} kinds survived, {cells} of {len(found)} cases")
    return 0 if survived == len(kinds) else 1


if __name__ == "__main__":
    main()
