"""What can be set of each agent, with its defaults; read without loading torch."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    field_validator,
    model_validator,
)

from agents.cost_options import CostOptions, FidelityOptions
from agents.protocols import Value
from agents.transfer_options import EarlierCampaign

SurrogateName = Literal["gp", "mixed", "forest", "deep-kernel", "ensemble", "dropout", "quantile"]


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

    With ``fidelity`` the best outcome at the ``target`` value of a ``parameter`` is sought (a slow
    scan, say), and cheaper experiments at other values are made where they tell more of it for what
    they cost (``costs.measuring``).

    ``surrogate`` is the model of the objective: ``gp`` (what the rest of these words are about),
    ``mixed``, ``forest``, ``deep-kernel``, ``ensemble``, ``dropout``, ``quantile``, or ``choose``:
    the best by cross-validated NLL ``among`` some of them.

    ``transfer`` names earlier campaigns (their folders or journals, seen from the campaign file) of
    the same parameters, units and objectives: what they found is used as far as it turns out to be
    alike. It is read when the campaign begins and kept in its own journal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    initial: Annotated[int, Field(ge=1, le=1000)] | None = None
    warp: bool = True
    samples: Annotated[int, Field(ge=16, le=4096)] = 32
    restarts: Annotated[int, Field(ge=1, le=64)] = 6
    outcome_constraints: tuple[OutcomeConstraint, ...] = ()
    thresholds: Mapping[str, Annotated[float, Field(allow_inf_nan=False)]] = {}
    costs: CostOptions | None = None
    surrogate: Literal[SurrogateName, "choose"] = "gp"
    among: Annotated[tuple[SurrogateName, ...], Field(max_length=7)] = ()
    fidelity: FidelityOptions | None = None
    transfer: Annotated[tuple[EarlierCampaign | str, ...], Field(max_length=8)] = ()

    @model_validator(mode="after")
    def _surrogates_fit_together(self) -> Self:
        if self.among and self.surrogate != "choose":
            raise ValueError("`among` belongs to `surrogate: choose`; it names what is chosen from")
        if len(set(self.among)) != len(self.among) or len(self.among) == 1:
            raise ValueError("`among` names two surrogates or more, each once")
        if self.surrogate != "gp" and (self.transfer or self.fidelity):
            raise ValueError(
                f"surrogate {self.surrogate!r} takes neither transfer nor fidelity: leave it out"
            )
        return self


class SafeOptions(BaseModel):
    """Search that keeps to what is surely safe.

    An experiment may break one of the ``outcome_constraints`` with a probability of ``bound`` at
    most. ``start`` lists points that are known to keep them; they are measured first. Without it,
    experiments that were told and kept them are where it starts. ``warp``, ``samples`` and
    ``restarts`` as for ``bayesian``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome_constraints: Annotated[tuple[OutcomeConstraint, ...], Field(min_length=1)]
    bound: Annotated[float, Field(ge=1e-4, le=0.2)] = 0.05
    start: tuple[dict[str, Value], ...] = ()
    warp: bool = True
    samples: Annotated[int, Field(ge=16, le=4096)] = 32
    restarts: Annotated[int, Field(ge=1, le=64)] = 6

    @model_validator(mode="after")
    def _can_be_kept(self) -> Self:
        names = {limit.outcome for limit in self.outcome_constraints}
        for name in sorted(names):
            limits = [each for each in self.outcome_constraints if each.outcome == name]
            most = min([each.at_most for each in limits if each.at_most is not None], default=None)
            least = max(
                [each.at_least for each in limits if each.at_least is not None], default=None
            )
            if most is not None and least is not None and least >= most:
                raise ValueError(
                    f"outcome {name!r}: nothing is at least {least:g} and at most {most:g}; "
                    "state bounds that leave something between them"
                )
        return self


