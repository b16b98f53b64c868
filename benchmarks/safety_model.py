"""Figure: every step that the gate's states can take, and what is found when one is changed.

    python -m benchmarks.safety_model [--quick] [--more] [--stateful N]

Walks all that the table can reach, with people of all roles, facts that change at will, records
that lag and a gate that dies at any moment, and asks each invariant about each step. Then takes
each guard and each duty away, one at a time; without ``--quick`` also each row, and each state that
one leads from; with ``--more`` leads each to every other state, and from it (minutes). Exit status
1 if an invariant is broken or a change isn't found. ``--stateful N`` drives the gate itself and the
copper twin through N random histories instead.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from controller.safety.states.machine import TABLE
from tests.support.gate_histories import copper_envelope, lived
from tests.support.safety_invariants import INVARIANTS, steps_wrong, wrongs
from tests.support.safety_model import Model, explore
from tests.support.safety_mutants import (
    OTHER_PARTS,
    Mutant,
    found_in,
    from_another_state,
    survivors,
    to_another_state,
    without_a_duty,
    without_a_guard,
    without_a_source,
)

QUICK: dict[str, Callable[[], Iterator[Mutant]]] = {
    "a guard gone": without_a_guard,
    "a duty gone": without_a_duty,
}
WHOLE: dict[str, Callable[[], Iterator[Mutant]]] = {
    **QUICK,
    "a row gone, or one of its states": without_a_source,
}
MORE: dict[str, Callable[[], Iterator[Mutant]]] = {
    **WHOLE,
    "another state as its target": to_another_state,
    "one more state to lead from": from_another_state,
}


def walk() -> bool:
    """Walk everything; print what was found and return whether nothing is wrong."""
    begun = time.process_time()
    found = explore(Model(), wrongs)
    wrong = [*found.wrong, *steps_wrong(found)]
    print(
        f"{len(TABLE)} rows, {len(found.states)} states; reached {found.worlds} worlds by "
        f"{found.transitions} transitions, {len(found.steps)} different steps; "
        f"{len(INVARIANTS)} invariants, {len(wrong)} broken; {time.process_time() - begun:.1f} s"
    )
    for what in wrong[:10]:
        print(f"  {what}")
    return not wrong


def mutate(kinds: dict[str, Callable[[], Iterator[Mutant]]]) -> bool:
    """Change one thing after the other; return whether each was found."""
    whole = True
    for kind, make in kinds.items():
        mutants = list(make())
        left = survivors(mutants)
        print(f"{kind}: {len(mutants) - len(left)} of {len(mutants)} found", flush=True)
        for name in left:
            print(f"  not found: {name}")
        whole = whole and not left
    unseen = [name for name, model in OTHER_PARTS.items() if not found_in(model)]
    print(f"beside the table: {len(OTHER_PARTS) - len(unseen)} of {len(OTHER_PARTS)} found")
    for name in unseen:
        print(f"  not found: {name}")
    return whole and not unseen


def live(histories: int, acts: int) -> bool:
    """Drive gate and twin through random *histories*; return whether nothing went wrong."""
    envelope, begun = copper_envelope(), time.process_time()
    where: Counter[str] = Counter()
    bad = 0
    for seed in range(histories):
        with tempfile.TemporaryDirectory() as folder:
            happened, wrong = lived(Path(folder), seed, acts, envelope)
        where.update(each.rpartition(" ")[2] for each in happened)
        bad += bool(wrong)
        for what in wrong[:3]:
            print(f"  history {seed}: {what}", flush=True)
    stood = ", ".join(f"{state} {count}" for state, count in where.most_common())
    print(
        f"{histories} histories of gate and twin, {histories * acts} acts ({stood}): {bad} left "
        f"the envelope or the model; {time.process_time() - begun:.0f} s"
    )
    return not bad


def main() -> int:
    """Print the figures; return 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="guards and duties alone")
    parser.add_argument("--more", action="store_true", help="every other state, too (minutes)")
    parser.add_argument("--stateful", type=int, metavar="N", help="gate and twin, N histories")
    parser.add_argument("--acts", type=int, default=40, help="things that happen in a history")
    options = parser.parse_args()
    if options.stateful is not None:
        return 0 if live(options.stateful, options.acts) else 1
    good = walk()
    good = mutate(QUICK if options.quick else MORE if options.more else WHOLE) and good
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
