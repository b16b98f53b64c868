"""The spectra behind the numbers: of the best experiment, and of those that were rejected."""

import numpy as np
from matplotlib.axes import Axes

from controller.documents import read_run
from controller.files.campaign import Chosen
from controller.reporting.curves import CURVES, Curve, curve_of
from controller.reporting.figures import (
    BLUE,
    GREEN,
    INK,
    ORANGE,
    RED,
    Picture,
    drawing,
    new_figure,
    svg,
)
from controller.reporting.story import Decision, Story
from controller.state import best_observation
from models.errors import ModelError

TITLE = "Spectra"
SHOWN = 2
"""So many rejected spectra, the latest; where there is none, one of the worst usable."""

FITTED = (
    "Normalised to the edge step, as the reducer sees them; the difference from the nearest "
    "mixture of references stands at the bottom (five times enlarged)."
)
PLAIN = "As they were counted."


def picture(story: Story) -> Picture:
    """Return the spectra of the best and of the rejected (else the worst) experiments."""
    chosen = story.recording.resolved.campaign.reducer
    if chosen is None or chosen.name not in CURVES:
        return Picture(TITLE, "", missing="This bench records numbers, no spectra.")
    try:
        shown = [(d, why, _curve(d, story, chosen)) for d, why in _chosen(story)]
    except ModelError as error:
        return Picture(TITLE, "", missing=f"The spectra can't be drawn: {error}")
    drawn = [(d, why, curve) for d, why, curve in shown if curve is not None]
    if not drawn:
        return Picture(TITLE, "", missing="No run with a spectrum was finished.")
    with drawing():
        figure = new_figure(4.1 * len(drawn), 3.1)
        axes = np.atleast_1d(figure.subplots(1, len(drawn)))
        for axis, (decision, why, curve) in zip(axes, drawn, strict=True):
            _draw(axis, decision, why, curve)
        image = svg(figure, "Spectra of the best and of rejected or worst experiments")
    fitted = any(curve.fitted is not None for _, _, curve in drawn)
    return Picture(TITLE, (FITTED if fitted else PLAIN) + _reasons(story), (image,))


def _reasons(story: Story) -> str:
    rejected = story.rejected()
    if not rejected:
        return " No measurement was rejected: the worst usable one stands for comparison."
    latest = rejected[-1]
    reasons = "; ".join(latest.observation.quality.reasons) if latest.observation else ""
    return f" {len(rejected)} rejected, the latest because: {reasons or 'no reason stated'}."


def _chosen(story: Story) -> list[tuple[Decision, str]]:
    found: list[tuple[Decision | None, str]] = []
    best = best_observation(story.state)
    if best is not None:
        found.append((story.of_experiment(best.experiment), "best"))
    rejected = [d for d in story.rejected() if d.observation and d.observation.runs]
    found += [(decision, "rejected") for decision in rejected[-SHOWN:]]
    if not rejected and best is not None:
        found.append((_worst(story), "worst"))
    decided = [(decision, why) for decision, why in found if decision is not None]
    first = {decision.experiment: (decision, why) for decision, why in reversed(decided)}
    return list(reversed(first.values()))


def _worst(story: Story) -> Decision | None:
    objective = story.state.terms.objectives[0]
    usable = [
        (objective.score(decision.observation.values[objective.name].mean), decision)
        for decision in story.decisions
        if decision.observation
        and decision.observation.usable
        and objective.name in decision.observation.values
    ]
    return min(usable, key=lambda pair: pair[0])[1] if usable else None


def _curve(decision: Decision, story: Story, chosen: Chosen) -> Curve | None:
    observation = decision.observation
    if observation is None or not observation.runs:
        return None
    return curve_of(chosen, read_run(story.recording.directory, observation.runs[-1]))


def _draw(axes: Axes, decision: Decision, why: str, curve: Curve) -> None:
    colour = {"best": GREEN, "rejected": RED}.get(why, BLUE)
    axes.plot(curve.axis, curve.measured, color=colour, label="measured")
    if curve.fitted is not None:
        axes.plot(curve.axis, curve.fitted, color=INK, lw=0.9, linestyle="--", label="mixture")
        rest = 5 * (curve.measured - curve.fitted)
        axes.plot(curve.axis, rest, color=ORANGE, lw=0.9, label="difference × 5")
    axes.set_title(f"{why}: decision {decision.number}")
    axes.set_xlabel(curve.axis_label)
    axes.set_ylabel(curve.label)
    axes.legend(loc="center right")
