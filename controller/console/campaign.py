"""What the campaign's journal says, for those who ask over HTTP: plain data, folded as it grows."""

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from agents.digest import plain
from agents.protocols import Observation
from controller.benches import words_of
from controller.bus.gate_status import Status
from controller.console.errors import Refusal
from controller.events import CampaignRevised
from controller.files.campaign import Campaign
from controller.history import resolved_of
from controller.journal import Record, read
from controller.outcome.progress import best_of, count_of, fraction_done
from controller.outcome.summary import summary_of
from controller.recorded.following import Follower
from controller.recorded.recording import carried
from controller.reporting.story import Decision, decisions_of
from controller.state import CampaignState, best_observation
from controller.terms import terms_of

SHORTEST = 4
"""An id is known by so many of its characters; fewer may be meant as a number."""


class CampaignView:
    """The campaign in *directory*; ``catch_up`` in one thread, all else in any.

    Raises NoCampaign, JournalBroken.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        resolved = resolved_of(read(directory), directory)
        self.name = resolved.campaign.name
        self.simulated = resolved.beamline.twin is not None or resolved.beamline.table is not None
        self._take(resolved.campaign)
        self._follower = Follower(
            directory, terms_of(resolved.campaign, words_of(resolved).objectives), self._hear
        )
        self._lock = threading.Lock()
        self.catch_up()

    def catch_up(self) -> None:
        """Take in what was journalled since."""
        with self._lock:
            self._follower.catch_up()

    @property
    def state(self) -> CampaignState:
        """The state by the latest record that was read."""
        return self._follower.state

    def close(self) -> None:
        """Close the journal."""
        with self._lock:
            self._follower.close()

    def _hear(self, record: Record, _state: CampaignState) -> None:
        if isinstance(record.event, CampaignRevised):
            self._take(Campaign.model_validate(record.event.campaign["campaign"]))

    def _take(self, campaign: Campaign) -> None:
        self.autonomy = campaign.autonomy.value
        self.objectives = campaign.model_dump(mode="json", exclude_none=True)["objectives"]

    def require(self, known: str) -> CampaignState:
        """Return the state of the campaign called *known*, its id; raises Refusal for another."""
        state = self.state
        if known != state.campaign_id:
            raise Refusal(
                404,
                "no_campaign",
                f"no campaign {known!r} here; this console shows {state.campaign_id}",
            )
        return state

    def summary(self) -> dict[str, Any]:
        """Return the campaign in short."""
        state = self.state
        return {
            "id": state.campaign_id,
            **summary_of(state, self.name, str(self.directory)),
            "autonomy": self.autonomy,
            "objectives": self.objectives,
            "progress": {"done": fraction_done(state), "count": count_of(state)},
            "best_in_words": best_of(state),
        }

    def experiments(self, after: int, limit: int) -> dict[str, Any]:
        """Return up to *limit* experiments past the *after*-th (from 1), in the order they came."""
        told = self.state.observations
        page = told[after : after + limit]
        return {
            "total": len(told),
            "next": after + len(page) if after + len(page) < len(told) else None,
            "experiments": [_row(after + i, one) for i, one in enumerate(page, start=1)],
        }

    def best(self) -> dict[str, Any]:
        """Return the best observation; its place is empty before there is one."""
        found = best_observation(self.state)
        return {"best": None if found is None else plain(found), "in_words": best_of(self.state)}

    def budget(self) -> dict[str, Any]:
        """Return what there is to use up, and what is used; times in seconds."""
        state = self.state
        terms = state.terms
        return {
            "experiments": {"used": len(state.observations), "of": terms.experiments},
            "duration_s": {"used": state.latest - state.started, "of": terms.duration_s},
            "stock": {
                name: {"used": state.used.get(name, 0.0), "of": amount}
                for name, amount in terms.stock.items()
            },
            "done": fraction_done(state),
        }

    def why(self, which: str) -> dict[str, Any]:
        """Return why decision *which* was made: a number from 1, or how an id begins.

        As the journal has it, without the agent: what a person sees is what was recorded.
        """
        decision = _found(decisions_of(read(self.directory)), which)
        suggestion = decision.suggestion
        return {
            "decision": decision.number,
            "in_words": carried(suggestion),
            "suggestion": plain(suggestion),
            "verdict": plain(decision.verdict),
            "refused": list(decision.refused),
            "experiment": decision.experiment,
            "outcome": decision.outcome,
            "observation": plain(decision.observation),
        }


def standing(view: CampaignView, gate: Status | None, problem: str) -> dict[str, Any]:
    """Return how things stand, in one word and at length; *problem* says why no gate is known."""
    state = view.state
    word, cause = _word(state, gate)
    return {
        "word": word,
        "cause": cause,
        "simulated": view.simulated,
        "campaign": {
            "id": state.campaign_id,
            "name": view.name,
            "experiments": state.experiments,
            "autonomy": view.autonomy,
            "best_in_words": best_of(state),
            "done": fraction_done(state),
            "running": None if state.running is None else state.running.experiment_id,
            "stopped_because": state.stop_reason,
            "latest": state.latest,
        },
        "gate": None if gate is None else gate.model_dump(mode="json"),
        "gate_problem": problem,
    }


def _word(state: CampaignState, gate: Status | None) -> tuple[str, str]:
    if gate is not None and gate.state in ("safing", "latched"):
        cause = "" if gate.cause is None else gate.cause.reason
        return "TRIPPED", cause
    if gate is not None and gate.state == "hold":
        return "HELD", "; ".join(f"{one.name}: {one.reason}" for one in gate.holds)
    if gate is not None and gate.state == "maintenance":
        return "MAINTENANCE", ", ".join(f"{device}: {who}" for device, who in gate.taken.items())
    if state.stop_reason:
        return "ENDED", state.stop_reason
    if gate is None:
        return "UNKNOWN", "no gate answers"
    return gate.state.upper(), gate.advice


def _found(decisions: Sequence[Decision], which: str) -> Decision:
    if which.isdecimal() and len(which) < SHORTEST + 2 and 1 <= int(which) <= len(decisions):
        return decisions[int(which) - 1]
    found = [one for one in decisions if len(which) >= SHORTEST and _is_called(one, which)]
    if len(found) == 1:
        return found[0]
    what = "more than one decision" if found else "no decision"
    raise Refusal(
        404,
        "no_suggestion",
        f"{which!r} is {what}; accepted: a number from 1 to {len(decisions)}, or how the id of a "
        "suggestion or an experiment begins",
    )


def _is_called(decision: Decision, which: str) -> bool:
    names = (decision.suggestion.id, decision.experiment)
    return any(name.startswith(which) for name in names if name)


def _row(number: int, one: Observation) -> dict[str, Any]:
    return {
        "number": number,
        "experiment": one.experiment,
        "parameters": dict(one.parameters),
        "values": {name: plain(value) for name, value in one.values.items()},
        "verdict": one.quality.verdict.value,
        "feasible": one.feasible,
        "reasons": list(one.quality.reasons),
        "chosen_by": one.chosen_by,
    }
