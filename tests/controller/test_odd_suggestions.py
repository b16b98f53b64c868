"""What becomes of an agent that proposes NaN, infinity, a word, or a million points at once."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from agents.errors import AgentError
from agents.protocols import Observation, Suggestion
from controller.events import ExperimentStarted, ObservationMade, SuggestionCleared, SuggestionMade
from controller.journal import read
from controller.terms import Stop
from tests.support.days import SPACE, Clearing, days


@dataclass
class Odd:
    """Suggests what it is given, and good points after that."""

    first: list[list[Any]]
    told: list[Observation] = field(default_factory=list)
    count: int = 0

    def tell(self, observations: Sequence[Observation]) -> None:
        self.told += observations

    def ask(self, count: int, pending: Sequence[Suggestion] = ()) -> list[Suggestion]:
        if self.first:
            return [_suggested(x) for x in self.first.pop(0)]
        self.count += 1
        return [_suggested(float(self.count))]


def _suggested(x: Any) -> Suggestion:
    return Suggestion({"x": x, "n": 3}, "odd", "odd", 0, 0)


@dataclass
class InSpace(Clearing):
    """Lets pass what is of the space."""

    def refuses(self, suggestion: Suggestion) -> tuple[str, ...]:
        return SPACE.check(suggestion.parameters)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf], ids=["nan", "inf", "minus inf"])
def test_what_no_journal_can_take_ends_the_campaign_in_words_and_nothing_is_lost(tmp_path, odd):
    agent = Odd([[4.0], [odd]])
    with days(tmp_path, agent=agent, clearing=InSpace()) as campaign:
        with pytest.raises(AgentError, match=r"finite numbers.*nothing was run"):
            campaign.run()

        assert len(campaign.state.observations) == 1
    with days(tmp_path, agent=Odd([]), clearing=InSpace()) as again:
        again.run()

        assert again.state.stop_reason == Stop.EXPERIMENTS
        assert len(again.state.observations) == 3


@pytest.mark.parametrize("odd", ["hot", 1e6, -3.0, True], ids=["word", "far", "below", "yes"])
def test_what_is_not_of_the_space_is_refused_in_words_and_the_next_one_runs(tmp_path, odd):
    agent = Odd([[odd]])
    with days(tmp_path, agent=agent, clearing=InSpace()) as campaign:
        campaign.run()

        assert campaign.state.stop_reason == Stop.EXPERIMENTS
    events = [record.event for record in read(tmp_path)]
    first = next(e for e in events if isinstance(e, SuggestionCleared))
    assert not first.allowed
    assert any("x" in reason for reason in first.reasons)
    assert sum(isinstance(e, ExperimentStarted) for e in events) == 3
    assert not next(e for e in events if isinstance(e, ObservationMade)).observation.feasible


def test_a_million_points_at_once_are_refused_and_none_is_journalled(tmp_path):
    agent = Odd([[float(n) for n in range(10**5)]])
    with days(tmp_path, agent=agent, clearing=InSpace()) as campaign:
        with pytest.raises(AgentError, match="100000 suggestions, and one was asked for"):
            campaign.run()

    assert not [r for r in read(tmp_path) if isinstance(r.event, SuggestionMade)]
