"""What can be set of each agent, with its defaults; read without loading torch."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class SobolOptions(BaseModel):
    """Space-filling search has nothing to set."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class BayesianOptions(BaseModel):
    """Model-based search.

    ``initial`` space-filling experiments come first (by default twice the number of parameters
    over a space, one more than there are over a list; at least 4, at most 12). ``warp`` lets
    skewed outcomes be straightened (Yeo-Johnson) before they are modelled. ``samples`` is the
    number of quasi-random samples behind the expected improvement, ``restarts`` the number of
    local searches for its maximum.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    initial: Annotated[int, Field(ge=1, le=1000)] | None = None
    warp: bool = True
    samples: Annotated[int, Field(ge=16, le=4096)] = 128
    restarts: Annotated[int, Field(ge=1, le=64)] = 4
