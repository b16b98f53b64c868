"""What makes the first answers of a worker as quick as the later ones: it tries itself out."""

import math

from agents.protocols import Agent, Measured, Observation, Reducer
from controller.benches import Words
from controller.documents import read_run
from controller.events import ExperimentFinished
from controller.recording import Recording

OBSERVATIONS = 13
"""So many points, and an agent's model decides rather than its space-filling beginning."""


def rehearse_agent(agent: Agent, words: Words) -> None:
    """Have *agent*, which nobody will ask again, decide once on made-up observations."""
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
    """Have *reducer* reduce the last run of the campaign, if there is one yet."""
    runs = [
        run
        for record in campaign.records
        if isinstance(record.event, ExperimentFinished) and record.event.succeeded
        for run in record.event.runs[-1:]
    ]
    if runs:
        reducer.reduce(read_run(campaign.directory, runs[-1]))
