"""What ONNX Runtime saves: CPU milliseconds of one answer and of 256, through torch and through it.

    python -m benchmarks.fast

Networks of the sizes that `heliostat train` makes, random weights; one thread, the least of 40
(batch 1) or 5 (batch 256) repeats. Needs heliostat[fast]. Prints one JSON object.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import torch

from models.fast import faster, missing
from models.one_thread import one_thread
from models.phases.network import Ensemble as Phases
from models.spectra.ensemble import Network
from models.spectra.training import Training

PHASES = 4501, 10, 2, 128
"""Points, labels, members, hidden units."""
BINS, LABELS = 200, 4


def timed(answer, example, repeats: int) -> float:
    with torch.no_grad():
        answer(*example)
        best = float("inf")
        for _ in range(repeats):
            started = time.process_time()
            answer(*example)
            best = min(best, time.process_time() - started)
    return 1e3 * best


def main() -> None:
    if missing():
        sys.exit(f"{', '.join(missing())} isn't installed: pip install 'heliostat[fast]'")
    one_thread()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    members = Training().members
    networks = {
        "phases": (Phases(*PHASES), lambda b: (torch.randn(b, 2, PHASES[0]),), (0,)),
        "absorption": (
            Network(BINS, LABELS, Training()),
            lambda b: (torch.randn(members, b, BINS), torch.full((members, b), -2.5)),
            (1, 1),
        ),
    }
    found = {}
    for name, (network, example, batch) in networks.items():
        network.eval()
        with tempfile.TemporaryDirectory() as cache:
            started = time.process_time()
            quick = faster(network, example(2), batch, Path(cache))
            found[name] = {"export_cpu_s": time.process_time() - started}
        for size, repeats in ((1, 40), (256, 5)):
            inputs = example(size)
            slow, fast = timed(network, inputs, repeats), timed(quick, inputs, repeats)
            found[name][f"batch_{size}_cpu_ms"] = {
                "torch": slow,
                "onnx": fast,
                "ratio": slow / fast,
            }
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