class MappingOptions(BaseModel):
    """Learning a map, or a boundary, of an ``outcome`` (by default the first objective).

    With ``level`` (in its unit) it is learned where the outcome crosses it; with ``phases`` the
    outcome is the number of a phase, and it is learned where one ends. Otherwise everywhere alike.
    ``initial``, ``warp`` and ``restarts`` as for ``bayesian``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outcome: Annotated[str, Field(min_length=1)] | None = None
    level: Annotated[float, Field(allow_inf_nan=False)] | None = None
    phases: bool = False
    initial: Annotated[int, Field(ge=1, le=1000)] | None = None
    warp: bool = True
    restarts: Annotated[int, Field(ge=1, le=64)] = 6

    @model_validator(mode="after")
    def _one_boundary(self) -> Self:
        if self.phases and self.level is not None:
            raise ValueError("state either level or phases: phases have their own boundaries")
        return self


class PhaseMappingOptions(BaseModel):
    """Mapping the phases of a library, nothing known of them.

    ``pattern`` is how the names of the values begin that make up a pattern, in their order.
    ``components`` are looked for, as many as foretell patterns left out, unless their number is
    given; each may be displaced by ``shift`` values in a pattern (lattices strain). ``initial``
    space-filling patterns come first (by default 6).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pattern: Annotated[str, Field(min_length=1)] = "pattern_"
    components: Annotated[int, Field(ge=1, le=64)] | None = None
    shift: Annotated[int, Field(ge=0, le=16)] = 0
    initial: Annotated[int, Field(ge=1, le=1000)] | None = None


class PatchOptions(BaseModel):
    """Looking closer at the most promising pixels of an image.

    ``x`` and ``y`` are discrete parameters, the places of the pixels; ``look`` is the parameter
    that says what is done: ``survey`` for an image of the whole area, whose pixels come back as
    values that begin with ``image``, row by row; ``closer`` for what is sought at one pixel.
    What is around a pixel is a ``patch`` of so many pixels a side. ``initial`` looks come first,
    at pixels as different as can be.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    x: Annotated[str, Field(min_length=1)] = "x"
    y: Annotated[str, Field(min_length=1)] = "y"
    look: Annotated[str, Field(min_length=1)] = "look"
    survey: Annotated[str, Field(min_length=1)] = "survey"
    closer: Annotated[str, Field(min_length=1)] = "loop"
    image: Annotated[str, Field(min_length=1)] = "image_"
    patch: Annotated[int, Field(ge=1, le=31)] = 7
    initial: Annotated[int, Field(ge=3, le=1000)] = 10

    @field_validator("patch")
    @classmethod
    def _has_a_middle(cls, patch: int) -> int:
        if patch % 2 == 0:
            raise ValueError("a patch has a pixel in its middle: give an odd number")
        return patch


class MemberOptions(BaseModel):
    """One agent of a portfolio: its name and options, as in a campaign file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    options: dict[str, JsonValue] = Field(default_factory=dict)


def _named(value: Any) -> Any:
    return {"name": value} if isinstance(value, str) else value


class PortfolioOptions(BaseModel):
    """Several agents that take turns.

    ``agents`` are their names, or names with options. ``floor`` is the part of all decisions that
    is shared out evenly, however the agents stand: 0.2 and two agents leave each a tenth at least.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    agents: Annotated[
        tuple[Annotated[MemberOptions, BeforeValidator(_named)], ...],
        Field(min_length=2, max_length=16),
    ]
    floor: Annotated[float, Field(gt=0, le=1)] = 0.2


class OperatorOptions(BaseModel):
    """People decide. ``points`` are tried first, in their order; then people are waited for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    points: tuple[dict[str, Value], ...] = ()


_OBJECT = re.compile(r"[^:]*\.py:[A-Za-z_]\w*|[A-Za-z_][\w.]*:[A-Za-z_]\w*")


def _findable(text: str) -> str:
    if not _OBJECT.fullmatch(text):
        raise ValueError("write file.py:function (beside the campaign), or package.module:function")
    return text


class PythonOptions(BaseModel):
    """An agent of the user's own.

    ``object`` names a function, called with space, objectives, seed and the ``arguments``; it
    returns an agent, an optimizer with ``suggest`` and ``ingest``, or an Ax client.
    ``deterministic`` promises that the same observations give the same suggestions: then a
    replay recomputes them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    object: Annotated[str, AfterValidator(_findable)]
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    deterministic: bool = False


class RemoteOptions(BaseModel):
    """An agent that another process serves (`heliostat agent`).

    ``address`` is ``ipc:///path`` or ``tcp://host:port``; over TCP with ``key``, the file of this
    campaign's secret key, and ``server_key``, that of the server's public one. An answer is
    waited for ``timeout_s`` seconds. ``arguments`` go to the function that makes the agent.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    address: Annotated[str, Field(pattern=r"^(ipc:///|tcp://).+")]
    key: str | None = None
    server_key: str | None = None
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 20.0
    arguments: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _keys_belong_to_tcp(self) -> Self:
        keys = (self.key, self.server_key)
        if self.address.startswith("tcp://") and None in keys:
            raise ValueError("over TCP, `key` and `server_key` are needed")
        if self.address.startswith("ipc://") and keys != (None, None):
            raise ValueError("`key` and `server_key` are for TCP only")
        return self
