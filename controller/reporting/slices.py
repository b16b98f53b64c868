"""What the model believes at the end: cuts through its posterior along each parameter."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from numpy.typing import NDArray

from agents.errors import AgentError
from agents.protocols import Measured, Objective, Parameters, Prediction, Value
from agents.space import Categorical, Continuous, Space
from controller.outcome.wording import short_unit
from controller.reporting.figures import BLUE, GREEN, MUTED, Picture, drawing, new_figure, svg
from controller.reporting.story import Story
from controller.state import best_observation

TITLE = "What the model believes"
POINTS = 81
LEVELS = 40
FEW = 12
"""So few values are drawn one by one, not as a curve."""
NEAR = 0.35
"""Observations fade with their distance from the cut, on this scale of the unit cube."""
ROOM = 0.25
"""Beyond means and observations, as part of their range, the bands are cut off."""
WIDTH, HEIGHT = 3.6, 2.5

Array = NDArray[np.float64]


@runtime_checkable
class Predicts(Protocol):
    """An agent whose model can be looked at."""

    def predict(self, points: Sequence[Parameters]) -> list[dict[str, Prediction]]:
        """Return what is expected at each of *points*, by objective; empty without a model."""
        ...


@dataclass(frozen=True, slots=True)
class Cut:
    """Points along one parameter through the best one, which of them may be tried, and beliefs."""

    name: str
    values: tuple[Value, ...]
    allowed: tuple[bool, ...]
    beliefs: tuple[Prediction, ...]
    others_move: bool
    """Whether the other parts of a mixture move along, so that the sum is kept."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One observation: its point, what was measured, and how near it is to the cut (0 to 1)."""

    point: Parameters
    value: Measured
    nearness: float


def picture(story: Story) -> Picture:
    """Return one figure for each parameter; says so where there is no model to look at."""
    best = best_observation(story.state)
    try:
        agent = story.recording.agent()
    except AgentError as error:
        return Picture(TITLE, "", missing=f"The agent can't be looked at any more: {error}.")
    if not isinstance(agent, Predicts):
        return Picture(TITLE, "", missing=f"The agent {agent.name} has no model to look at.")
    if best is None:
        return Picture(TITLE, "", missing="There is no usable observation to cut through.")
    agent.tell(story.state.observations)
    cuts = cuts_of(agent, story, best.parameters)
    if not cuts:
        return Picture(TITLE, "", missing="No model could be fitted to the observations.")
    with drawing():
        heights = _heights(cuts, story)
        images = tuple(_image(cut, story, best.parameters, heights) for cut in cuts)
    return Picture(TITLE, _caption(cuts), images)


def belief_at_best(story: Story) -> Prediction | None:
    """Return what the model expects, after all experiments, where the best was measured."""
    best = best_observation(story.state)
    try:
        agent = story.recording.agent()
    except AgentError:
        return None
    if best is None or not isinstance(agent, Predicts):
        return None
    agent.tell(story.state.observations)
    return agent.predict([best.parameters])[0].get(story.state.terms.objectives[0].name)


def cuts_of(agent: Predicts, story: Story, best: Parameters) -> list[Cut]:
    """Return a cut along each parameter that varies; none where there is no model."""
    space, name = story.recording.words.space, story.state.terms.objectives[0].name
    cuts = []
    for parameter in space.parameters:
        values = _values(space, parameter.name)
        if len(values) < 2:
            continue
        points = [_moved(space, best, parameter.name, value) for value in values]
        beliefs = [belief.get(name) for belief in agent.predict(points)]
        known = tuple(belief for belief in beliefs if belief is not None)
        if len(known) == len(points):
            allowed = tuple(_allowed(space, point) for point in points)
            moved = any(
                point[other] != best[other]
                for point in points
                for other in space.names
                if other != parameter.name
            )
            cuts.append(Cut(parameter.name, tuple(values), allowed, known, moved))
    return cuts


def _values(space: Space, name: str) -> Sequence[Value]:
    parameter = space.parameter(name)
    levels = parameter.levels
    if levels is not None and len(levels) <= LEVELS:
        return list(levels)
    if isinstance(parameter, Categorical):
        return list(parameter.options)[:LEVELS]
    if isinstance(parameter, Continuous) and parameter.log:
        return [float(v) for v in np.geomspace(parameter.low, parameter.high, POINTS)]
    return [float(v) for v in np.linspace(parameter.low, parameter.high, POINTS)]


def _moved(space: Space, best: Parameters, name: str, value: Value) -> dict[str, Value]:
    """Return *best* with *name* at *value*; other parts of its mixtures keep their proportions.

    The direction of Cox (1971, Biometrika 58, 155): the ratios of the other parts stay.
    """
    point = {**best, name: value}
    for constraint in space.constraints:
        factor = constraint.coefficients.get(name)
        if constraint.relation != "==" or factor is None:
            continue
        others = [other for other in constraint.coefficients if other != name]
        before = sum(constraint.coefficients[o] * float(best[o]) for o in others)
        wanted = constraint.bound - factor * float(value)
        if before > 0 and wanted >= 0:
            point |= {o: float(best[o]) * wanted / before for o in others}
    return point


def _allowed(space: Space, point: Parameters) -> bool:
    """Whether bounds, constraints and regions allow *point*; that a pool lacks it doesn't count."""
    inside = all(
        isinstance(p, Categorical) or p.low <= float(point[p.name]) <= p.high
        for p in space.parameters
    )
    return (
        inside
        and all(constraint.holds(point) for constraint in space.constraints)
        and not any(region.contains(point) for region in space.forbidden)
    )


