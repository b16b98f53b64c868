"""What can go wrong at the bench.

InstrumentError
├── NotArrived        a readback didn't come within tolerance in time: look at the device
├── NotMeasured       an exposure is over and its data aren't there: look at the detector
└── PlanError         a plan was given arguments that it can't run: mend the campaign
"""


class InstrumentError(Exception):
    """Base of everything that devices and plans raise on purpose."""


class NotArrived(InstrumentError):
    """Done is not arrived: the readback didn't come within tolerance before its deadline."""


class NotMeasured(InstrumentError):
    """Done is not measured: the data of an exposure aren't there, or aren't valid."""


class PlanError(InstrumentError):
    """A plan was given arguments that it can't run; nothing has moved."""
