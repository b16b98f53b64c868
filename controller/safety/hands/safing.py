"""Making the bench safe: stage after stage, in each all values at once, put and read back.

A write that fails keeps no other waiting, and what another overwrites is written again. Nothing
here looks at a rule, a plan or a disk.
"""

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from controller.errors import EngineError
from controller.safety.envelope.declared import Stage
from controller.safety.hands.puts import Actuator

SAFE_S = 5.0
"""How long one signal may take to show its safe value where no stage says so (real seconds)."""
FIRST_LOOK_S = 0.001
"""After how long it is read back a second time; then twice as long, and so on."""
LOOK_S = 0.05
"""How often it is read back at the most, and written again while it shows something else."""
KEEP_S = 0.25
"""How often what was reached is looked at again as long as the sequence goes on."""
AGAIN_S = 1.0
"""How long one may take that was reached, and was overwritten."""

Values = Mapping[str, float | str]
Actuators = Mapping[str, Actuator]


@dataclass(frozen=True, slots=True)
class StageSafed:
    """What came of one stage."""

    name: str
    reached: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    ended_s: float = 0.0
    """When it ended, by the clock of the loop (s)."""


@dataclass(frozen=True, slots=True)
class Safed:
    """Which signals have their safe value, and which don't and why; in all, and stage by stage."""

    reached: tuple[str, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)
    stages: tuple[StageSafed, ...] = ()


def one_stage(values: Values, within_s: float = SAFE_S) -> tuple[Stage, ...]:
    """Return the safe sequence of an envelope that declares none: everything at once."""
    return (Stage("safe", within_s, dict(values)),) if values else ()


def nobody(_stage: StageSafed) -> None:
    """Tell nobody that a stage has ended."""


async def make_safe(
    stages: Sequence[Stage],
    actuators: Actuators,
    ended: Callable[[StageSafed], None] = nobody,
) -> Safed:
    """Write what *stages* say through *actuators*, one stage after the other; return what came.

    A stage ends when all its values were read back, or after its time (seconds of the loop). They
    are put without waiting for what a device does with them: a server lets no other completed put
    pass that it is still busy with. What an earlier stage reached is kept until the last one ends,
    and what it didn't reach is tried again and again: a server may come back meanwhile.
    *ended* is called at the end of each stage.
    """
    done: list[StageSafed] = []
    held: dict[str, float | str] = {}
    for stage in stages:
        for signal in stage.writes:
            held.pop(signal, None)
        keeping = asyncio.create_task(keep(dict(held), actuators))
        try:
            done.append(await _made(stage, actuators))
        finally:
            keeping.cancel()
        ended(done[-1])
        held.update({s: v for s, v in stage.writes.items() if s in actuators})
    return _in_all(done, (await keep_once(held, actuators)).failed, held)


async def keep(values: Values, actuators: Actuators) -> None:
    """Write whatever of *values* isn't there, again and again; never returns: cancel it."""
    while True:
        await asyncio.sleep(KEEP_S)
        await keep_once(values, actuators)


async def keep_once(values: Values, actuators: Actuators) -> StageSafed:
    """Write those of *values* again that aren't there any more; return what came of it."""
    return await _made(Stage("keep", AGAIN_S, await _off(values, actuators)), actuators)


def _in_all(ended: Sequence[StageSafed], lost: Mapping[str, str], held: Values) -> Safed:
    """Return what came of all stages: of those *held* until the end what isn't *lost* is safe."""
    failed = {signal: why for stage in ended for signal, why in stage.failed.items()}
    failed = {s: why for s, why in failed.items() if s in lost or s not in held}
    failed = dict(lost) | failed
    named = (signal for stage in ended for signal in (*stage.reached, *stage.failed))
    reached = dict.fromkeys(signal for signal in named if signal not in failed)
    return Safed(tuple(reached), failed, tuple(ended))


async def _made(stage: Stage, actuators: Actuators) -> StageSafed:
    signals = list(stage.writes)
    ends = await asyncio.gather(
        *(_in_time(s, stage.writes[s], actuators, stage.within_s) for s in signals),
        return_exceptions=True,
    )
    failed = {
        signal: str(end) or repr(end)
        for signal, end in zip(signals, ends, strict=True)
        if isinstance(end, BaseException)
    }
    reached = tuple(s for s in signals if s not in failed)
    return StageSafed(stage.name, reached, failed, asyncio.get_running_loop().time())


async def _off(values: Values, actuators: Actuators) -> dict[str, float | str]:
    """Return those of *values* that aren't there, or of which it can't be said."""

    async def there(signal: str) -> bool:
        try:
            async with asyncio.timeout(LOOK_S):
                return await _is_there(actuators[signal], values[signal])
        except TimeoutError:
            return False

    found = await asyncio.gather(*map(there, values))
    return {s: v for (s, v), ok in zip(values.items(), found, strict=True) if not ok}


async def _in_time(signal: str, value: Any, actuators: Actuators, deadline_s: float) -> None:
    if signal not in actuators:
        raise LookupError("the station has no such signal that can be written")
    said: list[str] = []
    try:
        async with asyncio.timeout(deadline_s):
            await _confirmed(actuators[signal], value, said)
    except TimeoutError as error:
        seen = said[0] if said else "no answer"
        raise TimeoutError(f"asked for {value!r}: {seen} after {deadline_s:g} s") from error


async def _confirmed(actuator: Actuator, value: Any, said: list[str]) -> None:
    """Write *value* until it is read back; *said* holds what was seen last."""
    while True:
        try:
            await actuator.connect(SAFE_S)
            await actuator.put(value, wait=False)
            if await _shown(actuator, value, said):
                return
        except EngineError as error:  # a server that starts again may take it the next time
            said[:] = [str(error)]
            if await _is_there(actuator, value):  # its dead-man was faster, and lets nobody write
                return
            await asyncio.sleep(LOOK_S)


async def _is_there(actuator: Actuator, value: Any) -> bool:
    try:
        return _same(await actuator.read(value), value)
    except EngineError:
        return False


async def _shown(actuator: Actuator, value: Any, said: list[str]) -> bool:
    """Read *value* back for a while; return whether it was there."""
    pause_s = FIRST_LOOK_S
    while pause_s < 2.0 * LOOK_S:
        found = await actuator.read(value)
        if _same(found, value):
            return True
        said[:] = [f"reads {getattr(found, 'value', found)!r}"]
        await asyncio.sleep(pause_s)
        pause_s *= 2.0
    return False


def _same(found: Any, value: float | str) -> bool:
    if isinstance(value, str):
        return str(getattr(found, "value", found)) == value
    return math.isclose(float(found), value, rel_tol=1e-6, abs_tol=1e-9)  # records may be floats
