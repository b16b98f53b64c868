"""Tells why a campaign tried what it did: any decision of its journal."""

import json
import shutil
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import typer

from agents.digest import plain
from controller.errors import ConfigurationError
from controller.outcome.listing import joined
from controller.outcome.wording import measured, point
from controller.recorded.recording import Recording, recording
from controller.reporting.story import Decision, decisions_of

WIDEST = 100
SHORTEST = 4
"""An id is known by so many of its characters; fewer may be meant as a number."""


def explain(directory: Path, which: str | None, *, as_json: bool) -> int:
    """Print why the decision *which* of the campaign in *directory* was made: 0, or an error.

    By its number (from 1), the id of its suggestion or experiment or how that begins; the last
    one without.
    """
    recorded = recording(directory)
    decisions = decisions_of(recorded.records)
    decision = _found(decisions, which, directory)
    why = recorded.explain()(decision.suggestion)
    if as_json:
        typer.echo(json.dumps(_as_object(decision, why), ensure_ascii=False))
        return 0
    width = min(shutil.get_terminal_size().columns, WIDEST)
    for line in _lines(decision, len(decisions), why, recorded):
        typer.echo(textwrap.fill(line, width, break_long_words=False, break_on_hyphens=False))
    return 0


def _found(decisions: Sequence[Decision], which: str | None, directory: Path) -> Decision:
    if not decisions:
        raise ConfigurationError(f"{directory}: nothing was decided yet")
    if which is None:
        return decisions[-1]
    if which.isdecimal() and 1 <= int(which) <= len(decisions):
        return decisions[int(which) - 1]
    found = [one for one in decisions if _is_called(one, which)]
    if len(found) == 1:
        return found[0]
    what = "is more than one decision" if found else "is no decision"
    raise ConfigurationError(
        f"{directory}: {which!r} {what}; accepted: a number from 1 to {len(decisions)}, or the id "
        "of a suggestion or an experiment (its beginning will do)"
    )


def _is_called(decision: Decision, which: str) -> bool:
    names = filter(None, (decision.suggestion.id, decision.experiment))
    return len(which) >= SHORTEST and any(name.startswith(which) for name in names)


def _lines(decision: Decision, count: int, why: str, recorded: Recording) -> Iterator[str]:
    suggestion = decision.suggestion
    yield (
        f"decision {decision.number} of {count}, by {suggestion.agent} ({suggestion.model}): "
        f"{point(suggestion.parameters)}"
    )
    yield why
    if decision.refused:
        yield f"It was refused: {'; '.join(decision.refused)}."
    elif decision.observation is None:
        yield "Nothing is known of its outcome yet."
    else:
        yield from _came_of_it(decision, recorded)


def _came_of_it(decision: Decision, recorded: Recording) -> Iterator[str]:
    observation = decision.observation
    if observation is None:
        return
    units = {objective.name: objective.unit for objective in recorded.words.objectives}
    values = joined(
        f"{name} {measured(value, units.get(name, ''))}"
        for name, value in observation.values.items()
    )
    reasons = "; ".join(observation.quality.reasons)
    yield f"Experiment {decision.experiment[:8]} ({decision.outcome}): " + (
        "; ".join(filter(None, (values, reasons))) or "no value"
    )


def _as_object(decision: Decision, why: str) -> dict[str, Any]:
    return {
        "decision": decision.number,
        "explanation": why,
        "suggestion": plain(decision.suggestion),
        "outcome": decision.outcome,
        "refused": list(decision.refused),
        "experiment": decision.experiment,
        "observation": None if decision.observation is None else plain(decision.observation),
    }
