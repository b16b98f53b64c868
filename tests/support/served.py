"""A served twin in a process of its own, and where its clients find it."""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen

from simulators.ioc.environment import epics_environment
from tests.support.ports import free_port

ROOT = Path(__file__).parents[2]
COPPER = ROOT / "config/beamlines/xas_copper_simulated.yaml"
PREFIX = "SIM:XAS:"
SERVE = (
    "import sys; from pathlib import Path; from controller.commands.serving import serve; "
    "sys.exit(serve(Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), False, sys.argv[4:]))"
)


@contextmanager
def served_twin(
    file: Path = COPPER, speed: float = 1.0, writers: tuple[str, ...] = ()
) -> Iterator[Mapping[str, str]]:
    """Serve the twin of *file* for a block; gives the environment in which clients find it."""
    port = free_port()
    command = [sys.executable, "-c", SERVE, str(file), str(speed), str(port), *writers]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with Popen(
        command,
        cwd=ROOT,
        env=environment,
        stdout=PIPE,
        stderr=DEVNULL,
        text=True,
    ) as twin:
        try:
            assert twin.stdout is not None
            while "Ctrl-C" not in (line := twin.stdout.readline()):
                assert line, "the twin has ended"
            yield epics_environment(port)
        finally:
            twin.kill()
