"""Which watcher watches which kind of rule."""

from collections.abc import Mapping

from controller.safety.envelope.declared import Quantity
from controller.safety.envelope.specs import (
    AnyRule,
    Approval,
    Arrival,
    Budget,
    Dwell,
    Follows,
    Ownership,
    Permit,
    Rate,
    Requires,
    Sequence,
)
from controller.safety.rules.approval import ApprovalWatcher
from controller.safety.rules.arrival import ArrivalWatcher
from controller.safety.rules.budget import BudgetWatcher
from controller.safety.rules.dwell import DwellWatcher
from controller.safety.rules.findings import Approvals
from controller.safety.rules.follows import FollowsWatcher
from controller.safety.rules.ownership import OwnershipWatcher
from controller.safety.rules.permit import PermitWatcher
from controller.safety.rules.rate import RateWatcher
from controller.safety.rules.requires import RequiresWatcher
from controller.safety.rules.sequence import SequenceWatcher
from controller.safety.rules.watcher import Watcher


def watcher_of(spec: AnyRule, quantities: Mapping[str, Quantity], approvals: Approvals) -> Watcher:
    """Return what watches *spec*."""
    match spec:
        case Requires():
            return RequiresWatcher(spec, quantities)
        case Permit():
            return PermitWatcher(spec, quantities)
        case Rate():
            return RateWatcher(spec, quantities)
        case Arrival() | Follows() | Ownership():
            return _of_setpoint(spec)
        case Sequence():
            return SequenceWatcher(spec, quantities)
        case Budget():
            return BudgetWatcher(spec, quantities)
        case Dwell():
            return DwellWatcher(spec, quantities)
        case Approval():
            return ApprovalWatcher(spec, quantities, approvals)


def _of_setpoint(spec: Arrival | Follows | Ownership) -> Watcher:
    match spec:
        case Arrival():
            return ArrivalWatcher(spec)
        case Follows():
            return FollowsWatcher(spec)
        case Ownership():
            return OwnershipWatcher(spec)
