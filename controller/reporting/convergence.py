"""How the campaign came to its best: every observation with its sigma, and the best so far."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from controller.outcome.course import Step, course_of
from controller.outcome.wording import number, short_unit
from controller.reporting.figures import (
    BLUE,
    GREEN,
    MUTED,
    OUTCOMES,
    PAPER,
    RED,
    Picture,
    drawing,
    new_figure,
    plain_axes,
    svg,
)
from controller.reporting.story import Story

TITLE = "Convergence"


def picture(story: Story) -> Picture:
    """Return the figure; says so where nothing has been measured."""
    steps = course_of(story.state)
    objective = story.state.terms.objectives[0]
    if not any(step.value is not None for step in steps):
        return Picture(TITLE, "", missing=f"No experiment gave a value of {objective.name}.")
    with drawing():
        figure = new_figure(8.2, 3.4)
        axes = plain_axes(figure)
        _draw(axes, steps, story)
        unit = short_unit(objective.unit)
        axes.set_ylabel(f"{objective.name}{f' ({unit})' if unit else ''}")
        axes.set_xlabel("experiment")
        image = svg(figure, f"{objective.name} of each experiment, and the best so far")
    return Picture(TITLE, _caption(story, steps), (image,))


def _draw(axes: Axes, steps: Sequence[Step], story: Story) -> None:
    _goal(axes, story)
    known = [step for step in steps if step.best is not None]
    if known:
        numbers = [step.number for step in known] + [known[-1].number + 0.5]
        means = [step.best.mean for step in known if step.best]
        sigmas = [step.best.sigma for step in known if step.best]
        low = [m - s for m, s in zip(means, sigmas, strict=True)]
        high = [m + s for m, s in zip(means, sigmas, strict=True)]
        axes.fill_between(
            numbers, [*low, low[-1]], [*high, high[-1]], step="post", color=GREEN, alpha=0.15, lw=0
        )
        label = "best so far ± σ" if any(sigmas) else "best so far"
        axes.step(numbers, [*means, means[-1]], where="post", color=GREEN, label=label)
    for outcome in ("accepted", "suspect", "rejected"):
        _points(axes, [s for s in steps if _verdict(s) == outcome and s.value], outcome)
    _without_value(axes, [s for s in steps if s.value is None])
    _model_begins(axes, story)
    axes.set_xlim(0.5, len(steps) + 0.7)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=6)


def _verdict(step: Step) -> str:
    return step.observation.quality.verdict.value


def _points(axes: Axes, steps: Sequence[Step], outcome: str) -> None:
    if not steps:
        return
    values = [step.value for step in steps if step.value]
    axes.errorbar(
        [step.number for step in steps],
        [value.mean for value in values],
        yerr=[value.sigma for value in values],
        fmt="x" if outcome == "rejected" else "o",
        markersize=5,
        color=OUTCOMES[outcome],
        markerfacecolor=OUTCOMES[outcome] if outcome == "accepted" else PAPER,
        elinewidth=0.9,
        label=f"{outcome} ± σ" if any(value.sigma for value in values) else outcome,
    )


def _without_value(axes: Axes, steps: Sequence[Step]) -> None:
    if steps:
        axes.plot(
            [step.number for step in steps],
            [0.02] * len(steps),
            "x",
            color=RED,
            markersize=6,
            transform=axes.get_xaxis_transform(),
            label="no value",
        )


def _goal(axes: Axes, story: Story) -> None:
    target, objective = story.state.terms.target, story.state.terms.objectives[0]
    value = objective.target
    if target is not None and target.objective == objective.name:
        value = target.value
    if value is not None:
        axes.axhline(value, color=MUTED, linestyle="--", lw=1, label=f"goal {number(value)}")


def _model_begins(axes: Axes, story: Story) -> None:
    ran = [d for d in story.decisions if d.experiment]
    first = next((n for n, d in enumerate(ran, start=1) if d.suggestion.predictions), None)
    if first is not None and 1 < first <= len(course_of(story.state)):
        axes.axvline(first - 0.5, color=BLUE, lw=0.8, linestyle=":")
        axes.annotate(
            "model decides →",
            (first - 0.5, 0.985),
            xycoords=axes.get_xaxis_transform(),
            xytext=(4, 0),
            textcoords="offset points",
            va="top",
            fontsize=8,
            color=MUTED,
        )


def _caption(story: Story, steps: Sequence[Step]) -> str:
    unknown = all(step.value is None or step.value.sigma == 0 for step in steps)
    sigma = " The bench states no uncertainty of its values, so none is drawn." if unknown else ""
    rejected = " Rejected measurements are shown and never counted." if story.rejected() else ""
    return (
        "Each experiment in the order in which it ran; the line is the best usable mean so far. "
        "The best of many noisy values is on average better than what a repeat of it would give."
        + sigma
        + rejected
    )
