"""Figure: expressions of rules at random, half of them spoiled, against another way to read them.

    python -m benchmarks.safety_fuzz [--expressions 20000] [--seed 1] [--slowest 1.0]

Each is bound or refused; what is bound is judged on random intervals, some of them unknown, and
compared with exact arithmetic at points within. Exit status 1 if anything crashed, took longer than
``--slowest`` seconds, was accepted or judged otherwise than the reference does, or was refused
without saying where. Then the time of one judgement of the copper station's rule of gases.
"""

import argparse
import sys
import time
from random import Random

from controller.safety.language.binding import bind
from controller.safety.language.values import Interval, Term
from tests.support.rule_expressions import (
    TERMS,
    Tally,
    compare,
    number,
    spoiled,
    statement,
)

DIMENSIONS = ("flow", "temperature", "ratio", "rate", "time")
COMBINATION = (
    "furnace.temperature <= 200 or "
    "(gas.h2.flow / gas.total < 0.03 or gas.o2.flow / gas.total < 0.03) and gas.total >= 20 mL/min"
)
JUDGEMENTS = 100_000


def fuzz(count: int, seed: int, slowest_s: float) -> Tally:
    """Try *count* expressions; what is wrong is in the tally."""
    rng, tally = Random(seed), Tally()
    bind("furnace.temperature < 300 K", TERMS)  # loads what knows units, which takes a second
    for index in range(count):
        whole = rng.random() < 0.8
        text = statement(rng) if whole else number(rng, rng.choice(DIMENSIONS), 3)
        text = spoiled(rng, text) if index % 2 else text
        begun = time.perf_counter()
        try:
            compare(text, rng, tally)
        except Exception as error:  # a crash is what is looked for: told, and counted
            tally.wrong.append(f"{type(error).__name__} {error}: {text!r}")
        if (took := time.perf_counter() - begun) > slowest_s:
            tally.wrong.append(f"took {took:.2f} s: {text!r}")
    return tally


def cost_us() -> float:
    """Return the microseconds of one judgement of the rule of gases."""
    rule = bind(COMBINATION, {**TERMS, "gas.o2.flow": Term("mL/min")})
    known = {
        "furnace.temperature": Interval(300.0, 310.0),
        "gas.h2.flow": Interval(2.0, 2.5),
        "gas.o2.flow": Interval(10.0, 10.0),
        "gas.total": Interval(100.0, 101.0),
    }
    begun = time.perf_counter()
    for _ in range(JUDGEMENTS):
        rule.truth(known.get)
    return (time.perf_counter() - begun) / JUDGEMENTS * 1e6


def main() -> int:
    """Print what came of it; return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--expressions", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slowest", type=float, default=1.0, help="seconds for one expression")
    options = parser.parse_args()
    tally = fuzz(options.expressions, options.seed, options.slowest)
    print(
        f"{options.expressions} expressions: {tally.accepted} accepted, {tally.refused} refused, "
        f"{tally.undecided} with a unit that the reference doesn't know; {tally.judged} judgements "
        f"compared; {len(tally.stricter)} refused that the reference takes"
    )
    print(f"wrong: {len(tally.wrong)}; one judgement of the rule of gases {cost_us():.1f} µs")
    for what in (*tally.wrong[:20], *(f"refused: {text}" for text in tally.stricter[:20])):
        print(f"  {what}")
    return 1 if tally.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
