"""Shows how a replay went: equal or the first difference, or two agents side by side."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from controller.benches import ranks_of
from controller.commands.running import free
from controller.files.campaign import Chosen
from controller.outcome.course import Step, course_of
from controller.outcome.progress import display
from controller.outcome.summary import summary_of
from controller.outcome.wording import file_name, measured, point
from controller.recorded.recording import Recording, recording
from controller.replay import Comparison, Redecision, compare, read_agent, redecide, rerun

FOLDER = "replays"
OK, FAILED = 0, 1


def recompute(directory: Path, *, as_json: bool) -> int:
    """Compare every decision of the campaign in *directory* and return the exit code."""
    recorded = recording(directory)
    with redirect_stdout(sys.stderr), _counting(recorded) as watch:
        comparison = compare(recorded, watch)
    if as_json:
        typer.echo(json.dumps(_as_object(comparison, directory)))
    else:
        _tell(comparison)
    return OK if comparison.difference is None else FAILED


@contextmanager
def _counting(recorded: Recording) -> Iterator[Callable[[int], None]]:
    """Show on stderr, if that is a terminal, how many decisions have been recomputed."""
    total = len(recorded.state.suggestions)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("recomputing", total=total)
        yield lambda decisions: progress.update(task, completed=decisions)


def _as_object(comparison: Comparison, directory: Path) -> dict[str, Any]:
    difference = comparison.difference
    return {
        "campaign": comparison.campaign,
        "directory": str(directory),
        "decisions": comparison.decisions,
        "not_recomputable": comparison.once,
        "equal": difference is None,
        "first_difference": None if difference is None else asdict(difference),
        "versions_changed": list(comparison.drift),
    }


def _tell(comparison: Comparison) -> None:
    count = comparison.decisions
    if comparison.difference is None:
        typer.echo(f"{comparison.campaign}: {count} decisions recomputed, all equal bit for bit")
    else:
        typer.echo(f"{comparison.campaign}: {count} decisions equal, then", err=True)
        typer.echo(f"  {comparison.difference}", err=True)
    if comparison.once:
        typer.echo(
            f"{comparison.campaign}: {comparison.once} more can't be recomputed: who made them "
            "isn't bound to decide the same again; they are what the journal says"
        )
    for change in comparison.drift:
        typer.echo(f"  changed: {change}", err=True)


def rerun_under(directory: Path, file: Path, *, as_json: bool) -> int:
    """Run the campaign in *directory* again under the agent of *file*, and show both.

    A live bench can't be had again: there the agent decides on what was measured, and both
    suggestions of each decision are shown.
    """
    chosen = read_agent(file)
    recorded = recording(directory)
    if recorded.resolved.beamline.twin is None:
        return redecide_under(recorded, chosen, as_json=as_json)
    place = free(directory / FOLDER, file_name(chosen.name))
    with redirect_stdout(sys.stderr), display(f"{directory.name} under {chosen.name}") as show:
        again = rerun(recorded, chosen, place, show)
    if as_json:
        typer.echo(json.dumps(_both(recorded, again)))
    else:
        _side_by_side(recorded, again)
    return OK


LIVE = (
    "This campaign ran on a live beamline, which can't be had again: what the other agent's "
    "suggestions would have given is unknown. It was told what was measured where it was measured."
)


def redecide_under(recorded: Recording, chosen: Chosen, *, as_json: bool) -> int:
    """Show what the agent *chosen* would have suggested at each decision of a live campaign."""
    with redirect_stdout(sys.stderr), _counting(recorded) as watch:
        decisions = redecide(recorded, chosen, watch)
    objective = recorded.words.objectives[0]
    if as_json:
        rows = [_redecision_as_object(decision, objective.name) for decision in decisions]
        heading = {"campaign": recorded.resolved.campaign.name, "agent": chosen.name}
        typer.echo(json.dumps({**heading, "counterfactual": False, "decisions": rows}))
        return OK
    typer.echo(LIVE, err=True)
    unit = f" / {objective.unit}" if objective.unit else ""
    columns = ("decision", "done", f"{objective.name} measured{unit}", "instead", "expected there")
    table = Table(*columns, "distance", title=f"decided again by {chosen.name}")
    for decision in decisions:
        table.add_row(*_redecision_cells(decision, objective.name))
    Console(highlight=False).print(table)
    return OK


def _redecision_as_object(decision: Redecision, objective: str) -> dict[str, Any]:
    instead = decision.instead
    expected = None if instead is None else instead.predictions.get(objective)
    found = decision.measured.get(objective)
    return {
        "decision": decision.decision,
        "done": dict(decision.done.parameters),
        "measured": None if found is None else asdict(found),
        "instead": None if instead is None else dict(instead.parameters),
        "expected_instead": None if expected is None else asdict(expected),
        "distance": decision.distance,
    }


def _redecision_cells(decision: Redecision, objective: str) -> list[str]:
    instead, found = decision.instead, decision.measured.get(objective)
    expected = None if instead is None else instead.predictions.get(objective)
    return [
        str(decision.decision),
        point(decision.done.parameters),
        "–" if found is None else measured(found, ""),
        "nothing" if instead is None else point(instead.parameters),
        "–" if expected is None else f"{expected.mean:.4g} ± {expected.epistemic:.2g}",
        "–" if decision.distance is None else f"{decision.distance:.3f}",
    ]


def _both(recorded: Recording, again: Recording) -> dict[str, Any]:
    return {
        "campaign": recorded.resolved.campaign.name,
        "recorded": _one(recorded),
        "replayed": _one(again),
    }


def _one(recording_: Recording) -> dict[str, Any]:
    state, campaign = recording_.state, recording_.resolved.campaign
    ranks = ranks_of(recording_.words, state)
    return {
        "agent": campaign.agent.name,
        **summary_of(state, campaign.name, str(recording_.directory), ranks),
        "best_so_far": [None if s.best is None else s.best.mean for s in course_of(state)],
    }


def _side_by_side(recorded: Recording, again: Recording) -> None:
    one, other = _one(recorded), _one(again)
    console = Console(highlight=False)
    table = Table("", f"recorded: {one['agent']}", f"replayed: {other['agent']}")
    rows = ["experiments", "stopped_because", "experiments_to_goal", "best_rank"]
    for row in rows:
        if row in one:
            table.add_row(row.replace("_", " "), _shown(one[row]), _shown(other[row]))
    table.add_row("best at", *(_place(summary) for summary in (one, other)))
    table.add_row("directory", one["directory"], other["directory"])
    console.print(table)
    console.print(_course(recorded, again))


def _shown(value: Any) -> str:
    return "–" if value is None else str(value)


def _place(summary: dict[str, Any]) -> str:
    return "–" if summary["best"] is None else point(summary["best"]["parameters"])


def _course(recorded: Recording, again: Recording) -> Table:
    objective = recorded.words.objectives[0]
    courses = [course_of(recording_.state) for recording_ in (recorded, again)]
    table = Table("experiment", "recorded", "replayed", title=f"best {objective.name} so far")
    for number in range(max(map(len, courses))):
        cells = [_best(course, number, objective.unit) for course in courses]
        table.add_row(str(number + 1), *cells)
    return table


def _best(course: Sequence[Step], number: int, unit: str) -> str:
    if number >= len(course):
        return ""
    best = course[number].best
    return "–" if best is None else measured(best, unit)
