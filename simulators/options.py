"""What all that can be chosen about a simulator has in common."""

from pydantic import BaseModel, ConfigDict


class Options(BaseModel):
    """Frozen, nothing unknown, nothing that isn't a finite number."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
