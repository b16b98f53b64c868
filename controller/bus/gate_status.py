"""Where the gate stands, as it is told to consoles and terminals: plain values alone."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Told(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CauseTold(_Told):
    """Why the gate tripped, or what came after: *at* in campaign seconds since 1970."""

    kind: str
    rule: str = ""
    reason: str
    at: float = 0.0


class RuleTold(_Told):
    """A rule: whether it is kept, by how much, and how much of a budget is used."""

    name: str
    kind: str
    kept: bool
    reason: str = ""
    margin: float | None = None
    unit: str = ""
    used: float | None = None
    """The part of a budget, 0 to 1."""
    bypassed_for_s: float | None = None


class HoldTold(_Told):
    """Something that holds the bench; *by* is empty where a rule does."""

    name: str
    reason: str
    by: str = ""


class LeaseTold(_Told):
    """Who must be alive, and for how long (real s) a sign of life still counts."""

    holder: str
    held: bool
    left_s: float | None = None


class BypassTold(_Told):
    """A bypass of a rule, in force or waiting for the second person."""

    rule: str
    by: tuple[str, ...]
    reason: str
    in_force: bool
    left_s: float


class ApprovalTold(_Told):
    """What *by*, with these roles, has approved, and for how long yet (real s)."""

    digest: str
    by: str
    roles: tuple[str, ...]
    left_s: float


class Status(_Told):
    """All that there is to know of the gate at one moment."""

    kind: Literal["status"] = "status"
    boot: str
    """Another one whenever a gate starts: commands name it, so that none can be replayed."""
    state: str
    limits: str
    """The digest of the limits in force."""
    advice: str = ""
    """What to do, where something is to be done."""
    cause: CauseTold | None = None
    """The first; it stays until the reset."""
    consequences: tuple[CauseTold, ...] = ()
    occurrence: int = 0
    """Names what there is to acknowledge: another one as soon as something comes after it."""
    acknowledged: bool = False
    released_by: str = ""
    """Who has reset it last, and why; empty before that."""
    released_for: str = ""
    safe_reached: tuple[str, ...] = ()
    safe_failed: dict[str, str] = {}
    approving: str = ""
    """The digest that approvals must name for what was last asked to run; empty for nothing."""
    plan: str = ""
    rules: tuple[RuleTold, ...] = ()
    holds: tuple[HoldTold, ...] = ()
    hold_failed: dict[str, str] = {}
    """Hold values that weren't written while it holds, by signal, and why."""
    leases: tuple[LeaseTold, ...] = ()
    bypasses: tuple[BypassTold, ...] = ()
    approvals: tuple[ApprovalTold, ...] = ()
    taken: dict[str, str] = {}
    """Devices in maintenance, and who has them."""
    disturbed: str = ""
    """What has changed the bench since it was armed that no plan asked for; empty if nothing."""
    head: str = ""
    """The hash of the last record."""
