"""Figure 4: what the loop itself costs per experiment: journal, state, dispatch.

    python -m benchmarks.overhead [--experiments 200]

A recorded bench and the Sobol agent; the agent, the plan (RunEngine, devices, gate, documents)
and the reducer are timed apart and given beside it. CPU milliseconds of the whole process.
"""

import argparse
import tempfile
import time
from pathlib import Path

from benchmarks.parts import PartsClock
from controller.resolving import recorded_campaign
from controller.wiring import open_session

TABLE = Path(__file__).parents[1] / "simulators/data/recorded/pvlab_crossed_barrel"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--experiments", type=int, default=200)
    count = parser.parse_args().experiments
    resolved = recorded_campaign(TABLE, "sobol", 0, count)
    parts = PartsClock()
    with (
        tempfile.TemporaryDirectory() as folder,
        open_session(resolved, Path(folder) / "c", lambda _r, _s: None) as session,
    ):
        parts.watch(session)
        cpu = time.process_time()
        session.loop.run()
        cpu = time.process_time() - cpu
    own = cpu - sum(parts.cpu_s.values())
    print(f"{count} experiments; CPU ms per experiment:")
    print(f"  loop (journal, state, dispatch)   {1e3 * own / count:6.2f}")
    for name, seconds in parts.cpu_s.items():
        print(f"  {name:32s}  {1e3 * seconds / count:6.2f}")


if __name__ == "__main__":
    main()
