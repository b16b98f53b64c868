"""How long the bench waits for decisions: the share of its time, with and without foreseeing.

    python -m benchmarks.deciding [--quick] [--known 20 40 60] [--seconds 2 5 20]

The copper campaign's agent and reducer in a real worker process, the real loop, journal and bus;
the bench alone is a stand-in that takes so many seconds and leaves a recorded spectrum. Idle time
is what the journal says: from the end of an experiment to the beginning of the next one
(reducing, asking, clearing). Medians over the gaps, with quartiles.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from agents.protocols import Measured, Observation, Suggestion
from agents.space import Space
from benchmarks.spread import quartiles
from controller.beginning import started
from controller.benches import installed, words_of
from controller.bus.delivery import Caller
from controller.bus.messages import Begin, Reduce
from controller.checks.checking import load
from controller.clock import RealClock
from controller.documents import DocumentWriter, read_run
from controller.events import (
    ExperimentFinished,
    ExperimentStarted,
    ObservationMade,
    ObservationTold,
    SuggestionMade,
)
from controller.files.campaign import Budget
from controller.history import fold
from controller.journal import Journal, Record, read
from controller.loop import Loop
from controller.outcome.idle import idle_of
from controller.parts import Parts, Ran, nothing_foreseen
from controller.processes.launch import Launch
from controller.remote.agent import Decider, RemoteAgent
from controller.remote.reducer import RemoteReducer
from controller.resolving import ResolvedCampaign
from controller.terms import terms_of
from controller.wiring import open_session
from instruments.effects import Effect
from models.values import Documents

ROOT = Path(__file__).parents[1]
FILE = ROOT / "config/campaigns/copper_oxidation.yaml"
EXPERIMENTS = {2.0: 12, 5.0: 8, 20.0: 5}
WARM_S = 600.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--known", type=int, nargs="+", default=[20, 40, 60])
    parser.add_argument("--seconds", type=float, nargs="+", default=[2.0, 5.0, 20.0])
    wanted = parser.parse_args()
    known, seconds = ([20], [2.0, 5.0]) if wanted.quick else (wanted.known, wanted.seconds)
    with tempfile.TemporaryDirectory() as folder:
        spectrum = recorded_spectrum(Path(folder) / "spectrum")
    print("experiment  knows  foresees    idle % (quartiles)     reduce     ask    rest ms   ahead")
    for many in known:
        for duration in seconds:
            for foresees in (False, True):
                print(measured(Case(many, duration, foresees), spectrum), flush=True)


@dataclass(frozen=True)
class Case:
    """So many observations known at first, experiments of *duration* (s), foreseeing or not."""

    known: int
    duration: float
    foresees: bool


def recorded_spectrum(directory: Path) -> Documents:
    """Return the documents of one experiment of the copper campaign, run inline."""
    with open_session(campaign(1), directory, lambda _r, _s: None) as session:
        session.loop.run()
    (run,) = session.loop.state.observations[0].runs[-1:]
    return read_run(directory, run)


def campaign(experiments: int) -> ResolvedCampaign:
    """Return the copper campaign with so many experiments, whatever they find."""
    resolved = load(FILE, installed())
    changes: dict[str, Any] = {"budget": Budget(experiments=experiments), "goal": None}
    changes["finally_"] = None
    return resolved.model_copy(update={"campaign": resolved.campaign.model_copy(update=changes)})


def measured(case: Case, spectrum: Documents) -> str:
    """Return the line of the table for *case*."""
    with tempfile.TemporaryDirectory(prefix="hd") as folder:
        directory = Path(folder) / "c"
        run(case, spectrum, directory, Path(folder))
        records = read(directory)
    shares, parts = gaps_of(records)
    low, middle, high = (100 * share for share in quartiles(shares))
    reduce_, ask, rest = (1e3 * quartiles(part)[1] for part in zip(*parts, strict=True))
    made = [r.event.suggestion for r in records if isinstance(r.event, SuggestionMade)]
    idle = idle_of(records).fraction or 0.0
    return (
        f"{case.duration:8g} s  {case.known:5d}  {'yes' if case.foresees else 'no ':>8}  "
        f"{middle:6.2f} ({low:.2f}, {high:.2f}), all {100 * idle:.2f}  {reduce_:6.0f}  {ask:6.0f}  "
        f"{rest:6.0f}    {sum(bool(s.pending) for s in made)} of {len(made) - 1}"
    )


def gaps_of(records: Sequence[Record]) -> tuple[list[float], list[tuple[float, float, float]]]:
    """Return for each gap its share of the time, and seconds of reducing, asking and the rest."""
    shares, parts = [], []
    at: dict[type, float] = {}
    for record in records:
        event, stamp = record.event, record.stamp
        if isinstance(event, ExperimentStarted) and ExperimentFinished in at:
            ended, told, chosen = (
                at[kind] for kind in (ExperimentFinished, ObservationMade, SuggestionMade)
            )
            gap, ran = stamp - ended, ended - at[ExperimentStarted]
            shares.append(gap / (gap + ran))
            parts.append((told - ended, chosen - told, stamp - chosen))
        at[type(event)] = stamp
    return shares, parts


def run(case: Case, spectrum: Documents, directory: Path, runtime: Path) -> None:
    """Run a campaign of *case* with a worker process of its own."""
    resolved = campaign(EXPERIMENTS.get(case.duration, 6))
    words = words_of(resolved)
    with ExitStack() as stack:
        clock = RealClock()
        stack.callback(clock.loop.close)
        journal = stack.enter_context(closing(Journal.open(directory_of(directory))))
        records = [journal.append(clock.now(), started(resolved, words.space, clock.now()))]
        for observation in made_up(words.space, case.known):
            event = ObservationTold(observation=observation, person="benchmark", reason="made up")
            records.append(journal.append(clock.now(), event))
        launch = Launch(directory=directory, runtime=runtime, supervisor=os.getpid())
        caller = stack.enter_context(worker(launch))
        agent = RemoteAgent(caller, Decider("bayesian", words.space, 1), _never)
        bench = Standing(case.duration, spectrum, DocumentWriter(directory), directory)
        warm = bench.experiment(Suggestion({}, "", "", 0, 0), "warm", 1).runs[0]
        caller.call(Reduce(run=warm), WARM_S)
        parts = Parts(
            clock=clock,
            journal=journal,
            agent=agent,
            reducer=RemoteReducer(caller, "xanes", _never),
            bench=bench,
            clearance=Cleared(words.space),
            foresee=agent.foresee if case.foresees else nothing_foreseen,
        )
        state = fold(records, terms_of(resolved.campaign, words.objectives))
        Loop(parts, state, lambda _r, _s: None).run()


def directory_of(directory: Path) -> Path:
    directory.mkdir(parents=True)
    return directory


def made_up(space: Space, count: int) -> Iterator[Observation]:
    """Yield observations of a smooth hill in *space*, with noise of a fixed seed."""
    noise = np.random.default_rng(0)
    points = space.sample(count, seed=1)
    for number, (point, place) in enumerate(zip(points, space.encode(points), strict=True)):
        value = float(np.exp(-np.square(place - 0.6).sum() / 0.2) + 0.02 * noise.normal())
        values = {name: Measured(value, 0.02) for name in ("cu0", "cu1", "cu2")}
        yield Observation(f"made-up-{number}", point, values)


@contextmanager
def worker(launch: Launch) -> Iterator[Caller]:
    """Yield the line to a worker process that has begun, and has rehearsed what it can."""
    command = [sys.executable, "-m", "controller.processes", "worker", str(launch.write())]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    caller = Caller(launch.address("worker"), "benchmark")
    try:
        caller.call(Begin(observations=()), WARM_S)
        yield caller
    finally:
        caller.close()
        process.kill()
        process.wait()


def _never(reason: str) -> None:
    raise RuntimeError(f"the worker had to be restarted: {reason}")


@dataclass
class Standing:
    """A bench that takes *duration* seconds and leaves *spectrum*, under uids of its own."""

    duration: float
    spectrum: Documents
    writer: DocumentWriter
    directory: Path
    plan: str = "stand_still"
    effect: Effect = Effect.REPEATABLE

    def applied(self, suggestion: Suggestion) -> Mapping[str, Any]:
        return suggestion.parameters

    def experiment(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> Ran:
        begun = time.monotonic()
        number = self.writer.next_scan_id()
        for name, document in renamed(self.spectrum, number):
            if name == "stop":  # what a plan leaves is on disk when it ends
                time.sleep(max(0.0, begun + self.duration - time.monotonic()))
            self.writer(name, document)
        return Ran((f"{number:08d}-run",), True, "", {})

    def documents(self, run: str) -> Documents:
        return read_run(self.directory, run)

    def ready(self, suggestion: Any = None, upkeep: str = "") -> None:
        return None

    def await_release(self, halting: Any, patience_s: float) -> None:
        raise NotImplementedError

    def await_conditions(self, patience_s: float = 0.0) -> bool:
        return True

    def final(self, number: int) -> Ran:
        raise NotImplementedError

    def recover(self, suggestion: Suggestion, experiment_id: str, attempt: int) -> Ran | None:
        raise NotImplementedError

    def upkeep(self, name: str, number: int) -> Ran:
        raise NotImplementedError


def renamed(documents: Documents, number: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield copies of *documents* as those of run *number*."""
    run, streams = f"{number:08d}-run", {}
    for name, document in documents:
        copy = dict(document)
        if name == "start":
            copy |= {"uid": run, "scan_id": number}
        elif name == "descriptor":
            streams[copy["uid"]] = f"{number:08d}-{copy['uid']}"
            copy |= {"uid": streams[copy["uid"]], "run_start": run}
        elif name == "stop":
            copy["run_start"] = run
        elif "descriptor" in copy:
            copy["descriptor"] = streams[copy["descriptor"]]
        yield name, copy


@dataclass(frozen=True)
class Cleared:
    """Lets pass what is of the space."""

    space: Space

    def refuses(self, suggestion: Suggestion) -> tuple[str, ...]:
        return self.space.check(suggestion.parameters)

    def verdict(self, suggestion: Suggestion) -> None:
        return None

    def in_time(self, suggestion: Suggestion, now: float) -> bool:
        return True


if __name__ == "__main__":
    main()
