"""Runs a campaign, or goes on with one, and tells how it went."""

import json
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import typer

from agents.catalogue import read_options
from agents.protocols import Suggestion
from controller.actions import next_action
from controller.approval import Approver
from controller.benches import Words, installed, words_of
from controller.checks.checking import load
from controller.commands.preparing import prepare
from controller.errors import ConfigurationError
from controller.files.campaign import Budget
from controller.history import resolved_of
from controller.interrupts import heeded
from controller.journal import read
from controller.notify.asking import asker
from controller.notify.channels import require_channels
from controller.notify.following import told_beside
from controller.outcome.idle import idle_of
from controller.outcome.progress import Display, display
from controller.outcome.summary import Ranks, summary_of
from controller.outcome.wording import duration, file_name, measured, point, with_sigma
from controller.resolving import ResolvedCampaign, Wishes, recorded_campaign
from controller.state import CampaignState, best_observation
from controller.terms import Stop
from controller.threads import one_thread
from controller.versions import versions
from controller.wiring import Session, open_session, resume_session
from controller.wishes import wished

RUNS = Path("runs")
EXPERIMENTS = 50
"""How many experiments on a recorded table without a campaign file, if it has as many points."""
AILING = tuple(
    stop.value
    for stop in (
        Stop.FAILURES,
        Stop.UNDECIDED,
        Stop.LOST,
        Stop.UNFIT,
        Stop.UPKEEP,
        Stop.TRIPPED,
        Stop.HELD,
    )
)
"""Ends that somebody must look at."""
OK, FAILED, INTERRUPTED = 0, 1, 130


@dataclass(frozen=True, slots=True)
class Ending:
    """What happens when the campaign is over."""

    json: bool
    report: bool


def wanted(file: Path | None, recorded: Path | None, wishes: Wishes) -> ResolvedCampaign:
    """Return the campaign that is asked for; ConfigurationError with every problem of it."""
    if (file is None) == (recorded is None):
        raise ConfigurationError("run: give either a campaign file or --recorded with a folder")
    if wishes.agent is not None:
        read_options(wishes.agent, {})
    if file is not None:
        return wished(load(file, installed()), wishes)
    return _on_table(recorded or Path(), wishes)


def _on_table(folder: Path, wishes: Wishes) -> ResolvedCampaign:
    resolved = recorded_campaign(folder, wishes.agent or "bayesian", wishes.seed or 0)
    table = words_of(resolved).table
    most = EXPERIMENTS if table is None else min(EXPERIMENTS, len(table.pool))
    budget = Budget(experiments=wishes.experiments or most)
    campaign = resolved.campaign.model_copy(update={"budget": budget})
    return resolved.model_copy(update={"campaign": campaign})


def new_directory(parent: Path, name: str) -> Path:
    """Return a directory in *parent* that isn't there yet: *name*, the time, a number if taken."""
    stem = f"{file_name(name)}-{datetime.now():%Y%m%d-%H%M%S}"
    return free(parent, stem)


def free(parent: Path, stem: str) -> Path:
    """Return ``parent/stem``, or with the first number behind it that isn't taken."""
    directory, count = parent / stem, 1
    while directory.exists():
        count += 1
        directory = parent / f"{stem}-{count}"
    return directory


def run(resolved: ResolvedCampaign, data: Path | None, ending: Ending) -> int:
    """Run the campaign *resolved* in the directory *data* and return the exit code."""
    directory = new_directory(RUNS, resolved.campaign.name) if data is None else data
    began = time.monotonic()
    require_channels(resolved.campaign.notify)
    prepare(resolved.campaign, partial(typer.echo, err=True))
    with (
        _watching(resolved.campaign.name, directory) as show,
        open_session(resolved, directory, show, _asker(resolved, directory, show)) as session,
    ):
        one_thread()
        for remark in remarks_of(session.words):
            typer.echo(remark, err=True)
        _run(session, show)
        outcome = _outcome(Ended.of(session), began)
    return _end(outcome, directory, ending)


def remarks_of(words: Words) -> list[str]:
    """Return what a recorded table says of itself in prose; nothing for any other bench."""
    table = words.table
    return [] if table is None else [f"table {table.name}: {said}" for said in table.remarks]


def resume(directory: Path, ending: Ending) -> int:
    """Go on with the campaign in *directory* and return the exit code."""
    began = time.monotonic()
    with (
        _watching(directory.name, directory) as show,
        resume_session(directory, show, _asker_again(directory, show)) as session,
    ):
        one_thread()
        over = next_action(session.loop.state) is None
        _run(session, show)
        outcome = _outcome(Ended.of(session), began)
    if over:
        typer.echo(f"{directory}: over already; nothing was run", err=True)
    return _end(outcome, directory, ending)


def _asker(resolved: ResolvedCampaign, directory: Path, show: Display) -> Approver | None:
    return asker(resolved.campaign, directory, approver(show), show.note)


def _asker_again(directory: Path, show: Display) -> Approver | None:
    return _asker(resolved_of(read(directory), directory), directory, show)


def _run(session: Session, show: Display) -> None:
    """Run the campaign of *session*, whom it is to tell being told beside it."""
    notify = session.resolved.campaign.notify
    with told_beside(session.directory.resolve(), notify, show.note):
        session.loop.run()


