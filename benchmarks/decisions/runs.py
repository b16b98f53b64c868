"""Many runs: in parallel processes, one JSON line each, never one that is on file already."""

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from pathlib import Path

from benchmarks.decisions.deciders import Named, Unsupported, decider_for
from benchmarks.decisions.problem import Problem
from benchmarks.decisions.recorded import folders, from_csv, from_folder
from benchmarks.decisions.synthetic import SYNTHETIC
from benchmarks.decisions.trial import Run, read_run, run

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Source:
    """Where a problem comes from: a formula, a folder of a table, or any CSV file."""

    name: str
    folder: str = ""
    table: str = ""
    outcome: str = ""
    goal: str = ""
    ignore: tuple[str, ...] = ()


@cache
def problem_of(source: Source) -> Problem:
    """Return the problem; ValueError or TableError where its table can't be used."""
    if source.folder:
        return from_folder(Path(source.folder))
    if source.table:
        return from_csv(Path(source.table), source.outcome, source.goal, source.ignore)
    return SYNTHETIC[source.name]()


def sources(data: Path) -> dict[str, Source]:
    """Return every problem that is known: the formulas, then the tables under *data*."""
    known = {name: Source(name) for name in SYNTHETIC}
    return known | {name: Source(name, folder=str(at)) for name, at in folders(data).items()}


@dataclass(frozen=True)
class Task:
    """One run to make."""

    named: Named
    source: Source
    seed: int


def on_file(file: Path) -> list[Run]:
    """Return the runs written in *file*; none where there is no file."""
    if not file.exists():
        return []
    lines = file.read_text(encoding="utf-8").splitlines()
    return [read_run(json.loads(line)) for line in lines if line.strip()]


def make(tasks: Iterable[Task], file: Path, jobs: int) -> list[str]:
    """Make those of *tasks* that *file* doesn't hold, and add each to it as soon as it is made.

    Returns what failed, one sentence each; the others are made all the same.
    """
    done = {(run.agent, run.problem, run.seed) for run in on_file(file)}
    left = [task for task in tasks if (task.named.label, task.source.name, task.seed) not in done]
    file.parent.mkdir(parents=True, exist_ok=True)
    os.environ.update(dict.fromkeys(THREADS, "1"))
    failures = []
    for made, (task, result) in enumerate(_results(left, jobs), 1):
        who = f"[{made}/{len(left)}] {task.named.label} {task.source.name} {task.seed}"
        if isinstance(result, Run):
            with file.open("a", encoding="utf-8") as lines:
                lines.write(json.dumps(result.line()) + "\n")
            cost = result.ask_tell_cpu_median
            said = f"{who}: {result.curve[-1]} ({cost:.2f} CPU s a decision)"
        else:
            said = f"{who}: {type(result).__name__}: {result}"
            if not isinstance(result, Unsupported):
                failures.append(said)
        print(said, file=sys.stderr, flush=True)
    return failures


def _results(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, Run | BaseException]]:
    """Yield each task with its run, or with what prevented it: one job is done in this process."""
    if jobs == 1:
        for task in tasks:
            try:
                yield task, one(task)
            except Exception as error:  # one library's failure must not end a night's runs
                yield task, error
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        coming = {pool.submit(one, task): task for task in tasks}
        for future in as_completed(coming):
            yield coming[future], future.exception() or future.result()


def one(task: Task) -> Run:
    """Make one run, in the process it is called in."""
    problem = problem_of(task.source)
    decider = decider_for(task.named, problem, task.seed)
    return run(task.named.label, problem, decider, task.seed)


def solved(runs: Sequence[Run], problem: Problem) -> dict[tuple[str, int], int]:
    """Return the experiments to the target by agent and seed; budget + 1 for never.

    Initial points aren't counted: 0 where they solve it already.
    """
    frame = problem.frame
    never = frame.budget - frame.initial + 1
    found = {}
    for entry in runs:
        if entry.problem == frame.name:
            after = frame.solved_after(entry.visited or entry.curve)
            found[entry.agent, entry.seed] = never if after is None else after
    return found
