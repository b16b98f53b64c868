"""What can be set of each agent, with its defaults; read without loading torch."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from agents.cost_options import CostOptions


class SobolOptions(BaseModel):
    """Space-filling search has nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OutcomeConstraint(BaseModel):
    """A measured *outcome* that must be ``at_most`` or ``at_least`` so much, in its unit.

    What keeps it is learned from the experiments; ``agents.space`` has what is known before.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Annotated[str, Field(min_length=1)]
    at_most: Annotated[float, Field(allow_inf_nan=False)] | None = None
    at_least: Annotated[float, Field(allow_inf_nan=False)] | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> "OutcomeConstraint":
        if (self.at_most is None) == (self.at_least is None):
            raise ValueError(f"outcome {self.outcome!r}: state either at_most or at_least")
        return self


class BayesianOptions(BaseModel):
    """Model-based search.

    ``initial`` space-filling experiments come first (by default twice the number of parameters
    over a space, one more than there are over a list; at least 4, at most 12). ``warp`` lets
    skewed outcomes be straightened (Yeo-Johnson) before they are modelled. ``samples`` is the
    number of quasi-random scenarios behind the expected improvement where experiments are noisy
    or pending, ``restarts`` the number of local searches for its maximum.

    ``outcome_constraints`` limit what else is measured. Several objectives are pursued together;
    ``thresholds`` says, by objective and in its unit, what is worth having at all (by default
    just beyond the best trade-offs so far). With ``costs`` the improvement per cost is what counts.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    initial: Annotated[int, Field(ge=1, le=1000)] | None = None
    warp: bool = True
    samples: Annotated[int, Field(ge=16, le=4096)] = 32
    restarts: Annotated[int, Field(ge=1, le=64)] = 6
    outcome_constraints: tuple[OutcomeConstraint, ...] = ()
    thresholds: Mapping[str, Annotated[float, Field(allow_inf_nan=False)]] = {}
    costs: CostOptions | None = None
