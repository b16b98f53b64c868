"""A peer seen from here: a decider whose decisions are made in another process."""

import json
import os
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from agents.parameters import Categorical
from agents.protocols import Parameters
from benchmarks.decisions.deciders import Unsupported
from benchmarks.decisions.problem import Outcome, Problem

ROOT = Path(__file__).parents[3]
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")


class PeerFailed(Exception):
    """A peer could not be started, or answered with an error."""


class Connection:
    """The process of one peer; it ends when this one does."""

    def __init__(self, peer: str, python: str) -> None:
        if not Path(python).exists():
            raise PeerFailed(
                f"{peer}: no environment at {python}; make it with python -m "
                f"benchmarks.decisions.peers --prefix PREFIX {peer}, then --venvs PREFIX"
            )
        self._peer = peer
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 (closed in close)
        self._process = subprocess.Popen(
            [python, "-m", "benchmarks.decisions.peers.serve", peer],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._said,
            env={**os.environ, **ONE_THREAD, "PYTHONPATH": str(ROOT)},
            text=True,
        )

    def call(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the peer's answer to *message*; PeerFailed where it has none."""
        if self._process.stdin is None or self._process.stdout is None:
            raise PeerFailed(f"{self._peer}: its process has no pipes")
        try:
            self._process.stdin.write(json.dumps(message) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError as error:
            raise PeerFailed(self._ended()) from error
        line = self._process.stdout.readline()
        if not line:
            raise PeerFailed(self._ended())
        answer: dict[str, Any] = json.loads(line)
        if answer.get("unsupported"):
            raise Unsupported(f"{self._peer}: {answer['error']}")
        if "error" in answer:
            raise PeerFailed(f"{self._peer}: {answer['error']}")
        return answer

    def _ended(self) -> str:
        """Return how the process ended, with the last line that it wrote to stderr."""
        code = self._process.wait()
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return f"{self._peer}: its process ended with code {code}: {lines[-1] if lines else ''}"

    def close(self) -> None:
        """End the process."""
        with self._process, self._said:
            pass


@cache
def connection(peer: str, python: str) -> Connection:
    """Return the one process of *peer* that belongs to this one."""
    return Connection(peer, python)


class Peer:
    """A decider that is another library."""

    seconds: float
    foreseen: list[tuple[float, float, float]]

    def __init__(self, problem: Problem, seed: int, line: Connection) -> None:
        self._frame = problem.frame
        self.foreseen = []
        self._pool = (
            {}
            if problem.pool is None
            else {tuple(self._row(point)): point for point in problem.pool}
        )
        self._line = line
        start = {"do": "start", "question": question(problem, seed)}
        self.seconds = float(self._line.call(start)["seconds"])

    def _row(self, point: Parameters) -> list[float | str]:
        return [
            value if isinstance(value, str) else float(value)
            for value in (point[name] for name in self._frame.names)
        ]

    def tell(self, points: Sequence[Parameters], outcomes: Sequence[Outcome]) -> None:
        rows = [self._row(point) for point in points]
        costs = [
            {
                **outcome,
                **{wanted.name: wanted.cost(outcome[wanted.name]) for wanted in self._frame.wanted},
            }
            for outcome in outcomes
        ]
        answer = self._line.call({"do": "tell", "points": rows, "outcomes": costs})
        self.seconds = float(answer["seconds"])

    def ask(self, count: int = 1) -> list[Parameters]:
        answer = self._line.call({"do": "ask", "count": count})
        self.seconds = float(answer["seconds"])
        rows = answer["points"]
        if self._pool:
            return [self._pool[tuple(row)] for row in rows]
        return [dict(zip(self._frame.names, row, strict=True)) for row in rows]


def question(problem: Problem, seed: int) -> dict[str, Any]:
    """Return *problem* in the words of ``benchmarks.decisions.peers.question``.

    A number's range in a pool is that of the points there are.
    """
    frame = problem.frame
    pool = (
        []
        if problem.pool is None
        else [
            [
                point[name] if isinstance(point[name], str) else float(point[name])
                for name in frame.names
            ]
            for point in problem.pool
        ]
    )
    axes = []
    for place, parameter in enumerate(frame.parameters):
        if isinstance(parameter, Categorical):
            axes.append({"name": parameter.name, "options": list(parameter.options)})
            continue
        column = [row[place] for row in pool] or [parameter.low, parameter.high]
        axes.append(
            {"name": parameter.name, "low": min(column), "high": max(column), "options": []}
        )
    return {
        "seed": seed,
        "axes": axes,
        "outcomes": [wanted.name for wanted in frame.wanted],
        "constraints": list(frame.constraints),
        "reference": list(frame.reference or ()),
        "noisy": frame.kind == "noisy",
        "initial": frame.initial,
        "pool": pool,
    }
