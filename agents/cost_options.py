"""What a campaign can state of the costs of its experiments."""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Rate = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Travel(BaseModel):
    """The cost of moving a parameter by one unit, ``up`` and ``down``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    up: Rate = 0.0
    down: Rate = 0.0


def _both_ways(cost: object) -> object:
    """Return one number as the cost of both ways."""
    plain = isinstance(cost, (int, float)) and not isinstance(cost, bool)
    return {"up": cost, "down": cost} if plain else cost


class CostOptions(BaseModel):
    """What an experiment costs, all in one unit (seconds, say).

    Each costs ``experiment``; ``moving`` costs by parameter for each unit of the way from the
    experiment before (a number, or ``up`` and ``down``: heating and cooling), ``changing`` once
    where the value of a parameter differs (another sample), ``measuring`` for each unit of the
    parameter's value (counting time).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    experiment: Annotated[float, Field(gt=0, allow_inf_nan=False)]
    moving: Mapping[str, Annotated[Travel, BeforeValidator(_both_ways)]] = {}
    changing: Mapping[str, Rate] = {}
    measuring: Mapping[str, Rate] = {}


class FidelityOptions(BaseModel):
    """The *parameter* by which an experiment tells more and costs more, and its *target* value."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parameter: Annotated[str, Field(min_length=1)]
    target: Annotated[float, Field(allow_inf_nan=False)]
