"""Making the bench safe: all safe values at once, each put on its own and read back."""

import asyncio
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from controller.safety.actuators import Actuator

SAFE_S = 5.0
"""How long one signal may take to show its safe value (real seconds)."""
LOOK_S = 0.05
"""How often it is read back meanwhile."""


@dataclass(frozen=True, slots=True)
class Safed:
    """Which signals have their safe value, and which don't and why."""

    reached: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)


async def make_safe(
    values: Mapping[str, float | str], actuators: Mapping[str, Actuator], deadline_s: float = SAFE_S
) -> Safed:
    """Write *values* to their signals, all at once, and read them back until *deadline_s*.

    One that fails keeps none of the others. They are put without waiting for what the device
    does with them: a server lets no other completed put pass that it is still busy with.
    """
    signals = list(values)
    ends = await asyncio.gather(
        *(_in_time(s, values[s], actuators, deadline_s) for s in signals), return_exceptions=True
    )
    failed = {
        signal: str(end) or repr(end)
        for signal, end in zip(signals, ends, strict=True)
        if isinstance(end, BaseException)
    }
    return Safed(tuple(s for s in signals if s not in failed), failed)


async def _in_time(
    signal: str, value: Any, actuators: Mapping[str, Actuator], deadline_s: float
) -> None:
    if signal not in actuators:
        raise LookupError("the station has no such signal that can be written")
    shown: list[Any] = []
    try:
        async with asyncio.timeout(deadline_s):
            await _confirmed(actuators[signal], value, shown)
    except TimeoutError as error:
        seen = f"reads {shown[-1]!r}" if shown else "no answer"
        raise TimeoutError(f"asked for {value!r}: {seen} after {deadline_s:g} s") from error


async def _confirmed(actuator: Actuator, value: Any, shown: list[Any]) -> None:
    await actuator.connect(SAFE_S)
    await actuator.put(value, wait=False)
    while True:
        shown.append(await actuator.read(value))
        if _same(shown[-1], value):
            return
        await asyncio.sleep(LOOK_S)


def _same(found: Any, value: float | str) -> bool:
    if isinstance(value, str):
        return str(getattr(found, "value", found)) == value
    return math.isclose(float(found), value, rel_tol=1e-6, abs_tol=1e-9)  # records may be floats