@contextmanager
def _watching(name: str, directory: Path) -> Iterator[Display]:
    """Show progress; stdout is kept clean, and an interrupt says how to go on."""
    try:
        with redirect_stdout(sys.stderr), heeded(), display(name) as show:
            yield show
    except (KeyboardInterrupt, typer.Abort) as interrupt:
        typer.echo(
            f"interrupted; nothing is lost. Go on with: heliostat resume {directory}", err=True
        )
        raise typer.Exit(INTERRUPTED) from interrupt


def approver(show: Display) -> Approver | None:
    """Return who asks in the terminal; None where there is none."""
    if not sys.stdin.isatty():
        return None

    def ask(suggestion: Suggestion) -> bool:
        with show.paused():
            typer.echo(_asked(suggestion), err=True)
            return _confirmed("Run it?")

    return ask


def _confirmed(question: str) -> bool:
    """Return a person's yes or no; the end of the input is an interrupt.

    Stdin is read once there is a line in it: a process can't end while a thread waits inside it.
    """
    while True:
        typer.echo(f"{question} [y/N]: ", nl=False, err=True)
        select.select([sys.stdin], [], [])
        line = sys.stdin.readline()
        if not line:
            raise KeyboardInterrupt
        match line.strip().lower():
            case "y" | "yes":
                return True
            case "n" | "no" | "":
                return False
        typer.echo("Answer y or n.", err=True)


def _asked(suggestion: Suggestion) -> str:
    predictions = "".join(
        f"\n  expected: {name} {with_sigma(p.mean, p.epistemic)}"
        for name, p in suggestion.predictions.items()
    )
    note = f"\n  {suggestion.note}" if suggestion.note else ""
    return (
        f"{suggestion.agent} suggests: {point(suggestion.parameters)}{predictions}{note}\n"
        "  pre-check: allowed (space, plan, limits in force, time)"
    )


@dataclass(frozen=True, slots=True)
class Ended:
    """A campaign that has ended, wherever it ran."""

    state: CampaignState
    name: str
    directory: Path
    ranks: Ranks | None

    @classmethod
    def of(cls, session: Session) -> "Ended":
        """Return that of a *session* in this process."""
        name = session.resolved.campaign.name
        return cls(session.loop.state, name, session.directory, session.ranks())


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a campaign came to: for programs, for people, and whether somebody must look at it."""

    summary: dict[str, Any]
    account: str
    ill: bool


def finish(ended: Ended, began: float, ending: Ending) -> int:
    """Tell how the campaign *ended* that this process has been at since *began* (monotonic s)."""
    return _end(_outcome(ended, began), ended.directory, ending)


def _outcome(ended: Ended, began: float) -> Outcome:
    state = ended.state
    idle = idle_of(read(ended.directory))
    found = summary_of(state, ended.name, str(ended.directory), ended.ranks, idle)
    summary = in_order(found, round(time.monotonic() - began, 3))
    ill = state.stop_reason in AILING or bool(state.final_failure)
    account = [*_account(ended, summary)]
    if idle.fraction is not None:
        account.append(f"bench idle while the next experiment was decided: {idle}")
    return Outcome(summary, "\n".join(account), ill)


def in_order(summary: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Return *summary* with wall *seconds* and versions, its keys in the documented order."""
    before = ("campaign", "directory", "experiments", "best", "goal_reached", "experiments_to_goal")
    after = ("virtual_seconds", "bench_idle_fraction", "stopped_because", "trips", "halted", "seed")
    ranked = {key: value for key, value in summary.items() if key not in (*before, *after)}
    return {
        **{key: summary[key] for key in before},
        "seconds": seconds,
        **{key: summary[key] for key in after},
        "versions": versions(),
        **ranked,
    }


def _account(ended: Ended, summary: dict[str, Any]) -> Iterator[str]:
    state = ended.state
    yield (
        f"{summary['campaign']}: {summary['experiments']} experiments in "
        f"{duration(summary['virtual_seconds'])} of campaign time, "
        f"{duration(summary['seconds'])} of yours; stopped: {summary['stopped_because']}"
    )
    if state.halted is not None:
        what = "tripped" if state.halted.latched else "held"
        yield f"{what}: {state.halted.reason}"
    best = best_observation(state)
    if best is None:
        yield "best: none, no experiment gave a usable value"
    else:
        objective = state.terms.objectives[0]
        value = measured(best.values[objective.name], objective.unit)
        yield f"best: {objective.name} {value} at {point(best.parameters)}"
    if state.terms.target is not None:
        count = summary["experiments_to_goal"]
        yield "goal: not reached" if count is None else f"goal: reached after {count} experiments"
    if state.final_failure:
        yield (
            f"final plan: FAILED ({state.final_failure}); the bench may not be safe: look at it, "
            f"then `heliostat resume {ended.directory}` runs the plan again"
        )
    if summary.get("best_rank") is not None:
        yield f"rank: {summary['best_rank']} of {summary['pool_size']} recorded points"


def _end(outcome: Outcome, directory: Path, ending: Ending) -> int:
    typer.echo(json.dumps(outcome.summary) if ending.json else outcome.account)
    if ending.report:
        from controller.reporting.page import build_report

        typer.echo(f"report: {build_report(directory)}", err=ending.json)
    return FAILED if outcome.ill else OK
