"""A recorded campaign again: every decision recomputed and compared, or another agent instead."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from agents.catalogue import SAFE, can_be_recomputed, read_options
from agents.digest import plain
from agents.errors import AgentOptionError
from agents.fallback import MODEL as FALLBACK
from agents.fallback import space_filling
from agents.operator import is_of_a_person
from agents.protocols import Measured, Observation, Suggestion
from agents.sobol import NAME as SPACE_FILLING
from agents.space import Space
from controller.benches import agent_of, installed, words_of
from controller.corrections import suggestion_of
from controller.earlier import with_earlier
from controller.errors import ConfigurationError
from controller.events import (
    CampaignRevised,
    CampaignStopped,
    Event,
    ExperimentStarted,
    PointAwaited,
    SuggestionMade,
)
from controller.files.campaign import Autonomy, Chosen
from controller.files.reading import read_yaml
from controller.files.validation import validated
from controller.folding import apply
from controller.journal import Record
from controller.loop import Listener
from controller.recorded.recording import Recording, recording
from controller.resolving import ResolvedCampaign, own_files, with_absolute_files
from controller.state import CampaignState
from controller.terms import Stop, terms_of
from controller.versions import changed, file_digests, versions
from controller.wiring import open_session

ABSENT = "absent"
NO_MORE = (Stop.POOL, Stop.NOTHING_SAFE)
"""Ends of which the agent has nothing more to suggest."""


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
    """How many decisions were compared, the first difference, and what runs in other versions.

    ``once`` is how many more there are that can be had only once: their agent is another
    process's, or promises nothing. They are what the journal says, and were not recomputed.
    """

    campaign: str
    decisions: int
    difference: Difference | None
    drift: tuple[str, ...]
    once: int = 0


def compare(
    recorded: Recording, watch: Callable[[int], None] = lambda _decisions: None
) -> Comparison:
    """Recompute the decisions of *recorded* in order, up to the first that differs.

    Each with the observations known at its time, as they were then: before they were corrected,
    and without the last of them where it was made while that one was measured. *watch* is told
    the number of decisions that agree so far.
    """
    again = Again(recorded)
    decisions, once, difference = 0, 0, None
    for record in recorded.records:
        event = record.event
        if isinstance(event, SuggestionMade) and again.can_be_had_once(event.suggestion):
            once += 1
        elif isinstance(event, SuggestionMade):
            difference = again.difference(event, decisions + once + 1)
            decisions += difference is None
        elif _had_no_more(event) and again.recomputable:
            said = event.reason if isinstance(event, CampaignStopped) else Stop.POOL.value
            difference = again.more_to_offer(decisions + once + 1, said)
        if difference is not None:
            break
        watch(decisions + once)
        again.follow(record)
    drift = changed(recorded.started.versions, versions())
    drift += _changed_files(recorded)
    return Comparison(recorded.resolved.campaign.name, decisions, difference, drift, once)


def _had_no_more(event: Event) -> bool:
    """Whether *event* says that the agent had nothing to suggest."""
    return isinstance(event, PointAwaited) or (
        isinstance(event, CampaignStopped) and event.reason in NO_MORE
    )


def _changed_files(recorded: Recording) -> tuple[str, ...]:
    """Return which files of the user's own agent aren't as they were when it began."""
    before = recorded.started.digests
    files = own_files(recorded.began.campaign.agent)
    now = file_digests(files)
    other = [path for path in files if path in before and before[path] != now.get(path)]
    return tuple(f"{p}: {before[p][:12]} then, {now.get(p, 'gone')[:12]} now" for p in other)


class Again:
    """The campaign once more, as far as it was decided: an agent that is told what was known."""

    def __init__(self, recorded: Recording, chosen: Chosen | None = None) -> None:
        """Decide by the agent *chosen*, or by that of the campaign."""
        self._chosen = chosen
        self._resolved = recorded.began
        same = self._resolved == recorded.resolved
        self._words = recorded.words if same else words_of(self._resolved)
        self.state = CampaignState(terms_of(self._resolved.campaign, self._words.objectives))
        self._seed = recorded.started.seed
        self._told: tuple[Observation, ...] = ()
        self._begun: tuple[int, tuple[str, ...]] = (-1, ())
        """What was known, and pending, when the last experiment began."""
        self._forget()

    @property
    def space(self) -> Space:
        """The space that is searched now."""
        return self._words.space

    def follow(self, record: Record) -> None:
        """Take in one more record."""
        self.state = apply(self.state, record.event, record.stamp)
        if isinstance(record.event, ExperimentStarted):
            self._begun = len(self.state.observations), self.state.pending
        elif isinstance(record.event, CampaignRevised):
            self._resolved = ResolvedCampaign.model_validate(record.event.campaign)
            self._words, self._seed = words_of(self._resolved), self._resolved.campaign.seed
            self._forget()

    def difference(self, event: SuggestionMade, number: int) -> Difference | None:
        """Return where decision *number* comes out differently, None where it doesn't."""
        suggestion, state = event.suggestion, self.state
        known, pending = self.then(suggestion)
        if is_of_a_person(suggestion):
            again = self._taken_up()
        else:
            again = self.ask(known, pending, suggestion)
        if again is None:
            return Difference(number, suggestion.id, "suggestion", suggestion.parameters, "none")
        named = replace(again, id=suggestion.id, pending=pending)
        found = first_difference(plain(suggestion), plain(named))
        if found is None and named.digest(state.limits) != event.digest:
            found = "digest", event.digest, named.digest(state.limits)
        return None if found is None else Difference(number, suggestion.id, *found)

    def _taken_up(self) -> Suggestion | None:
        """Return the suggestion that the first of people's points is, None where none waits."""
        if not self.state.proposed:
            return None
        return suggestion_of(self.state.proposed[0], len(self.state.observations), self._seed)

    @property
    def recomputable(self) -> bool:
        """Whether the agent decides the same again when it knows the same."""
        return can_be_recomputed(self._deciding.name, self._deciding.options)

    @property
    def _deciding(self) -> Chosen:
        """Who decides now."""
        return self._resolved.campaign.agent if self._chosen is None else self._chosen

    def can_be_had_once(self, suggestion: Suggestion) -> bool:
        """Whether *suggestion* was made by who may decide otherwise when asked again."""
        ours = is_of_a_person(suggestion) or _is_fallback(suggestion)
        return not ours and not self.recomputable

    def more_to_offer(self, number: int, said: str) -> Difference | None:
        """Return what is suggested where nothing was, as is *said*; None where nothing is."""
        again = self.ask(len(self.state.observations), self.state.pending)
        if again is None:
            return None
        return Difference(number, "none", "suggestion", said, dict(again.parameters))

    def ask(
        self, known: int, pending: tuple[str, ...], instead_of: Suggestion | None = None
    ) -> Suggestion | None:
        """Return what is decided with the first *known* observations; None where nothing is."""
        told = self.state.observations[:known]
        waiting = [self.state.suggestions[name] for name in pending]
        replaceable = self._deciding.name != SAFE
        if instead_of is not None and _is_fallback(instead_of) and replaceable:
            space, seed = self._words.space, self._seed
            found = space_filling(space, seed, told, waiting, "nobody decided")
            return replace(found[0], note=instead_of.note) if found else None
        self._tell(told)
        found = self._agent.ask(1, waiting)
        return found[0] if found else None

    def then(self, suggestion: Suggestion) -> tuple[int, tuple[str, ...]]:
        """Return what was known, and pending, when *suggestion* was made."""
        known, pending = self._begun
        if suggestion.known == known < len(self.state.observations):
            return known, pending
        return len(self.state.observations), self.state.pending

    def _tell(self, observations: tuple[Observation, ...]) -> None:
        if self._told != observations[: len(self._told)]:
            self._forget()
        news = observations[len(self._told) :]
        if news:
            self._agent.tell(news)
        self._told = observations

    def _forget(self) -> None:
        changes = {} if self._chosen is None else {"agent": self._chosen}
        campaign = self._resolved.campaign.model_copy(update=changes)
        self._agent = agent_of(campaign, self._words, self._seed)
        self._told = ()


