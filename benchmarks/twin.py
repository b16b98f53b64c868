"""What the copper twin costs: virtual seconds and spectra per CPU second, one thread.

python benchmarks/twin.py
"""

import time
from collections.abc import Callable

import numpy as np

from simulators.copper.recipe import Recipe, oxidise
from simulators.copper.twin import CopperTwin

ENERGIES = np.linspace(8960.0, 9080.0, 200)


def best_of(action: Callable[[], object], repeats: int = 3) -> float:
    """Return the least CPU seconds of some repeats."""
    least = float("inf")
    for _ in range(repeats):
        started = time.process_time()
        action()
        least = min(least, time.process_time() - started)
    return least


def main() -> None:
    twin = CopperTwin(0)
    twin.command("furnace.setpoint", 350.0)
    twin.command("h2.setpoint", 5.0)
    twin.command("he.setpoint", 95.0)
    twin.command("shutter.open", 1.0)

    def stepping() -> None:
        for _ in range(20_000):
            twin.step(1.0)
            twin.readbacks()

    seconds = best_of(stepping)
    print(f"step(1) + readbacks: {1e6 * seconds / 20_000:.1f} us, ", end="")
    print(f"{20_000 / seconds:,.0f} virtual s per CPU s")
    fractions = np.random.default_rng(0).dirichlet(np.ones(3), size=5000)
    seconds = best_of(lambda: twin.expose_batch(fractions, ENERGIES, 10.0))
    print(f"batch of 5000 spectra, {len(ENERGIES)} energies: {5000 / seconds:,.0f} per CPU s")
    seconds = best_of(lambda: [twin.expose(ENERGIES, 10.0) for _ in range(200)])
    print(f"one exposure at a time: {200 / seconds:,.0f} per CPU s")
    seconds = best_of(lambda: oxidise(CopperTwin(0), Recipe(230.0, 8.0, 2.8, 40.0)), 1)
    print(f"one whole recipe on the bare twin: {seconds:.3f} CPU s")


if __name__ == "__main__":
    main()
