"""Sentences about a decision, from what its suggestion carries."""

import math
from collections.abc import Iterator, Mapping, Sequence

from agents.grounds import Calibration, Grounds
from agents.protocols import Alternative, Goal, Objective, Prediction, Suggestion, Value

SHOWN = 3
"""So many runners-up and influences are told of."""
ALIKE = 0.05
"""Sigmas that differ by less than this share are as sure as each other."""


def reason(why: str, objectives: Sequence[Objective], expected: Mapping[str, Prediction]) -> str:
    """Return *why* a point was chosen and what is *expected* of each of *objectives* there."""
    wanted = ", ".join(_wanted(objective) for objective in objectives)
    hopes = [
        f"{expected[objective.name].mean:.4g} ± {expected[objective.name].epistemic:.2g}"
        f"{_unit(objective)}"
        for objective in objectives
    ]
    return f"{why} (to {wanted}): {', '.join(hopes)} expected."


def _wanted(objective: Objective) -> str:
    target = f" {objective.target:g} for" if objective.target is not None else ""
    return f"{objective.goal.value}{target} {objective.name}"


def _unit(objective: Objective) -> str:
    """Return the unit after a space, without a remark in brackets; nothing for the unit 1."""
    short = objective.unit.partition(" (")[0].strip()
    return f" {short}" if short not in ("", "1") else ""


def explained(suggestion: Suggestion, outcomes: Sequence[Objective]) -> str:
    """Return why *suggestion* was made; *outcomes* are those predicted, the pursued ones first."""
    return " ".join(filter(None, sentences(suggestion, outcomes)))


def sentences(suggestion: Suggestion, outcomes: Sequence[Objective]) -> Iterator[str]:
    """Yield what there is to tell of *suggestion*, as ``explained`` puts it together."""
    pending = suggestion.pending
    yield f"{suggestion.note} It knew {suggestion.known} observations" + (
        f" and allowed for {len(pending)} pending." if pending else "."
    )
    first, grounds = outcomes[0], suggestion.grounds
    for outcome in outcomes:
        if outcome.name in suggestion.predictions:
            yield _prediction(outcome, suggestion.predictions[outcome.name])
    yield _acquired(suggestion)
    yield from _lost(suggestion, first)
    if grounds is None or not grounds.sensitivity:
        shortest = _shortest(suggestion.fit, first.name)
        yield f"By the model, {first.name} changes most with {shortest}." if shortest else ""
    if grounds is not None:
        yield from _grounds(grounds, first)


def _prediction(outcome: Objective, expected: Prediction) -> str:
    unit = _unit(outcome)
    return (
        f"{outcome.name} is expected at {expected.mean:.4g} ± {expected.epistemic:.2g}{unit} "
        f"(what the model doesn't know); one experiment scatters by {expected.aleatoric:.2g}{unit}."
    )


def _acquired(suggestion: Suggestion) -> str:
    if suggestion.acquisition is None:
        return ""
    others = len(suggestion.alternatives)
    rank = f", first of the {others + 1} best points that were found" if others else ""
    return f"Its acquisition value is {suggestion.acquisition:.4g}{rank}."


def _lost(suggestion: Suggestion, objective: Objective) -> Iterator[str]:
    """Yield why the runners-up lost."""
    chosen = suggestion.predictions.get(objective.name)
    for other in suggestion.alternatives[:SHOWN]:
        expected = other.predictions.get(objective.name)
        if chosen is not None and expected is not None:
            yield (
                f"Not taken: {_point(other.parameters)}, which expects {expected.mean:.4g} ± "
                f"{expected.epistemic:.2g}{_unit(objective)}: "
                f"{_compared(objective, expected, chosen)}{_behind(other, suggestion)}."
            )


