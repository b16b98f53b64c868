"""Making safe what lets nobody write: what it shows decides."""

import asyncio
from typing import Any, cast

from controller.errors import EngineError
from controller.safety.envelope.declared import Stage
from controller.safety.hands.puts import Actuator
from controller.safety.hands.safing import Safed, make_safe


class Refusing:
    """A signal that lets nobody write, and shows *value* (or nothing: None)."""

    def __init__(self, value: float | None) -> None:
        self._value = value

    async def connect(self, timeout_s: float) -> None:
        """It is connected."""

    async def put(self, value: Any, *, wait: bool) -> None:
        raise EngineError("no write access")

    async def read(self, value: Any) -> float:
        if self._value is None:
            raise EngineError("no answer")
        return self._value


def safed(value: float | None) -> Safed:
    stage = Stage("stop", 0.2, {"heater.setpoint": 40.0})
    actuator = cast("Actuator", Refusing(value))
    return asyncio.run(make_safe([stage], {"heater.setpoint": actuator}))


def test_a_server_that_has_gone_safe_by_itself_and_lets_nobody_write_is_safe():
    assert safed(40.0).reached == ("heater.setpoint",)
    assert not safed(40.0).failed


def test_what_shows_something_else_or_nothing_is_not_safe_and_says_why_it_was_not_written():
    for value in (350.0, None):
        assert "no write access" in safed(value).failed["heater.setpoint"]
