"""The rules of an envelope file that count: time, what is used, and people."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from controller.files.units import compatible, convert
from controller.safety.envelope import specs
from controller.safety.envelope.file_values import (
    CountText,
    DurationText,
    SignalName,
    Text,
    parse_amount,
)
from controller.safety.envelope.rules_file import (
    ArrivalRule,
    FollowsRule,
    OwnershipRule,
    PermitRule,
    RateRule,
    ReactingPart,
    RequiresRule,
    RulePart,
)
from controller.safety.envelope.scaled import Scaled
from controller.safety.envelope.specs import Per, Reaction
from controller.safety.envelope.vocabulary import Reader, lasting
from controller.safety.people.people import Role
from instruments.effects import Effect

Persons = Annotated[int, Field(strict=True, ge=1, le=9)]
Share = Annotated[float, Field(strict=True, gt=0, le=1)]


class SequenceRule(ReactingPart):
    """Once `after` was so, `before` may be so only when `needs` was true for so long since."""

    kind: Literal["sequence"] = Field(description="which kind of rule")
    before: Text = Field(description="what must wait: `h2.flow > 0`")
    after: Text = Field(description="what it must wait for, once it was so: `o2.flow > 0`")
    needs: Text = Field(description="what parts the two: `he.flow > 50 mL/min`")
    for_: DurationText = Field(alias="for", description="so long: `120 s`")

    def spec(self, read: Reader) -> specs.Sequence:
        """Return the rule as it is judged."""
        return specs.Sequence(
            **self.common(read),
            before=read.statement("before", self.before),
            after=read.statement("after", self.after),
            needs=read.statement("needs", self.needs),
            for_s=lasting(self.for_),
        )


class BudgetRule(RulePart):
    """How much may be used: it holds at `hold_at` of it, and trips at all of it."""

    kind: Literal["budget"] = Field(description="which kind of rule")
    at_most: CountText = Field(description="`2 L`, `40 MGy`, `48 h`; for `writes` their number")
    per: Per = Field(default=Per.CAMPAIGN, description="it begins anew with each; hour: the last")
    hold_at: Share = Field(default=0.9, description="the share at which the bench holds")
    integral: Text | None = Field(default=None, description="used up over time: `h2.flow`")
    increase: SignalName | None = Field(default=None, description="a counter that only grows")
    amounts: SignalName | None = Field(default=None, description="each write uses what it writes")
    writes: tuple[SignalName, ...] | None = Field(
        default=None, min_length=1, max_length=200, description="each write of these counts one"
    )
    wall_time: Literal[True] | None = Field(default=None, description="the time itself")

    @model_validator(mode="after")
    def _counts_one_thing(self) -> Self:
        counted = (self.integral, self.increase, self.amounts, self.writes, self.wall_time)
        if sum(one is not None for one in counted) != 1:
            raise ValueError(
                "give one of `integral`, `increase`, `amounts`, `writes`, `wall_time: true`"
            )
        return self

    def spec(self, read: Reader) -> specs.Budget:
        """Return the rule as it is judged."""
        common = {**self.common(read), "per": self.per, "hold_at": self.hold_at}
        if self.integral is not None:
            return self._integral(read, self.integral, common)
        if self.writes is not None:
            for i, name in enumerate(self.writes):
                read.signal("writes", name, written=True, at=(i,))
            return specs.Budget(**common, at_most=self._count(read), unit="", writes=self.writes)
        if self.wall_time:
            most = read.amount("at_most", self.at_most, "s")
            return specs.Budget(**common, at_most=most, unit="s", wall_time=True)
        return self._of_signal(read, common)

    def _count(self, read: Reader) -> float:
        value, unit = parse_amount(self.at_most)
        if unit:
            read.fault(("at_most",), f"{self.at_most!r}: writes are counted", "a number alone")
        return value

    def _of_signal(self, read: Reader, common: dict[str, Any]) -> specs.Budget:
        key, name = ("increase", self.increase) if self.increase else ("amounts", self.amounts)
        name = read.signal(key, name or "", written=key == "amounts")
        most, unit = read.in_unit("at_most", self.at_most, name), read.unit(key, name)
        what: dict[str, Any] = {**common, key: name}
        return specs.Budget(**what, at_most=most, unit=unit)

    def _integral(self, read: Reader, text: str, common: dict[str, Any]) -> specs.Budget:
        """Return the budget of an integral, counted in the unit that the file says."""
        expression = read.number("integral", text)
        value, unit = parse_amount(self.at_most)
        by_time = f"{expression.unit}*s" if expression.unit else "s"
        if expression.unit is not None and not compatible(by_time, unit):
            message = f"{text!r} over time is in {by_time}, not in {unit or 'a plain number'}"
            read.fault(("at_most",), message, f"what converts to {by_time}")
        if read.faults:
            return specs.Budget(**common, at_most=value, unit=unit, integral=expression)
        factor = convert(1.0, by_time, unit)
        scaled = expression if factor == 1.0 else Scaled(expression, factor, f"{unit}/s")
        return specs.Budget(**common, at_most=value, unit=unit, integral=scaled)


class DwellRule(ReactingPart):
    """How long something may be so: at a stretch, or (`in_all`) taken together."""

    kind: Literal["dwell"] = Field(description="which kind of rule")
    when: Text = Field(description="`furnace.temperature > 700 degC`")
    at_most: DurationText = Field(description="`2 h`")
    in_all: bool = Field(default=False, strict=True, description="all stretches taken together")

    def spec(self, read: Reader) -> specs.Dwell:
        """Return the rule as it is judged."""
        when = read.statement("when", self.when)
        most = lasting(self.at_most)
        return specs.Dwell(**self.common(read), when=when, at_most_s=most, in_all=self.in_all)


class ApprovalRule(RulePart):
    """So many different people must have approved before something may be done."""

    kind: Literal["approval"] = Field(description="which kind of rule")
    persons: Persons = Field(default=1, description="how many different people")
    role: Role = Field(default=Role.OPERATOR, description="of which role each must be")
    when: Text | None = Field(default=None, description="before this may be so")
    effect: Effect | None = Field(default=None, description="before a plan of this effect is run")

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.when is None) == (self.effect is None):
            raise ValueError("give either `when` (a statement) or `effect` (of a plan)")
        return self

    def spec(self, read: Reader) -> specs.Approval:
        """Return the rule as it is judged."""
        when = read.maybe("when", self.when)
        effect = "" if self.effect is None else self.effect.value
        common = {**self.common(read), "reaction": Reaction.REFUSE}
        return specs.Approval(
            **common, persons=self.persons, role=self.role.value, when=when, effect=effect
        )


Rule = Annotated[
    RequiresRule
    | PermitRule
    | RateRule
    | ArrivalRule
    | FollowsRule
    | OwnershipRule
    | SequenceRule
    | BudgetRule
    | DwellRule
    | ApprovalRule,
    Field(discriminator="kind"),
]
