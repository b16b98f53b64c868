"""Signs of life: how often they come."""

from concurrent.futures import Future
from contextlib import closing

from controller.bus.messages import Done, Message, Release, Renew
from controller.processes.leasing import LeaseKeeper
from tests.support.waiting import until


class Gate:
    """Keeps what it is sent."""

    def __init__(self) -> None:
        self.heard: list[Message] = []

    def post(self, message: Message) -> "Future[Message]":
        self.heard.append(message)
        return Future()

    def call(self, message: Message, _timeout_s: float) -> Message:
        self.heard.append(message)
        return Done()


def test_a_gate_that_was_released_need_not_wait_for_a_part_of_a_long_lease():
    gate = Gate()

    with closing(LeaseKeeper(gate, "controller", "campaign", lease_s=3600.0)):
        until(lambda: len(gate.heard) >= 3, "signs of life")

    *signs, last = gate.heard
    assert all(isinstance(sign, Renew) for sign in signs)
    assert last == Release(holder="controller")