def _seen(story: Story, cut: Cut, best: Parameters) -> list[Seen]:
    space, name = story.recording.words.space, story.state.terms.objectives[0].name
    told = [o for o in story.state.observations if o.usable and name in o.values]
    columns = space.columns[cut.name]
    others = np.delete(np.arange(space.dimension), np.arange(space.dimension)[columns])
    places = space.encode([o.parameters for o in told])[:, others]
    here = space.encode([best])[0, others]
    apart = np.sqrt(np.square(places - here).sum(axis=1))
    nearness = np.exp(-0.5 * (apart / NEAR) ** 2)
    return [
        Seen(o.parameters, o.values[name], float(near))
        for o, near in zip(told, nearness, strict=True)
    ]


def _heights(cuts: Sequence[Cut], story: Story) -> tuple[float, float]:
    """Return the range that all cuts share: means and observations with room, bands cut off."""
    name = story.state.terms.objectives[0].name
    seen = [o.values[name].mean for o in story.state.observations if o.usable and name in o.values]
    seen += [belief.mean for cut in cuts for belief in cut.beliefs]
    room = ROOM * (max(seen) - min(seen)) or 1.0
    return min(seen) - room, max(seen) + room


def _image(cut: Cut, story: Story, best: Parameters, heights: tuple[float, float]) -> Markup:
    space = story.recording.words.space
    figure = new_figure(WIDTH, HEIGHT)
    axes = figure.add_subplot()
    parameter = space.parameter(cut.name)
    if isinstance(parameter, Categorical):
        _bars(axes, cut, story, best)
    else:
        _band(axes, cut, story, best)
        if isinstance(parameter, Continuous) and parameter.log:
            axes.set_xscale("log")
    unit = short_unit(parameter.unit)
    axes.set_xlabel(f"{cut.name}{f' ({unit})' if unit else ''}")
    axes.set_ylabel(_axis(story.state.terms.objectives[0]))
    axes.set_ylim(*heights)
    return svg(figure, f"Prediction along {cut.name} through the best point")


def _axis(objective: Objective) -> str:
    unit = short_unit(objective.unit)
    return f"{objective.name}{f' ({unit})' if unit else ''}"


def _band(axes: Axes, cut: Cut, story: Story, best: Parameters) -> None:
    x = np.array([float(value) for value in cut.values])
    if len(x) <= FEW:
        _marks(axes, x, cut)
    else:
        _curve(axes, x, cut)
    for seen in _seen(story, cut, best):
        _dot(axes, float(seen.point[cut.name]), seen)
    axes.axvline(float(best[cut.name]), color=GREEN, lw=1)
    edge = 0.04 * (x.max() - x.min()) if len(x) <= FEW else 0.0
    axes.set_xlim(x.min() - edge, x.max() + edge)


def _curve(axes: Axes, x: Array, cut: Cut) -> None:
    mean = np.array([belief.mean for belief in cut.beliefs])
    epistemic = np.array([belief.epistemic for belief in cut.beliefs])
    total = np.hypot(epistemic, [belief.aleatoric for belief in cut.beliefs])
    axes.fill_between(x, mean - total, mean + total, color=BLUE, alpha=0.12, lw=0)
    axes.fill_between(x, mean - epistemic, mean + epistemic, color=BLUE, alpha=0.25, lw=0)
    axes.plot(x, mean, color=MUTED, lw=1, linestyle=":")
    axes.plot(x, np.where(cut.allowed, mean, np.nan), color=BLUE)


def _marks(axes: Axes, x: Array, cut: Cut) -> None:
    """Draw what is believed at each of few values, as bars."""
    means = [belief.mean for belief in cut.beliefs]
    totals = [float(np.hypot(b.epistemic, b.aleatoric)) for b in cut.beliefs]
    axes.errorbar(x, means, totals, fmt="none", color=BLUE, alpha=0.3, lw=5)
    epistemic = [belief.epistemic for belief in cut.beliefs]
    axes.errorbar(x, means, epistemic, fmt="s", color=BLUE, markersize=5)


def _bars(axes: Axes, cut: Cut, story: Story, best: Parameters) -> None:
    places = {str(value): place for place, value in enumerate(cut.values)}
    _marks(axes, np.arange(len(places), dtype=np.float64), cut)
    for seen in _seen(story, cut, best):
        if str(seen.point[cut.name]) in places:
            _dot(axes, places[str(seen.point[cut.name])] + 0.18, seen)
    axes.axvline(places[str(best[cut.name])], color=GREEN, lw=1)
    labels = [label if len(label) <= 14 else f"{label[:13]}…" for label in places]
    axes.set_xticks(range(len(labels)), labels, rotation=35, ha="right", rotation_mode="anchor")


def _dot(axes: Axes, x: float, seen: Seen) -> None:
    alpha = 0.12 + 0.8 * seen.nearness
    axes.plot(x, seen.value.mean, "o", color=MUTED, markersize=3.5, alpha=alpha)


def _caption(cuts: Sequence[Cut]) -> str:
    moved = " Other parts of a mixture keep their proportions." if _any(cuts) else ""
    outside = (
        " Dotted where the point may not be tried."
        if not all(all(cut.allowed) for cut in cuts)
        else ""
    )
    return (
        "The model after all experiments, along each parameter through the best point (green). "
        "Dark: what the model doesn't know of the mean (± σ); light: with the scatter "
        "of one experiment. Dots: usable observations, fainter the farther they lie from the cut."
        + moved
        + outside
    )


def _any(cuts: Sequence[Cut]) -> bool:
    return any(cut.others_move for cut in cuts)
