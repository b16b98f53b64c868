"""Regret curves: median and quartiles over the seeds, one figure per problem."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.decisions.problem import Problem
from benchmarks.decisions.tables import regret_curves
from benchmarks.decisions.trial import Run

LOWEST = 1e-6
"""What lies below is drawn here: a logarithmic axis has no zero."""


def draw(problem: Problem, runs: Sequence[Run], folder: Path) -> None:
    """Write ``folder/PROBLEM.svg``; nothing where the problem has no runs."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    frame = problem.frame
    agents = sorted({run.agent for run in runs if run.problem == frame.name})
    if not agents:
        return
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.subplots()
    for agent in agents:
        curves = regret_curves(runs, problem, agent)
        low, middle, high = np.maximum(
            np.percentile(curves, [25, 50, 75], axis=0, method="nearest"), LOWEST
        )
        steps = np.arange(1, curves.shape[1] + 1)
        shown = np.where(np.isfinite(middle), middle, np.nan)
        [line] = axes.step(steps, shown, where="post", label=f"{agent} ({len(curves)})")
        kept = np.isfinite(high)
        axes.fill_between(
            steps[kept], low[kept], high[kept], step="post", alpha=0.15, color=line.get_color()
        )
    axes.axvline(frame.initial, color="0.6", linewidth=0.8, linestyle=":")
    axes.axhline(max(frame.tolerance, LOWEST), color="0.3", linewidth=0.8, linestyle="--")
    axes.set_yscale("log")
    axes.set_xlabel("experiments (dotted: the initial ones; dashed: the target)")
    axes.set_ylabel("hypervolume missing" if frame.reference else "simple regret")
    axes.set_title(f"{frame.name}: median and quartiles (number of runs)")
    axes.legend(fontsize="small")
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{frame.name}.svg")
