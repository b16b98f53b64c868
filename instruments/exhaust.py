"""What draws leaking gas away before it can gather."""

from typing import Annotated as A

from ophyd_async.core import SignalR, StandardReadable
from ophyd_async.core import StandardReadableFormat as Format
from ophyd_async.epics.core import EpicsDevice, PvSuffix


class Exhaust(StandardReadable, EpicsDevice):
    """The gas cabinet's exhaust: its flow in L/min; read only."""

    flow: A[SignalR[float], PvSuffix("FLOW"), Format.HINTED_SIGNAL]