def _compared(objective: Objective, other: Prediction, chosen: Prediction) -> str:
    """Return how *other* differs from what was *chosen*: surer or not, better or not."""
    widest = max(chosen.epistemic, other.epistemic)
    surer = _sign(chosen.epistemic - other.epistemic, ALIKE * widest)
    gain = objective.score(other.mean) - objective.score(chosen.mean)
    better = _sign(gain, ALIKE * widest)
    if objective.goal is Goal.TARGET:
        worths = {1: "nearer to the target", 0: "as near to the target", -1: "farther from it"}
        worth = worths[better]
    elif better == 0:
        worth = "about as good"
    else:
        worth = "higher" if other.mean > chosen.mean else "lower"
    sure = {1: "surer", 0: "as sure", -1: "less sure"}[surer]
    return f"{sure} {'but' if surer * better < 0 else 'and'} {worth}"


def _sign(value: float, slight: float) -> int:
    return 0 if abs(value) <= slight else int(math.copysign(1, value))


def _behind(other: Alternative, suggestion: Suggestion) -> str:
    if other.acquisition is None or suggestion.acquisition is None:
        return ""
    return f" (acquisition {other.acquisition:.4g})"


def _point(parameters: Mapping[str, Value]) -> str:
    return ", ".join(
        f"{name} {value if isinstance(value, str) else f'{value:.4g}'}"
        for name, value in parameters.items()
    )


def _grounds(grounds: Grounds, objective: Objective) -> Iterator[str]:
    yield from _promises(grounds, objective)
    if grounds.sensitivity:
        shares = sorted(grounds.sensitivity.items(), key=lambda item: -item[1])
        parts = ", ".join(f"{name} {share:.0%}" for name, share in shares)
        yield f"By the model, {objective.name} varies with {parts}."
    if grounds.influences:
        parts = ", ".join(
            f"{name[:8]} ({share:+.0%})" for name, share in list(grounds.influences.items())[:SHOWN]
        )
        yield f"The prediction leans most on experiments {parts}."
    if grounds.distance is not None:
        yield (
            f"The nearest experiment is {grounds.nearest[:8] or 'unnamed'}, {grounds.distance:.2g} "
            "away in the unit cube."
        )
    for name, margin in grounds.margins.items():
        side = "keep" if margin >= 0 else "break"
        yield f"{name} is expected to {side} its bound by {abs(margin):.2g} sigma."
    yield _health(grounds)


def _promises(grounds: Grounds, objective: Objective) -> Iterator[str]:
    unit = _unit(objective)
    if grounds.best is not None:
        gain = "" if grounds.expected_gain is None else _gain(grounds.expected_gain, unit)
        yield f"The best so far is {grounds.best:.4g}{unit} by the model{gain}."
    if grounds.regret_bound is not None:
        yield (
            f"With 95 % probability the best of the space is better by {grounds.regret_bound:.2g}"
            f"{unit} at most, if the model is right."
        )


def _gain(gain: float, unit: str) -> str:
    return f"; this experiment is expected to gain {gain:.2g}{unit}"


def _health(grounds: Grounds) -> str:
    if grounds.alarm:
        return f"The model isn't to be trusted: {grounds.alarm}." + _came_true(grounds.calibration)
    return _came_true(grounds.calibration).strip()


def _came_true(seen: Calibration | None) -> str:
    if seen is None:
        return ""
    widened = f", sigmas widened by {seen.scale:.2f} for it" if seen.scale >= 1.01 else ""
    return (
        f" Of {seen.points} outcomes foretold one step ahead {seen.coverage:.0%} lay in their 90 % "
        f"intervals (truly {seen.lowest:.0%} to {seen.highest:.0%}){widened}."
    )


def _shortest(fit: Mapping[str, float], objective: str) -> str:
    """Return the parameter with the shortest lengthscale in *fit*; empty where there is none."""
    start = f"{objective}.lengthscale."
    lengths = {name[len(start) :]: value for name, value in fit.items() if name.startswith(start)}
    return min(lengths, key=lambda name: lengths[name]) if lengths else ""


def finite(value: float | None) -> float | None:
    """Return *value*, or None for what JSON can't carry."""
    return value if value is not None and math.isfinite(value) else None
