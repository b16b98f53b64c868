"""Requests that are carried out once and always answered, over ZMQ: one thread at each end.

``Caller`` asks, ``Answerer`` answers; who says what when is in ``controller.bus.exchange``.
Either side may die, freeze or come back: requests are asked after until they are answered.
"""

from controller.bus.answerer import Answerer, Handler
from controller.bus.caller import Caller
from controller.bus.exchange import RESEND_S

__all__ = ["RESEND_S", "Answerer", "Caller", "Handler"]
