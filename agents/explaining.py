"""Sentences about a decision, from what its suggestion carries."""

import math
from collections.abc import Mapping, Sequence

from agents.protocols import Objective, Prediction, Suggestion


def reason(why: str, objectives: Sequence[Objective], expected: Mapping[str, Prediction]) -> str:
    """Return *why* a point was chosen and what is *expected* of each of *objectives* there."""
    wanted = ", ".join(_wanted(objective) for objective in objectives)
    hopes = [
        f"{expected[objective.name].mean:.4g} ± {expected[objective.name].epistemic:.2g}"
        f"{' ' + objective.unit if objective.unit else ''}"
        for objective in objectives
    ]
    return f"{why} (to {wanted}): {', '.join(hopes)} expected."


def _wanted(objective: Objective) -> str:
    target = f" {objective.target:g} for" if objective.target is not None else ""
    return f"{objective.goal.value}{target} {objective.name}"


def explained(suggestion: Suggestion, outcomes: Sequence[Objective]) -> str:
    """Return why *suggestion* was made; *outcomes* are those predicted, the pursued ones first."""
    parts = [f"{suggestion.note} It knew {suggestion.known} observations"]
    parts[0] += (
        f" and allowed for {len(suggestion.pending)} pending." if suggestion.pending else "."
    )
    units = {outcome.name: outcome.unit for outcome in outcomes}
    for name, expected in suggestion.predictions.items():
        unit = f" {units[name]}" if units.get(name) else ""
        parts.append(
            f"{name} is expected at {expected.mean:.4g} ± {expected.epistemic:.2g}{unit} "
            "(what the model doesn't know); one experiment scatters by "
            f"{expected.aleatoric:.2g}{unit}."
        )
    first = outcomes[0].name
    shortest = _shortest(suggestion.fit, first)
    if shortest:
        parts.append(f"By the model, {first} changes most with {shortest}.")
    if suggestion.alternatives:
        parts.append(f"{len(suggestion.alternatives)} other points were close; this was the best.")
    return " ".join(parts)


def _shortest(fit: Mapping[str, float], objective: str) -> str:
    """Return the parameter with the shortest lengthscale in *fit*; empty where there is none."""
    start = f"{objective}.lengthscale."
    lengths = {name[len(start) :]: value for name, value in fit.items() if name.startswith(start)}
    return min(lengths, key=lambda name: lengths[name]) if lengths else ""


def finite(value: float) -> float | None:
    """Return *value*, or None for what JSON can't carry."""
    return value if math.isfinite(value) else None
