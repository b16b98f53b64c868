"""The figures as text and JSON: experiments to the target, and ratios to the best peer."""

import argparse
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.decisions.markdown import page
from benchmarks.decisions.problem import Problem
from benchmarks.decisions.ratios import FEW, Ratio, best_of, paired_logs, pooled
from benchmarks.decisions.runs import solved
from benchmarks.decisions.trial import Run

WORST = 1.1
"""A problem whose interval lies wholly above this is one on which we are worse."""
REGRET_AT = (0.25, 0.5, 0.75, 1.0)
"""Parts of the budget at which regret is stated."""
FREE = ("random", "sobol")
"""No libraries: never the reference."""

Found = dict[str, dict[str, dict[int, int]]]
"""Experiments to the target by agent, problem, seed."""


def experiments(runs: Sequence[Run], problems: Sequence[Problem]) -> Found:
    """Return the experiments to the target of all *runs*."""
    found: Found = {}
    for problem in problems:
        for (agent, seed), count in sorted(solved(runs, problem).items()):
            found.setdefault(agent, {}).setdefault(problem.frame.name, {})[seed] = count
    return found


def row(counts: Mapping[int, int], never: int) -> dict[str, Any]:
    """Return the quartiles of *counts*; what is censored stands as *never* (budget + 1)."""
    low, middle, high = np.percentile(list(counts.values()), [25, 50, 75], method="higher")
    return {
        "seeds": len(counts),
        "quartile_low": int(low),
        "median": int(middle),
        "quartile_high": int(high),
        "unsolved": sum(count >= never for count in counts.values()),
    }


def regret_rows(runs: Sequence[Run], problem: Problem) -> dict[str, dict[str, list[float]]]:
    """Return quartiles of the simple regret at parts of the budget, by agent."""
    frame = problem.frame
    marks = [round(frame.initial + part * (frame.budget - frame.initial)) for part in REGRET_AT]
    rows = {}
    for agent in sorted({run.agent for run in runs if run.problem == frame.name}):
        curves = regret_curves(runs, problem, agent)
        rows[agent] = {
            str(mark): [float(v) for v in _quartiles(curves[:, mark - 1])] for mark in marks
        }
    return rows


def regret_curves(runs: Sequence[Run], problem: Problem, agent: str) -> np.ndarray:
    """Return the simple regrets (runs x budget) of *agent*, the last value kept to the end."""
    frame = problem.frame
    curves = []
    for run in runs:
        if (run.agent, run.problem) == (agent, frame.name):
            regrets = frame.regrets(run.curve)[: frame.budget]
            curves.append(np.pad(regrets, (0, frame.budget - len(regrets)), mode="edge"))
    return np.array(curves)


def _quartiles(values: np.ndarray) -> np.ndarray:
    return np.percentile(values, [25, 50, 75], method="nearest")


def compare(found: Found, problems: Sequence[Problem], ours: str, peer: str) -> dict[str, Any]:
    """Return the ratios of *ours* to *peer*: by problem, by group and by half."""
    frames = {problem.frame.name: problem.frame for problem in problems}
    logs = {
        name: paired_logs(found[ours][name], found[peer][name])
        for name in frames
        if name in found[ours] and name in found[peer]
    }
    logs = {name: values for name, values in logs.items() if len(values)}
    pools = {}
    for group in ("synthetic", "recorded"):
        for half in ("all", "tuning", "held out"):
            part = [
                values
                for name, values in logs.items()
                if frames[name].group == group and half in ("all", frames[name].half)
            ]
            if part:
                pools[f"{group}, {half}"] = pooled(part)
    each = {name: pooled([values]) for name, values in logs.items()}
    return {
        "ours": ours,
        "peer": peer,
        "pooled": {name: vars(ratio) for name, ratio in pools.items()},
        "problems": {name: vars(ratio) for name, ratio in each.items()},
        "worse": [
            name for name, ratio in each.items() if ratio.low > WORST and ratio.fewest >= FEW
        ],
    }


def report(
    runs: Sequence[Run], problems: Sequence[Problem], ours: Sequence[str], asked: argparse.Namespace
) -> None:
    """Print the tables, and write JSON and plots where they are asked for."""
    found = experiments(runs, problems)
    document = figures(found, runs, problems, ours)
    show(document, problems)
    if asked.json:
        asked.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    if asked.markdown:
        asked.markdown.write_text(page(document, problems), encoding="utf-8")
    if asked.plots:
        from benchmarks.decisions.plots import draw

        for problem in problems:
            draw(problem, runs, asked.plots)


def figures(
    found: Found, runs: Sequence[Run], problems: Sequence[Problem], ours: Sequence[str]
) -> dict[str, Any]:
    """Return everything that is shown, as plain data."""
    frames = {problem.frame.name: problem.frame for problem in problems}
    counts = {
        name: {
            agent: row(by_problem[name], frame.budget - frame.initial + 1)
            for agent, by_problem in sorted(found.items())
            if name in by_problem
        }
        for name, frame in frames.items()
    }
    peers = {a: p for a, p in found.items() if a not in ours and a not in FREE}
    reference = best_of(peers) if peers else None
    ratios = [
        compare(found, problems, mine, peer) for mine in ours if mine in found for peer in peers
    ]
    cost = {
        name: {
            agent: float(
                np.median(
                    [r.ask_tell_cpu_median for r in runs if r.agent == agent and r.problem == name]
                )
            )
            for agent in found
            if name in found[agent]
        }
        for name in frames
    }
    return {
        "reference": reference,
        "experiments": counts,
        "ratios": ratios,
        "cpu_seconds_per_decision": cost,
        "regret": {problem.frame.name: regret_rows(runs, problem) for problem in problems},
    }


def show(document: Mapping[str, Any], problems: Sequence[Problem]) -> None:
    """Print *document*."""
    frames = {problem.frame.name: problem.frame for problem in problems}
    print("experiments after the initial ones until the target: median (quartiles)")
    for name, agents in document["experiments"].items():
        if not agents:
            continue
        frame = frames[name]
        most = frame.budget - frame.initial
        print(f"\n{name} ({frame.half}; target {frame.why}; at most {most})")
        for agent, entry in agents.items():
            low, high = entry["quartile_low"], entry["quartile_high"]
            spread = f"{entry['median']} ({low} to {high})"
            missed = f"{entry['unsolved']} of {entry['seeds']} never"
            cost = document["cpu_seconds_per_decision"][name][agent]
            print(f"  {agent:24s} {spread:18s} {missed:16s} {cost:.3f} CPU s a decision")
    for comparison in document["ratios"]:
        mark = " (the reference)" if comparison["peer"] == document["reference"] else ""
        print(f"\n{comparison['ours']} / {comparison['peer']}{mark}: geometric mean ratio, 95 %")
        for name, ratio in comparison["pooled"].items():
            print(f"  {name:28s} {Ratio(**ratio)}")
        if mark:
            for name, ratio in comparison["problems"].items():
                print(f"    {name:26s} {Ratio(**ratio)}")
        if comparison["worse"]:
            print(f"  wholly above {WORST}: {', '.join(comparison['worse'])}")
