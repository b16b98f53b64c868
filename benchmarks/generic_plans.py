"""What an event of a plan costs: our bare messages against bluesky's own plans, same devices.

    python -m benchmarks.generic_plans [--points 500] [--repeats 7]

Devices in memory, so that only plan and RunEngine are measured; no document is written. Each
figure is the least of the repeats, in microseconds of CPU per event (all threads).
"""

import argparse
import json
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import bluesky.plan_stubs as bps
import bluesky.plans as bp
from bluesky import RunEngine
from bluesky.utils import Msg

from instruments.generic_plans import scan_1d
from instruments.generic_recipes import LineRecipe


class Done:
    """A status of what is done already."""

    done = success = True

    def add_callback(self, callback: Callable[[Any], None]) -> None:
        """Call back at once."""
        callback(self)

    def exception(self, timeout: float = 0.0) -> None:
        """Return that nothing failed."""


class Memory:
    """A device that is nothing but a number."""

    parent = None

    def __init__(self, name: str) -> None:
        self.name = name
        self.value = 0.0

    def set(self, value: float) -> Done:
        """Go there."""
        self.value = value
        return Done()

    def trigger(self) -> Done:
        """Measure."""
        return Done()

    def read(self) -> dict[str, Any]:
        """Return the number."""
        return {self.name: {"value": self.value, "timestamp": time.time()}}

    def describe(self) -> dict[str, Any]:
        """Return what it is."""
        return {self.name: {"source": "memory", "dtype": "number", "shape": []}}

    def read_configuration(self) -> dict[str, Any]:
        """Return nothing."""
        return {}

    describe_configuration = read_configuration


def stubs(detector: Memory, motor: Memory, points: int) -> Iterator[Msg]:
    """The same scan in bluesky's plan stubs."""
    yield from bps.open_run()
    for place in range(points):
        yield from bps.checkpoint()
        yield from bps.mv(motor, place)
        yield from bps.trigger_and_read([detector, motor])
    yield from bps.close_run()


def main() -> None:
    """Measure, and print JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--points", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=7)
    asked = parser.parse_args()
    points, run_engine = asked.points, RunEngine({})
    detector, motor = Memory("detector"), Memory("motor")
    station = SimpleNamespace(devices=lambda: {"detector": detector, "motor": motor})
    recipe = LineRecipe(detectors=("detector",), motor="motor", start=0, stop=1, points=points)
    plans = {
        "scan_1d (ours)": lambda: scan_1d(station, recipe),
        "bluesky.plans.scan": lambda: bp.scan([detector], motor, 0, 1, points),
        "bluesky.plan_stubs": lambda: stubs(detector, motor, points),
    }
    least = dict.fromkeys(plans, float("inf"))
    for _ in range(asked.repeats):
        for name, plan in plans.items():
            began = time.process_time()
            run_engine(plan())
            least[name] = min(least[name], (time.process_time() - began) / points * 1e6)
    print(json.dumps({name: round(value) for name, value in least.items()}, indent=1))


if __name__ == "__main__":
    main()
