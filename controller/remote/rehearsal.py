"""What makes the first answers of a worker as quick as the later ones: it tries itself out."""

import math
from pathlib import Path

import numpy as np

from agents.protocols import Agent, Documents, Measured, Observation, Preparing, Reducer
from controller.benches import Words
from controller.documents import read_run
from controller.events import ExperimentFinished
from controller.plans.planning import planned_calls
from controller.recorded.recording import Recording
from controller.reducers import XanesOptions
from instruments.grids import EnergyGrid

OBSERVATIONS = 13
"""So many points, and an agent's model decides rather than its space-filling beginning."""
COUNTS = 1e6
"""Incident counts of a point of the spectrum that is made up: it has hardly any noise."""


def rehearse_agent(agent: Agent, words: Words) -> None:
    """Have *agent*, which nobody will ask again, decide once on made-up observations.

    It must be one of ours: nobody else is told what isn't true.
    """
    points = words.space.sample(OBSERVATIONS, seed=0)
    agent.tell(
        [
            Observation(
                experiment=f"rehearsal-{number}",
                parameters=point,
                values={o.name: Measured(math.sin(number), 0.1) for o in words.objectives},
            )
            for number, point in enumerate(points)
        ]
    )
    agent.ask(1)


def rehearse_reducer(reducer: Reducer, campaign: Recording) -> None:
    """Have *reducer* reduce the campaign's last run; before there is one, a made-up spectrum.

    Networks are trained by that, for the energies that the campaign measures.
    """
    if isinstance(reducer, Preparing):
        reducer.prepare()
    documents = _last_run(campaign) or _spectrum(campaign)
    if documents:
        reducer.reduce(documents)


def _last_run(campaign: Recording) -> Documents:
    for record in reversed(campaign.records):
        event = record.event
        if isinstance(event, ExperimentFinished) and event.succeeded and event.runs:
            return read_run(campaign.directory, event.runs[-1])
    return ()


def _spectrum(campaign: Recording) -> Documents:
    """Return a run that measured a reference of the campaign on its grid; empty without them."""
    resolved, space = campaign.resolved, campaign.words.space
    chosen = resolved.campaign.reducer
    points = space.sample(1, seed=0)
    if chosen is None or chosen.name != "xanes" or not points:
        return ()
    grid = getattr(planned_calls(resolved.campaign, space)[0].recipe(points[0]), "grid", None)
    if not isinstance(grid, EnergyGrid):
        return ()
    from models.spectra.references import load_references

    options = XanesOptions.model_validate(chosen.options)
    reference = next(iter(load_references(Path(options.references)).spectra.values()))[0]
    energy = grid.energies()
    signal = COUNTS * np.interp(energy, reference.energy, reference.mu)
    incident = np.full(energy.size, COUNTS)
    data = {options.energy: energy, options.i0: incident, options.signal: signal}
    return (
        ("start", {"uid": "rehearsal"}),
        ("descriptor", {"uid": "stream", "run_start": "rehearsal", "name": "primary"}),
        ("event", {"descriptor": "stream", "data": data}),
        ("stop", {"run_start": "rehearsal"}),
    )
