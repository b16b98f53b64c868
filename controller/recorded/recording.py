"""A campaign as its journal tells it, whether it is over or was cut off: nothing is run here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agents.errors import AgentError
from agents.operator import is_of_a_person
from agents.protocols import Agent, Suggestion
from controller.benches import Words, agent_of, words_of
from controller.events import CampaignStarted
from controller.history import fold, resolved_of, started_of
from controller.journal import Record, read
from controller.resolving import ResolvedCampaign
from controller.state import CampaignState
from controller.terms import terms_of


@dataclass(frozen=True, slots=True)
class Recording:
    """All that is known of a campaign in ``directory``."""

    directory: Path
    records: tuple[Record, ...]
    started: CampaignStarted
    resolved: ResolvedCampaign
    """The campaign in force: as it began, or as it was last revised."""
    words: Words

    @property
    def began(self) -> ResolvedCampaign:
        """The campaign as it began."""
        return ResolvedCampaign.model_validate(self.started.campaign)

    @property
    def state(self) -> CampaignState:
        """The state at the end of the journal."""
        return fold(list(self.records), terms_of(self.began.campaign, self.words.objectives))

    def explain(self) -> Callable[[Suggestion], str]:
        """Return what says why a suggestion was made; from what it carries where its agent is gone.

        A user's own agent may be: its file was removed, or raises by now.
        """
        try:
            agent = self.agent()
        except AgentError:
            return carried
        return lambda one: carried(one) if is_of_a_person(one) else agent.explain(one)

    def agent(self) -> Agent:
        """Return the campaign's agent as it was at the beginning: told nothing."""
        seed = self.state.seed
        return agent_of(self.resolved.campaign, self.words, seed)


def carried(suggestion: Suggestion) -> str:
    """Return why *suggestion* was made, as far as it says so itself."""
    allowed = f", allowed for {len(suggestion.pending)} pending" if suggestion.pending else ""
    return (
        f"{suggestion.note} Made by {suggestion.agent}; {suggestion.known} observations were known"
        f"{allowed}."
    )


def recording(directory: Path) -> Recording:
    """Return the campaign in *directory*; raises JournalBroken for a journal that is broken."""
    records = read(directory)
    started = started_of(records, directory)
    resolved = resolved_of(records, directory)
    return Recording(directory, tuple(records), started, resolved, words_of(resolved))
