"""What an agent is given of earlier campaigns: their observations, as they were when it began."""

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.digest import digest_of
from agents.protocols import Value

Finite = Annotated[float, Field(allow_inf_nan=False)]


class EarlierExperiment(BaseModel):
    """One experiment: what was set, and mean and sigma of each outcome, in its unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parameters: dict[str, Value]
    values: Mapping[str, tuple[Finite, Finite]]


class EarlierCampaign(BaseModel):
    """What a campaign found: its *name*, its *journal*, and the *digest* of what is taken of it.

    Kept with the campaign that uses it, so that it can be resumed and replayed when the journal
    has grown or is gone.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    journal: str
    digest: str
    experiments: Annotated[tuple[EarlierExperiment, ...], Field(min_length=1)]

    @classmethod
    def of(cls, name: str, journal: str, experiments: tuple[EarlierExperiment, ...]) -> Self:
        """Return what is taken of a campaign, with its digest."""
        return cls(name=name, journal=journal, digest=_digest(experiments), experiments=experiments)

    @model_validator(mode="after")
    def _is_what_was_taken(self) -> Self:
        if self.digest != _digest(self.experiments):
            raise ValueError(
                f"experiments of {self.journal} aren't those that were taken: their digest is "
                f"{_digest(self.experiments)[:12]}, not {self.digest[:12]}; name the journal again"
            )
        return self


def _digest(experiments: tuple[EarlierExperiment, ...]) -> str:
    return digest_of([experiment.model_dump(mode="json") for experiment in experiments])
