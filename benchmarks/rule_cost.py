"""What the rules cost: judging a write, and looking at everything, with 50 rules.

`python -m benchmarks.rule_cost`: rules of every kind over a gas panel's signals, all kept, as they
are while a campaign runs. Two writes are judged: one that few rules name (a station with 50
rules), and one that all of them name. A look is what each change and each tick (50 ms) costs; the
signals are heard anew before each, so that nothing is remembered from the one before. Goals: 50 us
to judge, 0.5 ms to look. Ends with 1 when the median misses one.
"""

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping

import numpy as np

from controller.safety.envelope.declared import Quantity, WatchedSignal
from controller.safety.envelope.envelope import Envelope, Limit
from controller.safety.envelope.specs import (
    AnyRule,
    Arrival,
    Budget,
    Dwell,
    Ownership,
    Rate,
    Requires,
    Sequence,
)
from controller.safety.language.binding import bind
from controller.safety.language.values import Term
from controller.safety.rules.picture import Picture
from controller.safety.rules.rulebook import Rulebook
from controller.safety.scene.moment import Moment

JUDGE_US, LOOK_US = 50.0, 500.0
GASES = ("h2", "o2", "he", "ar", "co")
ML = "mL/min"


class _Nobody:
    def who(self, role: str) -> frozenset[str]:
        return frozenset() if role else frozenset({""})


def rules_of(terms: Mapping[str, Term], count: int) -> tuple[AnyRule, ...]:
    """Return *count* rules of all kinds that look, in turn."""
    return tuple(rule for rule, _ in zip(_all_rules(terms), range(count), strict=False))


def _all_rules(terms: Mapping[str, Term]) -> Iterator[AnyRule]:
    number = 0
    while True:
        for gas in GASES:
            number += 1
            flow, name = f"gas.{gas}", f"{gas} {number}"
            mix = f"({flow} / gas.total < 0.9 or {flow} / gas.total < 0.95) and gas.total >= 20"
            yield Requires(
                name=f"mix {name}", requires=bind(mix, terms), when=bind(f"{flow} > 0.1", terms)
            )
            yield Arrival(
                name=f"arrives {name}",
                setpoint=f"{gas}.setpoint",
                readback=f"{gas}.readback",
                tolerance=1.0,
                within_s=60.0,
            )
            yield Budget(name=f"used {name}", at_most=1e12, unit="mL", integral=bind(flow, terms))
            yield Rate(name=f"rate {name}", of=f"{gas}.readback", per_s=1e3, over_s=60.0)
            yield Dwell(name=f"dwell {name}", when=bind(f"{flow} > 99", terms), at_most_s=1e9)
            yield Ownership(name=f"own {name}", signals=(f"{gas}.setpoint",))
            yield Sequence(
                name=f"purge {name}",
                before=bind(f"{flow} > 99", terms),
                after=bind("gas.o2 > 99", terms),
                needs=bind("gas.he > 50", terms),
                for_s=120.0,
            )


def one_for_all(terms: Mapping[str, Term], count: int) -> tuple[AnyRule, ...]:
    """Return *count* rules that all name the same signal."""
    return tuple(
        Requires(name=f"total {i}", requires=bind(f"gas.total < {900 + i} {ML}", terms))
        for i in range(count)
    )


class Bench:
    """A rulebook whose signals are heard again and again."""

    def __init__(self, make: Callable[[Mapping[str, Term], int], tuple[AnyRule, ...]], count: int):
        signals = {f"{gas}.{part}": Term(ML) for gas in GASES for part in ("setpoint", "readback")}
        named = {f"gas.{gas}": Term(ML) for gas in GASES}
        terms = {**signals, **named, "gas.total": Term(ML)}
        quantities = {
            name: Quantity(ML, f"{name[4:]}.setpoint", f"{name[4:]}.readback") for name in named
        }
        total = Quantity(ML, expression=bind(" + ".join(named), terms))
        self.envelope = Envelope(
            "cost",
            {f"{gas}.setpoint": Limit(0.0, 200.0, ML) for gas in GASES},
            signals={name: WatchedSignal(term, 5.0) for name, term in signals.items()},
            quantities={**quantities, "gas.total": total},
            rules=make(terms, count),
        )
        self.picture = Picture(self.envelope)
        self.rules = Rulebook(self.envelope, self.picture, _Nobody())
        self.now = Moment(0.0, 0.0)
        for gas in GASES:
            self.hear(20.0)
            self.rules.asked(f"{gas}.setpoint", 20.0, self.now)
            self.rules.ended(f"{gas}.setpoint", 20.0, self.now, done=True)
        for _ in range(200):
            self.hear(20.0)
            self.rules.look(self.now)

    def hear(self, flow: float) -> None:
        """Hear all signals, 50 ms later."""
        self.now = self.now.later(0.05)
        for name in self.envelope.signals:
            self.picture.heard(name, flow, self.now)


def timed(turns: int, work: Callable[[], object], before: Callable[[], object]) -> np.ndarray:
    """Return how long *work* took in each turn (us); *before* isn't counted."""
    took = np.empty(turns)
    for turn in range(turns):
        before()
        begun = time.perf_counter_ns()
        work()
        took[turn] = (time.perf_counter_ns() - begun) / 1e3
    return took


def main(arguments: list[str] | None = None) -> int:
    """Time everything and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rules", type=int, default=50)
    parser.add_argument("--turns", type=int, default=2000)
    chosen = parser.parse_args(arguments)
    mixed, single = Bench(rules_of, chosen.rules), Bench(one_for_all, chosen.rules)
    if (against := mixed.rules.judge("h2.setpoint", 21.0, mixed.now)) is not None:
        print(f"a write that should be accepted isn't: {against.reason}")
        return 1
    parts: dict[str, tuple[Bench, Callable[[Bench], object], float]] = {
        "judge, mixed rules": (
            mixed,
            lambda b: b.rules.judge("h2.setpoint", 21.0, b.now),
            JUDGE_US,
        ),
        "judge, all name it": (
            single,
            lambda b: b.rules.judge("h2.setpoint", 21.0, b.now),
            JUDGE_US,
        ),
        "look, mixed rules": (mixed, lambda b: b.rules.look(b.now), LOOK_US),
        "readings (status)": (mixed, lambda b: b.rules.readings(b.now), float("inf")),
    }
    missed = 0
    print(f"{chosen.rules} rules, {chosen.turns} turns, us:  p50  p99  max   goal (p50)")
    for name, (bench, work, goal) in parts.items():
        took = timed(chosen.turns, lambda b=bench, w=work: w(b), lambda b=bench: b.hear(20.0))
        p50, p99 = np.percentile(took, [50, 99])
        missed += p50 > goal
        print(f"{name:22s} {p50:8.1f} {p99:8.1f} {took.max():8.1f}   {goal:g}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
