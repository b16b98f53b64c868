"""Does at the gate what people ask at its desk: in the gate's own event loop, from the desk's."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from controller.errors import NotAllowed
from controller.safety.desk.commands import (
    Accepted,
    Acknowledge,
    Act,
    Approve,
    Bypass,
    GiveBack,
    GoOn,
    Hold,
    Present,
    Reset,
    Sample,
    ShowLog,
    ShowStatus,
    Spot,
    Stop,
    TakeDevices,
    WriteValue,
)
from controller.safety.gate.gate import Gate
from controller.safety.people.people import Principal
from controller.safety.record.reading import records_after

T = TypeVar("T")


def nothing() -> None:
    """Do nothing."""


def gate_alone() -> Callable[[], None]:
    """Stop nothing before the gate does: there is nobody else who could."""
    return nothing


class GateActs:
    """Acts at *gate*, which lives in *loop*; its record is *table* of the file *record*.

    *stop_first* begins to make safe, in this thread, before the gate hears of an emergency stop;
    what it returns is called when the gate has.
    """

    def __init__(
        self,
        gate: Gate,
        loop: asyncio.AbstractEventLoop,
        record: tuple[Path, str],
        stop_first: Callable[[], Callable[[], None]] = gate_alone,
    ) -> None:
        self._gate = gate
        self._stop_first = stop_first
        self._loop = loop
        self._record = record
        self.boot = gate.status().boot

    async def act(self, by: Principal, act: Act) -> Accepted:
        """Do *act* for *by*; raises ControllerError when the gate refuses it."""
        if isinstance(act, ShowLog):
            return Accepted(data=await asyncio.to_thread(self._records, act.after, act.count))
        seen = self._stop_first() if isinstance(act, Stop) else nothing
        work = asyncio.run_coroutine_threadsafe(acted(self._gate, by, act), self._loop)
        work.add_done_callback(lambda _: seen())
        return await asyncio.wrap_future(work)

    def refused(self, visitor: str, error: str, reason: str) -> None:
        """Record that somebody was refused."""
        self._later(lambda: self._gate.note("refused", peer=visitor, error=error, reason=reason))

    def came(self, principal: Principal, label: str) -> None:
        """Record that somebody has come who is known."""
        roles = sorted(role.value for role in principal.roles)
        self._later(lambda: self._gate.note("login", by=principal.name, peer=label, roles=roles))

    def _later(self, act: Callable[[], None]) -> None:
        with suppress(RuntimeError):  # the gate ends
            self._loop.call_soon_threadsafe(act)

    def _records(self, after: int, count: int) -> list[dict[str, Any]]:
        return records_after(self._record, after, count)


async def acted(gate: Gate, by: Principal, act: Act) -> Accepted:
    """Do *act* for *by* at *gate*, in its loop; raises ControllerError when it is refused."""
    match act:
        case ShowStatus():
            return Accepted(data=gate.status().model_dump(mode="json"))
        case Stop():
            gate.stop(by)
            return Accepted(text="the bench is being made safe")
        case Acknowledge(occurrence=occurrence):
            gate.acknowledge(by, occurrence)
            return Accepted(text=f"seen by {by.name}, up to occurrence {occurrence}")
        case Reset(reason=reason):
            gate.reset(by, reason)
            return Accepted(text=f"released by {by.name}; arming looks at everything again")
        case Approve(digest=digest, for_s=for_s):
            gate.approve(by, digest, for_s)
            return Accepted(text=f"{digest[:12]}… approved by {by.name} for {for_s:g} s")
        case Bypass():
            return _bypassed(gate, by, act)
        case _:
            return await _acted_at_the_bench(gate, by, act)


async def _acted_at_the_bench(gate: Gate, by: Principal, act: Act) -> Accepted:
    match act:
        case Hold(reason=reason):
            gate.hold(reason, by)
            text = f"held by {by.name}; `heliostat go-on` lets it go on"
            return Accepted(text=text, data=await _not_written(gate))
        case GoOn():
            gate.go_on(by)
            return Accepted(text=f"nobody holds it any more; the gate is {gate.state.value}")
        case TakeDevices(devices=devices):
            await gate.take(by, devices)
            text = f"{', '.join(devices)} taken by {by.name}"
            return Accepted(text=text, data=await _not_written(gate))
        case GiveBack():
            changes = await gate.give_back(by)
            return Accepted(text="given back" if changes else "given back as it was", data=changes)
        case WriteValue(signal=signal, value=value):
            await gate.write_by_hand(by, signal, value)
            return Accepted(text=f"{signal} = {value!r} written by {by.name}")
        case Present(for_s=for_s):
            gate.present(by, for_s)
            return Accepted(text=f"{by.name} is there for {for_s:g} s")
        case _:
            return _begun(gate, by, act)


async def _not_written(gate: Gate) -> list[str]:
    """Return a line for each hold value that isn't written."""
    failed = await gate.hold_failed()
    return [f"hold value of {signal} NOT written: {why}" for signal, why in failed.items()]


def _begun(gate: Gate, by: Principal, act: Act) -> Accepted:
    match act:
        case Sample(name=name):
            gate.begin_sample(by, name)
        case Spot(name=name):
            gate.begin_spot(by, name)
        case _:
            raise NotAllowed(f"{act.verb} is nothing that this gate does")
    return Accepted(text=f"{act.verb} {name}")


def _bypassed(gate: Gate, by: Principal, act: Bypass) -> Accepted:
    asked = gate.bypass(by, act.rule, act.for_s, act.reason)
    if not asked.in_force:
        return Accepted(text=f"noted for {act.rule}; in force when a second person says the same")
    who = " and ".join(asked.by)
    return Accepted(text=f"{act.rule} is bypassed for {asked.for_s:g} s, by {who}")
