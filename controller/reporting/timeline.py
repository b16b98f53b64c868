"""What happened when, in campaign time: experiments, the final plan, and what was set meanwhile."""

import json
import math
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from controller.anchors import AUDIT_TABLE, GATE_FILE
from controller.chain import Chain
from controller.outcome.idle import idle_of
from controller.outcome.wording import duration
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
    svg,
)
from controller.reporting.story import Story

TITLE = "Time line"
MOST_SIGNALS = 4
UNITS = ((2 * 86400.0, 86400.0, "days"), (2 * 3600.0, 3600.0, "hours"), (120.0, 60.0, "minutes"))


@dataclass(frozen=True, slots=True)
class Writes:
    """What was written to one signal, in order: campaign times (s) and values; and refusals."""

    signal: str
    times: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)


def writes_of(story: Story) -> list[Writes]:
    """Return the writes of numbers that the gate let pass or refused, by signal.

    Raises JournalBroken when the gate's record is broken.
    """
    path = story.recording.directory / GATE_FILE
    found: dict[str, Writes] = {}
    if not path.is_file():  # cut off before the gate was there
        return []
    with closing(Chain.read(path, AUDIT_TABLE)) as chain:
        for link in chain.links():
            record = json.loads(link.payload)
            kind, value = record["kind"], record.get("value")
            if kind not in ("intent", "refusal"):
                continue
            writes = found.setdefault(record["signal"], Writes(record["signal"]))
            if kind == "refusal":
                writes.refused.append(link.stamp)
            elif isinstance(value, (int, float)) and not isinstance(value, bool):
                writes.times.append(link.stamp)
                writes.values.append(float(value))
    return list(found.values())


def picture(story: Story) -> Picture:
    """Return experiments as bars over campaign time, with what was set below."""
    ran = [d for d in story.decisions if d.began is not None]
    if not ran and not story.finals:
        return Picture(TITLE, "", missing="Nothing was run.")
    signals = _telling(writes_of(story), story)
    with drawing():
        heights = [0.9] + [0.8] * len(signals)
        figure = new_figure(8.2, 0.9 + sum(heights))
        rows = figure.subplots(
            len(heights), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights}
        )[:, 0]
        span = max(story.state.latest - story.state.started, 1e-9)
        unit, name = _unit(span)
        _lanes(rows[0], story, unit)
        for axes, writes in zip(rows[1:], signals, strict=True):
            _steps(axes, writes, story, unit)
        rows[-1].set_xlabel(f"campaign time ({name})")
        rows[-1].set_xlim(-0.01 * span / unit, 1.01 * span / unit)
        image = svg(figure, "Experiments over campaign time, and what was set")
    return Picture(TITLE, _caption(story, signals), (image,))


def _unit(span: float) -> tuple[float, str]:
    return next(((unit, name) for least, unit, name in UNITS if span >= least), (1.0, "seconds"))


def _telling(writes: Sequence[Writes], story: Story) -> list[Writes]:
    """Return the signals that took most different values; none for a bench without time."""
    if story.recording.words.table is not None:
        return [w for w in writes if w.refused]
    varied = [w for w in writes if len(set(w.values)) > 2 or w.refused]
    order = sorted(varied, key=lambda w: (-len(w.refused), -len(set(w.values)), w.signal))
    return sorted(order[:MOST_SIGNALS], key=lambda w: w.signal)


def _lanes(axes: Axes, story: Story, unit: float) -> None:
    start = story.state.started
    used = []
    for decision in story.decisions:
        if decision.began is None:
            continue
        ended = story.state.latest if decision.ended is None else decision.ended
        colour = OUTCOMES[decision.outcome]
        used.append((decision.outcome, colour))
        bar = ((decision.began - start) / unit, max(ended - decision.began, 0.0) / unit)
        axes.broken_barh([bar], (0.1, 0.8), facecolor=colour, edgecolor=PAPER, linewidth=0.7)
    for final in story.finals:
        bar = ((final.began - start) / unit, (final.ended - final.began) / unit)
        axes.broken_barh([bar], (0.1, 0.8), facecolor=GREEN, edgecolor=PAPER, linewidth=0.7)
        used.append(("final plan", GREEN))
    made = [(decision.made - start) / unit for decision in story.decisions]
    axes.plot(made, [1.05] * len(made), "|", color=MUTED, markersize=6)
    legend = dict(used).items()
    handles = [Line2D([], [], color=colour, lw=6, label=name) for name, colour in legend]
    handles.append(Line2D([], [], color=MUTED, marker="|", lw=0, label="decision"))
    axes.legend(handles=handles, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=7)
    axes.set_ylim(0, 1.25)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)


def _steps(axes: Axes, writes: Writes, story: Story, unit: float) -> None:
    start, end = story.state.started, story.state.latest
    times = [(time - start) / unit for time in (*writes.times, end)]
    values = [*writes.values, writes.values[-1]] if writes.values else [math.nan]
    axes.step(times, values, where="post", color=BLUE, lw=1.1)
    refused = [(time - start) / unit for time in writes.refused]
    if refused:
        axes.plot(refused, [axes.get_ylim()[1]] * len(refused), "v", color=RED, markersize=5)
    axes.set_title(writes.signal, fontsize=8.5, pad=2, fontweight="normal", color=MUTED)


def _caption(story: Story, signals: Sequence[Writes]) -> str:
    span = duration(story.state.latest - story.state.started)
    refused = sum(len(writes.refused) for writes in signals)
    more = " Below, what the gate let pass to the signals that changed most." if signals else ""
    no = f" It refused {refused} writes (red)." if refused else ""
    return f"{span} of campaign time{_idle(story)}.{more}{no}"


def _idle(story: Story) -> str:
    """Return how long the bench waited for decisions, as the end of a sentence."""
    idle = idle_of(story.recording.records)
    if idle.fraction is not None:
        return f"; the bench stood idle for {idle} while the next one was decided"
    virtual = story.recording.resolved.beamline.twin is not None
    return " on the virtual clock: deciding takes no time there" if virtual else ""