def _is_fallback(suggestion: Suggestion) -> bool:
    """Whether nobody decided, and *suggestion* fills space instead."""
    return suggestion.model == FALLBACK and suggestion.agent == SPACE_FILLING


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
    chosen = with_absolute_files(chosen, file.resolve().parent)
    try:
        read_options(chosen.name, chosen.options)
    except AgentOptionError as error:
        raise ConfigurationError(f"{file}: {error}") from error
    return chosen


def _knowing(recorded: Recording, agent: Chosen) -> Chosen:
    """Return *agent* with what earlier campaigns found where it names any."""
    words = recorded.words
    return with_earlier(agent, words.space, words.objectives, installed().read_table)


def rerun(recorded: Recording, agent: Chosen, directory: Path, listener: Listener) -> Recording:
    """Run the campaign *recorded* again under *agent* in *directory*: same bench, same seed.

    Nobody is asked. Raises ConfigurationError for a live bench, which can't be had again: see
    ``redecide``.
    """
    resolved = recorded.resolved
    if resolved.beamline.twin is None:
        raise ConfigurationError(
            f"{recorded.directory}: ran on the live beamline {resolved.beamline.name!r}, which "
            "can't be had again under another agent; what it would have suggested can be"
        )
    agent = _knowing(recorded, agent)
    changes = {"agent": agent, "autonomy": Autonomy.AUTONOMOUS, "seed": recorded.started.seed}
    campaign = resolved.campaign.model_copy(update=changes)
    again = resolved.model_copy(update={"campaign": campaign})
    with open_session(again, directory, listener) as session:
        session.loop.run()
    return recording(directory)


