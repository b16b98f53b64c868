"""A recorded campaign again: every decision recomputed and compared, or another agent instead."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from agents.catalogue import read_options
from agents.digest import plain
from agents.errors import AgentOptionError
from agents.protocols import Agent
from controller.campaign import Autonomy, Chosen
from controller.errors import ConfigurationError
from controller.events import CampaignStopped, ObservationMade, SuggestionMade
from controller.loop import Listener
from controller.reading import read_yaml
from controller.recording import Recording, recording
from controller.state import CampaignState, apply
from controller.terms import Stop, terms_of
from controller.validation import validated
from controller.versions import changed, versions
from controller.wiring import open_session

ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Difference:
    """The first field of a decision that comes out differently, and both of its values."""

    decision: int
    """Counted from 1."""
    suggestion: str
    field: str
    recorded: Any
    recomputed: Any

    def __str__(self) -> str:
        return (
            f"decision {self.decision} (suggestion {self.suggestion}): {self.field}: "
            f"recorded {self.recorded!r}, recomputed {self.recomputed!r}"
        )


@dataclass(frozen=True, slots=True)
class Comparison:
    """How many decisions were compared, the first difference, and what runs in other versions."""

    campaign: str
    decisions: int
    difference: Difference | None
    drift: tuple[str, ...]


def compare(
    recorded: Recording, watch: Callable[[int], None] = lambda _decisions: None
) -> Comparison:
    """Recompute the decisions of *recorded* in order, up to the first that differs.

    *watch* is told the number of decisions that agree so far.
    """
    agent = recorded.agent()
    state = CampaignState(terms_of(recorded.resolved.campaign, recorded.words.objectives))
    decisions, difference = 0, None
    for record in recorded.records:
        event = record.event
        if isinstance(event, SuggestionMade):
            difference = _difference(agent, state, event, decisions + 1)
        elif isinstance(event, CampaignStopped) and event.reason == Stop.POOL:
            difference = _more_to_offer(agent, state, decisions + 1)
        elif isinstance(event, ObservationMade):
            agent.tell([event.observation])
        if difference is not None:
            break
        decisions += isinstance(event, SuggestionMade)
        watch(decisions)
        state = apply(state, event, record.stamp)
    drift = changed(recorded.started.versions, versions())
    return Comparison(recorded.resolved.campaign.name, decisions, difference, drift)


def _difference(
    agent: Agent, state: CampaignState, event: SuggestionMade, number: int
) -> Difference | None:
    suggestion = event.suggestion
    again = agent.ask(1, [state.suggestions[name] for name in state.pending])
    if not again:
        return Difference(number, suggestion.id, "suggestion", suggestion.parameters, "none")
    named = replace(again[0], id=suggestion.id, pending=state.pending)
    found = first_difference(plain(suggestion), plain(named))
    if found is None and named.digest(state.limits) != event.digest:
        found = "digest", event.digest, named.digest(state.limits)
    return None if found is None else Difference(number, suggestion.id, *found)


def _more_to_offer(agent: Agent, state: CampaignState, number: int) -> Difference | None:
    again = agent.ask(1, [state.suggestions[name] for name in state.pending])
    if not again:
        return None
    return Difference(number, "none", "suggestion", Stop.POOL.value, dict(again[0].parameters))


def first_difference(recorded: Any, recomputed: Any, way: str = "") -> tuple[str, Any, Any] | None:
    """Return where two plain values first differ, and both values there; None where they're equal.

    Numbers are equal only bit for bit; the order of keys says nothing.
    """
    if isinstance(recorded, dict) and isinstance(recomputed, dict):
        pairs = {
            key: (recorded.get(key, ABSENT), recomputed.get(key, ABSENT))
            for key in sorted(recorded.keys() | recomputed.keys())
        }
    elif (
        isinstance(recorded, list)
        and isinstance(recomputed, list)
        and len(recorded) == len(recomputed)
    ):
        pairs = dict(enumerate(zip(recorded, recomputed, strict=True)))
    else:
        return None if recorded == recomputed else (way, recorded, recomputed)
    for key, (one, other) in pairs.items():
        found = first_difference(one, other, f"{way}.{key}" if way else str(key))
        if found is not None:
            return found
    return None


def read_agent(file: Path) -> Chosen:
    """Return the agent that *file* names: its keys ``name`` and ``options``, or its ``agent``'s.

    Raises ConfigurationError for a file that names none, or one that isn't there.
    """
    source = read_yaml(file)
    if source.problems:
        raise ConfigurationError(problems=source.problems)
    of_campaign = isinstance(source.data, dict) and "agent" in source.data
    chosen, problems = validated(Chosen, source, ("agent",) if of_campaign else ())
    if chosen is None:
        raise ConfigurationError(problems=problems)
    try:
        read_options(chosen.name, chosen.options)
    except AgentOptionError as error:
        raise ConfigurationError(f"{file}: {error}") from error
    return chosen


def rerun(recorded: Recording, agent: Chosen, directory: Path, listener: Listener) -> Recording:
    """Run the campaign *recorded* again under *agent* in *directory*: same bench, same seed.

    Nobody is asked. Raises ConfigurationError for a live bench, which can't be had again.
    """
    resolved = recorded.resolved
    if resolved.beamline.twin is None:
        raise ConfigurationError(
            f"{recorded.directory}: ran on the live beamline {resolved.beamline.name!r}, which "
            "can't be replayed under another agent; only simulated and recorded benches can"
        )
    changes = {"agent": agent, "autonomy": Autonomy.AUTONOMOUS, "seed": recorded.started.seed}
    campaign = resolved.campaign.model_copy(update=changes)
    again = resolved.model_copy(update={"campaign": campaign})
    with open_session(again, directory, listener) as session:
        session.loop.run()
    return recording(directory)
