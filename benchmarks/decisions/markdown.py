"""The figures as a page: ``--markdown benchmarks/decisions/results.md``."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.decisions.problem import Problem
from benchmarks.decisions.ratios import Ratio


def page(document: Mapping[str, Any], problems: Sequence[Problem]) -> str:
    """Return *document* (``tables.figures``) as Markdown: what was measured, and no more."""
    frames = {problem.frame.name: problem.frame for problem in problems}
    lines = [
        "# Experiments to a target",
        "",
        "Written by `python -m benchmarks.decisions --report --markdown FILE`. What is counted, "
        "and how, is in [how to compare agents](../../docs/how-to/compare-agents.md). Experiments "
        "after the initial ones: median (quartiles); never: runs that didn't get there.",
    ]
    for comparison in document["ratios"]:
        if comparison["peer"] == document["reference"]:
            lines += ["", *_ratios(comparison)]
    lines += ["", "| problem | half | target | at most |", "|---|---|---|---|"]
    lines += [
        f"| {name} | {frame.half} | {frame.why} | {frame.budget - frame.initial} |"
        for name, frame in frames.items()
        if document["experiments"][name]
    ]
    lines += [
        "",
        "| problem | who | seeds | experiments | never | CPU s a decision |",
        "|---|---|---|---|---|---|",
    ]
    for name, agents in document["experiments"].items():
        for agent, entry in agents.items():
            cost = document["cpu_seconds_per_decision"][name][agent]
            spread = f"{entry['median']} ({entry['quartile_low']} to {entry['quartile_high']})"
            lines.append(
                f"| {name} | {agent} | {entry['seeds']} | {spread} | {entry['unsolved']} "
                f"| {cost:.3f} |"
            )
    return "\n".join(lines) + "\n"


def _ratios(comparison: Mapping[str, Any]) -> list[str]:
    lines = [
        f"`{comparison['ours']}` against `{comparison['peer']}`, the best of the others over all "
        "problems: geometric mean ratio (95 % interval)",
        "",
    ]
    lines += [f"- {name}: {Ratio(**ratio)}" for name, ratio in comparison["pooled"].items()]
    if comparison["worse"]:
        lines.append(f"- worse on {', '.join(comparison['worse'])}")
    return lines