@dataclass(frozen=True, slots=True)
class Redecision:
    """What another agent would have suggested where *done* was, knowing what was known then."""

    decision: int
    """Counted from 1."""
    done: Suggestion
    instead: Suggestion | None
    """None where it had nothing to suggest."""
    distance: float | None
    """Between the two, as the root mean square over the columns of the unit cube (0 to 1)."""
    measured: Mapping[str, Measured]
    """What was then measured at the point that was done; the other is unknown."""


def redecide(
    recorded: Recording, agent: Chosen, watch: Callable[[int], None] = lambda _decisions: None
) -> list[Redecision]:
    """Return what *agent* would have suggested at each decision of *recorded*.

    It is told what was really measured, at the points that were really tried: what its own
    suggestions would have given nobody knows. Where a decision was made while the experiment
    before it was measured, it doesn't know that one either.
    """
    again = Again(recorded, _knowing(recorded, agent))
    outcomes = _outcomes(recorded.state)
    decisions: list[Redecision] = []
    for record in recorded.records:
        if isinstance(record.event, SuggestionMade):
            done = record.event.suggestion
            instead = again.ask(*again.then(done))
            apart = None if instead is None else _distance(again.space, done, instead)
            values = outcomes.get(done.id, {})
            decisions.append(Redecision(len(decisions) + 1, done, instead, apart, values))
            watch(len(decisions))
        again.follow(record)
    return decisions


def _outcomes(state: CampaignState) -> dict[str, Mapping[str, Measured]]:
    """Return what was measured, by the id of the suggestion."""
    return {
        state.begun[one.experiment]: one.values
        for one in state.observations
        if one.experiment in state.begun and one.usable
    }


def _distance(space: Space, one: Suggestion, other: Suggestion) -> float:
    places = space.encode([one.parameters, other.parameters])
    return float(np.sqrt(np.mean(np.square(places[0] - places[1]))))
