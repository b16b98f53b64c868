"""The account of a campaign in words: what was asked, found, how sure, and why it stopped."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import NormalDist

from agents.fallback import MODEL as WITHOUT_WORKER
from agents.protocols import Goal, Objective, Observation, Prediction
from agents.space import Categorical, Continuous, Discrete, Integer
from controller.outcome.idle import idle_of
from controller.outcome.listing import joined
from controller.outcome.summary import experiments_to_goal
from controller.outcome.wording import (
    duration,
    measured,
    number,
    short_unit,
    value_text,
    with_sigma,
)
from controller.reporting.calibration import checks_of, coverage
from controller.reporting.story import Story, with_units
from controller.state import best_observation


@dataclass(frozen=True, slots=True)
class Account:
    """Headline, paragraphs (each with its heading) and the facts that identify the campaign."""

    headline: str
    paragraphs: tuple[tuple[str, str], ...]
    facts: tuple[tuple[str, str], ...]


def account_of(story: Story, belief: Prediction | None) -> Account:
    """Return the account; *belief* is what the model expects where the best was measured."""
    best = best_observation(story.state)
    paragraphs = (
        ("Asked", _asked(story)),
        ("Found", _found(story, best)),
        ("How sure", " ".join(_how_sure(story, best, belief))),
        ("Why it stopped", _stopped(story)),
        ("What went wrong", " ".join(_wrong(story))),
    )
    return Account(_headline(story, best), paragraphs, tuple(_facts(story)))


def _headline(story: Story, best: Observation | None) -> str:
    count = story.state.experiments
    if best is None:
        return f"{_plural(count, 'experiment')}, no usable value"
    objective = story.state.terms.objectives[0]
    value = measured(best.values[objective.name], objective.unit)
    return f"{objective.name} {value} after {_plural(count, 'experiment')}"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _asked(story: Story) -> str:
    resolved, terms = story.recording.resolved, story.state.terms
    space = story.recording.words.space
    wanted = _wanted(terms.objectives[0])
    watched = [objective.name for objective in terms.objectives[1:]]
    parts = [resolved.campaign.description.strip()] if resolved.campaign.description else []
    parts.append(f"To {wanted} over {', '.join(_range(p) for p in space.parameters)}.")
    if watched:
        parts.append(f"Also measured: {', '.join(watched)}.")
    if space.pool is not None:
        parts.append(f"Only the {len(space.pool)} points of a recorded table can be tried.")
    table = story.recording.words.table
    parts += [] if table is None else [f"Of the table: {said}." for said in table.remarks]
    limits = [constraint.text for constraint in space.constraints]
    limits += [f"never ({region.text}): {region.reason}" for region in space.forbidden]
    if limits:
        parts.append(f"Kept: {'; '.join(limits)}.")
    parts.append(_goal(story))
    return " ".join(parts)


def _wanted(objective: Objective) -> str:
    if objective.goal is Goal.TARGET:
        return f"bring {objective.name} to {number(objective.target or 0.0)}"
    return f"{objective.goal.value} {objective.name}"


def _range(parameter: Continuous | Integer | Discrete | Categorical) -> str:
    unit = short_unit(parameter.unit)
    end = f" {unit}" if unit else ""
    if isinstance(parameter, Categorical):
        return f"{parameter.name} (one of {len(parameter.options)})"
    if isinstance(parameter, Discrete):
        low, high = value_text(parameter.low), value_text(parameter.high)
        return f"{parameter.name} ({len(parameter.values)} values, {low} to {high}{end})"
    return f"{parameter.name} ({number(parameter.low)} to {number(parameter.high)}{end})"


def _goal(story: Story) -> str:
    terms = story.state.terms
    target = terms.target
    budget = []
    if terms.experiments is not None:
        budget.append(_plural(terms.experiments, "experiment"))
    if terms.duration_s is not None:
        budget.append(duration(terms.duration_s))
    limit = f"Budget: {' or '.join(budget)}."
    if target is None:
        return limit
    side = "at least" if target.at_least else "at most"
    return (
        f"Good enough: {target.objective} {side} {number(target.value)} with "
        f"{target.confidence:.0%} confidence. {limit}"
    )


def _found(story: Story, best: Observation | None) -> str:
    if best is None:
        return "Nothing: no experiment gave a usable value."
    objective = story.state.terms.objectives[0]
    decision = story.of_experiment(best.experiment)
    where = f" (decision {decision.number})" if decision else ""
    place = with_units(best.parameters, story)
    others = joined(
        f"{name} {with_sigma(value.mean, value.sigma)}"
        for name, value in best.values.items()
        if name != objective.name
    )
    rank = ""
    if story.ranks is not None and best.experiment in story.ranks.of:
        rank = f" It ranks {story.ranks.of[best.experiment]} of {story.ranks.pool_size} points."
    return (
        f"Best {objective.name}: {measured(best.values[objective.name], objective.unit)} at "
        f"{place}{where}.{f' There: {others}.' if others else ''}{rank}"
    )


def _how_sure(story: Story, best: Observation | None, belief: Prediction | None) -> Iterator[str]:
    objective, target = story.state.terms.objectives[0], story.state.terms.target
    if best is None:
        yield "There is nothing to be sure of."
        return
    value = best.values[objective.name]
    if value.sigma > 0:
        yield f"One measurement says {with_sigma(value.mean, value.sigma)} (± one sigma)."
        if target is not None and target.objective == objective.name:
            excess = value.mean - target.value if target.at_least else target.value - value.mean
            probability = NormalDist(0.0, value.sigma).cdf(excess)
            yield f"By itself it meets the goal with a probability of {probability:.0%}."
    else:
        yield "The bench states no uncertainty of a value: how a repeat would come out isn't known."
    if belief is not None:
        expected = with_sigma(belief.mean, belief.epistemic)
        yield f"The model, knowing all experiments, expects a mean of {expected} there."
    checks = checks_of(story)
    if checks:
        yield f"Predictions against outcomes: {coverage(checks, 0.9)}."
    else:
        yield "No prediction was ever put to the test."


def _stopped(story: Story) -> str:
    count = experiments_to_goal(story.state)
    reached = "" if count is None else f" The goal was reached with experiment {count}."
    if not story.state.stop_reason:
        return f"It hasn't: it was cut off, or still runs; `heliostat resume` goes on.{reached}"
    span = duration(story.state.latest - story.state.started)
    reason = story.state.stop_reason
    return f"{reason[:1].upper()}{reason[1:]} (after {span} of campaign time).{reached}"


def _wrong(story: Story) -> Iterator[str]:
    counts = story.counts()
    kinds = (
        ("suspect", "measured and suspect: told to the agent with a larger sigma"),
        ("rejected", "measured and rejected: never told as a value"),
        ("failed", "failed: the plan did not end well"),
        ("refused", "refused before anything moved"),
        ("open", "without an outcome"),
    )
    found = [f"{counts[kind]} {text}" for kind, text in kinds if counts.get(kind)]
    repeats = sum(max(decision.attempts - 1, 0) for decision in story.decisions)
    if repeats:
        found.append(f"{repeats} repeated after an interruption")
    models = [decision.suggestion.model for decision in story.decisions]
    unheard = models.count(WITHOUT_WORKER)
    if unheard:
        found.append(f"{unheard} space-filling because the worker gave no usable decision in time")
    fallbacks = sum("fallback" in model for model in models) - unheard
    if fallbacks:
        found.append(f"{fallbacks} space-filling because no model could be fitted")
    alarmed = sum(decision.alarmed for decision in story.decisions)
    if alarmed:
        found.append(f"{alarmed} space-filling because the model was not to be trusted")
    yield f"{'; '.join(found)}." if found else "Nothing that the journal knows of."
    yield from map(str, story.halts)
    for event in story.resumed:
        changed = f"; changed: {', '.join(event.changed)}" if event.changed else ""
        yield f"Interrupted and resumed{changed}."
    for final in story.finals:
        if not final.event.succeeded:
            yield f"The final plan {final.event.plan} failed: {final.event.reason}."


def _facts(story: Story) -> Iterator[tuple[str, str]]:
    recording = story.recording
    resolved, started = recording.resolved, recording.started
    yield "campaign", f"{resolved.campaign.name} ({started.campaign_id})"
    if resolved.file:
        yield "file", resolved.file
    yield "bench", f"{resolved.beamline.name}{_kind(story)}"
    yield from ((key, _text(value)) for key, value in resolved.metadata.items())
    yield "agent", f"{resolved.campaign.agent.name} {_options(resolved.campaign.agent.options)}"
    yield "seed", str(started.seed)
    yield "bench idle", f"{idle_of(recording.records)} (while the next experiment was decided)"
    ahead = sum(bool(decision.suggestion.pending) for decision in story.decisions)
    if ahead:
        yield "decided ahead", f"{_plural(ahead, 'experiment')}, while the one before was measured"
    yield "autonomy", resolved.campaign.autonomy.value.replace("_", " ")
    began = datetime.fromtimestamp(story.state.started, UTC)
    yield (
        "started",
        f"{began:%Y-%m-%d %H:%M:%S} UTC{' (virtual)' if resolved.beamline.twin else ''}",
    )
    yield "limits", f"sha256 {started.limits}"
    yield "journal", f"{len(recording.records)} records, head {story.head}"
    yield "versions", ", ".join(f"{name} {version}" for name, version in started.versions.items())


def _kind(story: Story) -> str:
    twin = story.recording.resolved.beamline.twin
    if twin is None:
        return " (live)"
    return " (recorded table)" if twin.table is not None else f" (simulated: {twin.name})"


def _options(options: object) -> str:
    return "" if not options else f"with {options}"


def _text(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)
