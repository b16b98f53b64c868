"""The rules of an envelope file that speak of states: one model for each kind."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from controller.safety.envelope import specs
from controller.safety.envelope.envelope import Limit
from controller.safety.envelope.file_values import (
    AmountText,
    DurationText,
    LevelText,
    RateText,
    SignalName,
    Text,
)
from controller.safety.envelope.specs import Reaction
from controller.safety.envelope.vocabulary import Reader, lasting
from controller.safety.people.people import Role

RuleName = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^\S[^\n\r]*$")]


class RulePart(BaseModel):
    """What every rule has."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, serialize_by_alias=True
    )

    name: RuleName = Field(description="what it is called when it refuses, holds or trips")
    mandatory: bool = Field(
        default=False, strict=True, description="no bypass of it is ever accepted"
    )
    clears_after: DurationText | None = Field(
        default=None, description="so long it must have been kept before it counts as kept again"
    )
    clears_when: Text | None = Field(
        default=None, description="what must be true besides, for that (hysteresis)"
    )
    source: str = Field(default="", description="where it comes from: a paper, a person")

    def common(self, read: Reader) -> dict[str, Any]:
        """Return what every spec has."""
        return {
            "name": self.name,
            "mandatory": self.mandatory,
            "clears_after_s": lasting(self.clears_after),
            "clears_when": read.maybe("clears_when", self.clears_when),
            "source": self.source,
        }


class ReactingPart(RulePart):
    """A rule that says what happens when it is broken."""

    reaction: Reaction = Field(
        default=Reaction.TRIP,
        description="when it is broken while nobody writes; writes are refused in any case",
    )

    def common(self, read: Reader) -> dict[str, Any]:
        """Return what every spec has."""
        return {**super().common(read), "reaction": self.reaction}


class RequiresRule(ReactingPart):
    """Interlock or combination: `requires` is true, always or while `when` isn't surely false."""

    kind: Literal["requires"] = Field(description="which kind of rule")
    requires: Text = Field(description="`exhaust.flow > 2 L/min`")
    when: Text | None = Field(default=None, description="`h2.flow > 0`; without it: always")

    def spec(self, read: Reader) -> specs.Requires:
        """Return the rule as it is judged."""
        requires = read.statement("requires", self.requires)
        when = read.maybe("when", self.when)
        return specs.Requires(**self.common(read), requires=requires, when=when)


class PermitRule(ReactingPart):
    """What must hold to arm and to go on: a statement, or somebody's word that they are there."""

    kind: Literal["permit"] = Field(description="which kind of rule")
    requires: Text | None = Field(default=None, description="`hutch.searched == Yes`")
    role: Role | None = Field(default=None, description="whose presence it is")
    for_: DurationText | None = Field(
        default=None, alias="for", description="how long a person's word counts"
    )

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.requires is None) == (self.role is None):
            raise ValueError("give either `requires` (a statement) or `role` (somebody's presence)")
        if (self.role is None) != (self.for_ is None):
            raise ValueError("`for` says how long a person's word counts: give `role` and `for`")
        return self

    def spec(self, read: Reader) -> specs.Permit:
        """Return the rule as it is judged."""
        requires = read.maybe("requires", self.requires)
        role = "" if self.role is None else self.role.value
        common = self.common(read)
        return specs.Permit(**common, requires=requires, role=role, for_s=lasting(self.for_))


class RateRule(ReactingPart):
    """How fast a signal may change, and how whatever ramps it is told to."""

    kind: Literal["rate"] = Field(description="which kind of rule")
    of: SignalName = Field(description="what ramps: a readback, or a working setpoint")
    at_most: RateText = Field(description="`22 K/min`")
    over: DurationText = Field(default="60 s", description="over how long it is measured")
    target: SignalName | None = Field(default=None, description="what is written to make it ramp")
    ramp_rate: SignalName | None = Field(
        default=None,
        description="of a device that ramps by itself: it must read at most `ramp_at_most` before "
        "`target` is written",
    )
    ramp_at_most: RateText | None = Field(default=None, description="`20 K/min`")
    step: AmountText | None = Field(
        default=None, description="of a device that doesn't ramp: how far `target` may jump: `5 K`"
    )

    @model_validator(mode="after")
    def _says_how(self) -> Self:
        if (self.ramp_rate is None) != (self.ramp_at_most is None):
            raise ValueError("`ramp_rate` and `ramp_at_most` go together")
        if self.target is None and (self.ramp_rate is not None or self.step is not None):
            raise ValueError("`target` is missing: what is written after the ramp rate, or stepped")
        return self

    def spec(self, read: Reader) -> specs.Rate:
        """Return the rule as it is judged."""
        read.unit("of", self.of)
        for key, name in (("target", self.target), ("ramp_rate", self.ramp_rate)):
            if name is not None:
                read.signal(key, name, written=True)
                read.unit(key, name)
        return specs.Rate(
            **self.common(read),
            of=self.of,
            per_s=read.per_second("at_most", self.at_most, self.of),
            over_s=lasting(self.over),
            target=self.target or "",
            ramp_rate=self.ramp_rate or "",
            ramp_at_most=self._ramp(read),
            step=read.in_unit("step", self.step, self.target or "", step=True),
        )

    def _ramp(self, read: Reader) -> float:
        if self.ramp_rate is None or self.ramp_at_most is None:
            return 0.0
        most = read.in_unit("ramp_at_most", self.ramp_at_most, self.ramp_rate)
        fastest = read.per_second("ramp_at_most", self.ramp_at_most, self.of)
        if fastest > read.per_second("at_most", self.at_most, self.of) > 0:
            message = f"{self.ramp_at_most!r} may be asked for, which {self.at_most!r} trips"
            read.fault(("ramp_at_most",), message, f"at most {self.at_most}")
        limit = read.words.limits.get(self.ramp_rate)
        if limit is not None and not isinstance(getattr(limit, "low", None), str):
            low = getattr(limit, "low", 0.0)
            if 0 < most < low:
                message = f"{self.ramp_rate} can't be as low as {self.ramp_at_most!r}"
                read.fault(("ramp_at_most",), message, limit.accepts)
        return most


