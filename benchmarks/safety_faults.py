"""Figure: faults survived under the copper station's safety envelope, in every phase.

    python -m benchmarks.safety_faults [--quick] [--only KIND ...] [--phases heating ...]

Copper experiments (heating with hydrogen on, gas change, exposure, clean-up) run in the real
processes, with the rules of config/safety/copper.yaml and the twin as a soft IOC. Every kind of
fault of the panel comes in every phase; processes are killed and stopped. A case is survived when
the gate refuses, holds or trips, or the plan ends as it should; what is in the twin's furnace and
gas lines never was outside of the envelope; what latched has its safe setpoints at the IOC; and
the gate can be armed again when the fault is gone. Some must trip. What the operator reads is
printed. Exit status 1 if a case isn't survived.
"""

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

from tests.support.safety_faults import FAULTS, Fault
from tests.support.safety_rig import PHASES, Met, SafetyRig, safety_rig


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="each kind in one phase")
    parser.add_argument("--only", nargs="*", default=[], help="kinds whose name has one of these")
    parser.add_argument("--phases", nargs="*", default=PHASES, choices=PHASES)
    wanted = parser.parse_args()
    chosen = [f for f in FAULTS if not wanted.only or any(o in f.kind for o in wanted.only)]
    cases = [(fault, phase) for fault in chosen for phase in fault.phases if phase in wanted.phases]
    if wanted.quick:
        cases = [(fault, fault.phases[n % len(fault.phases)]) for n, fault in enumerate(chosen)]
    found: dict[str, list[bool]] = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for number, part in enumerate(_parts(cases)):
            with safety_rig(Path(folder) / f"campaign-{number}") as rig:
                for fault, phase in part:
                    found[fault.kind].append(_one(rig, fault, phase))
    sys.exit(summary(found))


PART = 25
"""Cases in one campaign: a rig that somebody has broken for good spoils no more than these."""


def _parts(cases: list[tuple[Fault, str]]) -> list[list[tuple[Fault, str]]]:
    return [cases[start : start + PART] for start in range(0, len(cases), PART)]


def _one(rig: SafetyRig, fault: Fault, phase: str) -> bool:
    try:
        met = rig.meet(fault.kind, phase, fault.inject, fault.early)
    except AssertionError as error:
        print(f"! {fault.kind:22} {phase:9} {error}", flush=True)
        rig.mend()
        return False
    tripped = met.state == "latched" or phase not in fault.trips
    print(line(met, tripped=tripped), flush=True)
    return met.survived and tripped


def line(met: Met, *, tripped: bool) -> str:
    faults = [
        *met.wrong,
        *([] if met.ended else ["never ended"]),
        *([] if met.safe else ["not made safe"]),
        *([] if met.again else ["can't be armed again"]),
        *([] if tripped else ["must trip"]),
    ]
    mark = "! " if faults else "  "
    told = f"[{'; '.join(faults)}] {met.said}" if faults else met.said
    return f"{mark}{met.kind:22} {met.phase:9} {met.state:8} {met.after_s:5.1f} s  {told[:220]}"


def summary(found: dict[str, list[bool]]) -> int:
    """Print how many kinds were survived; return the exit status."""
    survived = sum(all(marks) for marks in found.values())
    cells = sum(map(sum, found.values()))
    of = sum(map(len, found.values()))
    print(f"{survived} of {len(found)} kinds survived, {cells} of {of} cases")
    return 0 if survived == len(found) else 1


if __name__ == "__main__":
    main()
