"""What is said to an agent that another process serves: its terms, and a question.

One message says everything, so that either side may die between two of them.
"""

from dataclasses import fields
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from agents.constraints import ForbiddenRegion, LinearConstraint
from agents.digest import plain
from agents.parameters import Categorical, Continuous, Discrete, Integer, Parameter
from agents.protocols import Objective, Observation, Parameters, Suggestion
from agents.space import Space

KINDS: dict[str, type[Any]] = {
    kind.__name__.lower(): kind for kind in (Continuous, Integer, Discrete, Categorical)
}
BEHIND = "Behind"
"""The error of who doesn't know the engagement, or not all before the question: say everything."""


class SpaceSaid(BaseModel):
    """A space as it travels; ``space()`` raises SpaceError for one that makes no sense."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    parameters: tuple[dict[str, Any], ...]
    """Each with its ``kind``, and what the kind has."""
    constraints: tuple[LinearConstraint, ...] = ()
    forbidden: tuple[ForbiddenRegion, ...] = ()
    pool: tuple[Parameters, ...] | None = None
    once: tuple[str, ...] = ()

    @classmethod
    def of(cls, space: Space) -> Self:
        """Return *space* as it travels."""
        return cls(
            parameters=tuple(map(_said, space.parameters)),
            constraints=space.constraints,
            forbidden=space.forbidden,
            pool=space.pool,
            once=space.once,
        )

    def space(self) -> Space:
        """Return the space."""
        parameters = tuple(map(_heard, self.parameters))
        return Space(parameters, self.constraints, self.forbidden, self.pool, self.once)


def _said(parameter: Parameter) -> dict[str, Any]:
    return {"kind": type(parameter).__name__.lower(), **plain(parameter)}


def _heard(said: dict[str, Any]) -> Any:
    kind = KINDS[said["kind"]]
    given = {field.name: said[field.name] for field in fields(kind) if field.name in said}
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in given.items()})


class Terms(BaseModel):
    """What an agent is made for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    space: SpaceSaid
    objectives: tuple[Objective, ...]
    seed: int
    arguments: dict[str, JsonValue] = Field(default_factory=dict)


class Consult(BaseModel):
    """What is to be tried, knowing *observations* from number *start* on? Answered by Suggested.

    *engagement* is who asks, from one beginning to the next. With *terms* the agent is made anew
    and *start* is 0; without, Failed(``BEHIND``) asks for them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["consult"] = "consult"
    engagement: str = Field(min_length=1, max_length=64)
    terms: Terms | None = None
    start: int = Field(ge=0)
    observations: tuple[Observation, ...]
    count: int = Field(ge=1)
    pending: tuple[Suggestion, ...]