class ArrivalRule(ReactingPart):
    """Done is not arrived: after each write `readback` is near `setpoint` before a deadline."""

    kind: Literal["arrival"] = Field(description="which kind of rule")
    setpoint: SignalName = Field(description="what is written")
    readback: SignalName = Field(description="what says where it is")
    tolerance: AmountText = Field(description="`2 K`")
    within: DurationText = Field(description="the deadline, beyond what a ramp takes")
    ramp: RateText | None = Field(
        default=None, description="how fast it goes there at least, for a device that ramps"
    )
    begins_within: DurationText | None = Field(
        default=None,
        description="how soon it must be nearer by half of `tolerance`, less than `within`: finds "
        "stuck sensors, dead heaters",
    )

    lowest: LevelText | None = Field(
        default=None,
        description="as low as it goes by itself (`30 degC` for what only cools to the room): "
        "from there down to a setpoint below it has arrived",
    )

    def spec(self, read: Reader) -> specs.Arrival:
        """Return the rule as it is judged."""
        _require_one_unit(read, self.setpoint, self.readback)
        return specs.Arrival(
            **self.common(read),
            setpoint=self.setpoint,
            readback=self.readback,
            tolerance=read.in_unit("tolerance", self.tolerance, self.readback, step=True),
            within_s=lasting(self.within),
            per_s=read.per_second("ramp", self.ramp, self.readback),
            begins_s=self._begins(read),
            lowest=self._lowest(read),
        )

    def _begins(self, read: Reader) -> float:
        begins_s = lasting(self.begins_within)
        if begins_s and not begins_s < lasting(self.within):
            message = f"{self.begins_within!r} isn't over before the deadline `within`"
            read.fault(("begins_within",), message, f"less than {self.within}")
        return begins_s

    def _lowest(self, read: Reader) -> float | None:
        if self.lowest is None:
            return None
        lowest = read.in_unit("lowest", self.lowest, self.readback)
        limit = read.words.limits.get(self.setpoint)
        if isinstance(limit, Limit) and not lowest < limit.high:
            message = f"{self.lowest!r} is no lower than all that may be written: all has arrived"
            read.fault(("lowest",), message, f"less than {limit.high:g} {limit.unit}")
        return lowest


class FollowsRule(ReactingPart):
    """What is read gets no farther from its setpoint than it was: no running away, no drifting."""

    kind: Literal["follows"] = Field(description="which kind of rule")
    setpoint: SignalName = Field(description="what is written")
    readback: SignalName = Field(description="what says where it is")
    tolerance: AmountText = Field(
        description="`20 K`: how much farther away it may go; a write doesn't begin that anew"
    )

    def spec(self, read: Reader) -> specs.Follows:
        """Return the rule as it is judged."""
        _require_one_unit(read, self.setpoint, self.readback)
        return specs.Follows(
            **self.common(read),
            setpoint=self.setpoint,
            readback=self.readback,
            tolerance=read.in_unit("tolerance", self.tolerance, self.readback, step=True),
        )


class OwnershipRule(ReactingPart):
    """A setpoint that changed, and not by a write of ours, breaks it."""

    kind: Literal["ownership"] = Field(description="which kind of rule")
    signals: tuple[SignalName, ...] = Field(
        min_length=1, max_length=200, description="setpoints that nobody else may move"
    )

    def spec(self, read: Reader) -> specs.Ownership:
        """Return the rule as it is judged."""
        for i, name in enumerate(self.signals):
            read.signal("signals", name, written=True, at=(i,))
        return specs.Ownership(**self.common(read), signals=self.signals)


def _require_one_unit(read: Reader, setpoint: str, readback: str) -> None:
    read.signal("setpoint", setpoint, written=True)
    read.signal("readback", readback)
    if readback == setpoint:
        message = f"{readback} is the setpoint itself: it would be there whatever happens"
        read.fault(("readback",), message, "a signal that is measured")
    read.unit("setpoint", setpoint)
    read.unit("readback", readback)
    read.one_unit(setpoint, readback)
