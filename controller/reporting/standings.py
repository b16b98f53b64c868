"""How the agents of a portfolio stand in the end, and who has chosen what."""

from collections.abc import Mapping
from dataclasses import dataclass

from agents.operator import is_of_a_person
from agents.portfolio import FORESIGHT, GAIN, SHARE, chooser_of
from controller.reporting.story import Decision, Story
from controller.state import best_observation


@dataclass(frozen=True, slots=True)
class Standing:
    """One agent: how often it chose, what of that was usable, and its credit at the end."""

    agent: str
    chose: int
    usable: int
    best: bool
    """Whether it chose the best point."""
    share: str
    foresight: str
    gain: str


def standings_of(story: Story) -> list[Standing]:
    """Return how the agents of the campaign's portfolio stand; nothing where it has none.

    People who have chosen points come last.
    """
    fits = [decision.suggestion.fit for decision in story.decisions]
    credited = [fit for fit in fits if any(name.startswith(SHARE) for name in fit)]
    if not credited:
        return []
    last = credited[-1]
    members = [name.removeprefix(SHARE) for name in last if name.startswith(SHARE)]
    choosers = {name: None for one in story.decisions if (name := _chooser(one))}
    found = best_observation(story.state)
    best = None if found is None else found.experiment
    return [_standing(name, story, best, last) for name in dict.fromkeys([*members, *choosers])]


def _chooser(decision: Decision) -> str:
    suggestion = decision.suggestion
    return suggestion.agent if is_of_a_person(suggestion) else chooser_of(suggestion.agent)


def _standing(name: str, story: Story, best: str | None, fit: Mapping[str, float]) -> Standing:
    chosen = [decision for decision in story.decisions if _chooser(decision) == name]
    observed = [one.observation for one in chosen if one.observation is not None]
    share, foresight = fit.get(SHARE + name), fit.get(FORESIGHT + name)
    gain = fit.get(GAIN + name)
    return Standing(
        agent=name,
        chose=len(chosen),
        usable=sum(one.usable for one in observed),
        best=any(one.experiment and one.experiment == best for one in chosen),
        share="" if share is None else f"{100 * share:.0f} %",
        foresight="" if foresight is None else f"{foresight:+.2f}",
        gain="" if gain is None else f"{gain:.2f}",
    )
