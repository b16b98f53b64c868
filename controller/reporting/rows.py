"""The table of decisions: each suggestion, why it was made, and what came of it."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from agents.grounds import Grounds
from agents.operator import is_of_a_person
from agents.portfolio import chooser_of
from agents.protocols import Measured, Prediction, Suggestion
from controller.outcome.listing import joined
from controller.outcome.wording import duration, measured, number, point, with_sigma
from controller.reporting.story import Decision, Story, ordered
from controller.state import best_observation

Explain = Callable[[Suggestion], str]


@dataclass(frozen=True, slots=True)
class Row:
    """One decision as it stands in the table; ``details`` are pairs of heading and text."""

    number: int
    when: str
    point: str
    chosen_by: str
    expected: str
    measured: str
    missed_by: str
    outcome: str
    best: bool
    details: tuple[tuple[str, str], ...]
    alternatives: tuple[tuple[str, str, str], ...]
    """Point, expectation and acquisition of each point that was not taken."""


def rows_of(story: Story) -> list[Row]:
    """Return every decision of *story* in order."""
    explain = story.recording.explain()
    best = best_observation(story.state)
    name = None if best is None else best.experiment
    return [_row(decision, story, explain, name) for decision in story.decisions]


def _row(decision: Decision, story: Story, explain: Explain, best: str | None) -> Row:
    objective = story.state.terms.objectives[0]
    observation = decision.observation
    value = None if observation is None else observation.values.get(objective.name)
    expected = decision.expected(objective.name)
    return Row(
        number=decision.number,
        when=duration(decision.made - story.state.started),
        point=point(ordered(decision.suggestion.parameters, story)),
        chosen_by=_chosen_by(decision.suggestion),
        expected=_expected(expected),
        measured="" if value is None else measured(value),
        missed_by=_missed(expected, value),
        outcome=decision.outcome,
        best=bool(decision.experiment) and decision.experiment == best,
        details=tuple(_details(decision, explain)),
        alternatives=tuple(
            (
                point(ordered(other.parameters, story)),
                _expected(other.predictions.get(objective.name)),
                "" if other.acquisition is None else number(other.acquisition),
            )
            for other in decision.suggestion.alternatives
        ),
    )


def _chosen_by(suggestion: Suggestion) -> str:
    """Return who chose, in the fewest words: a person, a member of a portfolio, else the model."""
    if is_of_a_person(suggestion):
        return suggestion.agent
    member = chooser_of(suggestion.agent)
    return f"{member}: {suggestion.model}" if member else suggestion.model


def _expected(prediction: Prediction | None) -> str:
    """Return what one experiment was expected to give: mean ± both parts of the sigma."""
    if prediction is None:
        return ""
    return with_sigma(prediction.mean, math.hypot(prediction.epistemic, prediction.aleatoric))


def _missed(expected: Prediction | None, value: Measured | None) -> str:
    """Return by how many sigma of the prediction *value* missed it."""
    if expected is None or value is None:
        return ""
    sigma = math.hypot(expected.epistemic, expected.aleatoric)
    return f"{(value.mean - expected.mean) / sigma:+.1f} σ" if sigma > 0 else ""


def _judged(decision: Decision) -> Iterator[tuple[str, str]]:
    if decision.refused:
        yield "refused", "; ".join(decision.refused)
    if decision.verdict is not None:
        yield "plan run dry", str(decision.verdict)


def _grounds(grounds: Grounds) -> Iterator[tuple[str, str]]:
    if grounds.alarm:
        yield "alarm", grounds.alarm
    if grounds.expected_gain is not None:
        yield "expected gain", number(grounds.expected_gain)
    if grounds.regret_bound is not None:
        yield "missed at most", number(grounds.regret_bound)
    if grounds.margins:
        yield "margins", ", ".join(f"{name} {m:+.2g} σ" for name, m in grounds.margins.items())
    if grounds.sensitivity:
        shares = grounds.sensitivity.items()
        yield "varies with", ", ".join(f"{name} {share:.0%}" for name, share in shares)
    if grounds.influences:
        shares = grounds.influences.items()
        yield "leans on", ", ".join(f"{name[:8]} ({share:+.0%})" for name, share in shares)
    if (seen := grounds.calibration) is not None:
        yield (
            "came true",
            f"{seen.coverage:.0%} of {seen.points} outcomes in their 90 % intervals "
            f"({seen.lowest:.0%} to {seen.highest:.0%}), sigmas × {seen.scale:.2f}",
        )


def _details(decision: Decision, explain: Explain) -> Iterator[tuple[str, str]]:
    suggestion, observation = decision.suggestion, decision.observation
    yield "why", explain(suggestion)
    if suggestion.acquisition is not None:
        yield "acquisition", number(suggestion.acquisition)
    if suggestion.grounds is not None:
        yield from _grounds(suggestion.grounds)
    yield from _judged(decision)
    if observation is not None:
        if observation.quality.reasons and not decision.refused:
            yield "quality", "; ".join(observation.quality.reasons)
        if len(observation.values) > 1:
            values = observation.values.items()
            yield "values", joined(f"{name} {measured(value)}" for name, value in values)
        scores = observation.quality.scores.items()
        if scores:
            yield "scores", ", ".join(f"{name} {number(score)}" for name, score in scores)
        if observation.runs:
            yield "runs", ", ".join(observation.runs)
    if suggestion.fit:
        yield "fit", ", ".join(f"{name} {number(v)}" for name, v in suggestion.fit.items())
    yield "suggestion", suggestion.id
    if decision.experiment:
        attempts = f" (attempt {decision.attempts})" if decision.attempts > 1 else ""
        yield "experiment", decision.experiment + attempts
