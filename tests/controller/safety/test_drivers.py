"""Devices that aren't EPICS: their drivers, and what stands for them where they aren't."""

import asyncio
import subprocess
import sys

import pytest
from bluesky.protocols import Configurable, Movable, Readable, Stageable, Stoppable, Triggerable
from ophyd_async.core import NotConnectedError

from controller.errors import EngineError, NotArmed
from controller.files.beamline import DeviceEntry
from controller.safety.devices.connectors import ensure_guarded, guard, leaves
from controller.safety.devices.driver_device import DriverDevice, device_of
from controller.safety.envelope.declared import WatchedSignal
from controller.safety.envelope.envelope import Envelope, Limit, Members
from controller.safety.hands.puts import EXECUTE
from controller.safety.language.values import Term
from controller.safety.process.connections import connections_of
from tests.support.serial_pump import SerialPump, pump_at_a_port

ENVELOPE = Envelope(
    "pump",
    {
        "pump.set": Limit(0.0, 5.0, "mL/min", 0.0),
        "pump.configure.gain": Limit(0.0, 1.0),
        "pump.trigger": Members((EXECUTE,)),
        "pump.stop": Members((EXECUTE,), EXECUTE),
    },
    signals={"pump.flow": WatchedSignal(Term("mL/min"), 1.0)},
)


@pytest.fixture
def pump():
    with pump_at_a_port() as pump:
        yield pump


def there(pump) -> tuple[DriverDevice, dict]:
    """Return the device as the gate's process has it, and what writes to it."""
    device = device_of("pump", SerialPump, {"port": pump.port})
    return device, connections_of({"pump": device}, ENVELOPE).actuators


def test_a_device_has_the_verbs_of_its_driver_and_no_others(pump):
    device = device_of("pump", SerialPump, {"port": pump.port})

    for protocol in (Movable, Triggerable, Readable, Stoppable, Configurable):
        assert isinstance(device, protocol)
    assert not isinstance(device, Stageable)
    assert not hasattr(device, "kickoff")


def test_it_has_a_signal_for_each_verb_and_each_reading(pump):
    device = device_of("pump", SerialPump, {"port": pump.port})

    assert [name for name, _ in leaves("pump", device)] == [
        "pump.set",
        "pump.configure.gain",
        "pump.trigger",
        "pump.stop",
        "pump.setpoint",
        "pump.flow",
        "pump.state",
    ]


def test_where_the_gate_is_not_the_driver_is_not_made(pump, tmp_path):
    journal = tmp_path / "made"
    device = device_of("pump", SerialPump, {"port": pump.port, "journal": str(journal)})

    with pytest.raises(NotConnectedError, match="lives in the gate's process alone"):
        asyncio.run(device.connect(timeout=1.0))

    assert not journal.exists()


def test_in_a_rehearsal_nothing_is_made_either(pump, tmp_path):
    journal = tmp_path / "made"

    async def rehearsed() -> tuple[dict, dict]:
        device = device_of("pump", SerialPump, {"port": pump.port, "journal": str(journal)})
        await device.connect(mock=True)
        await device.set(3.0)
        await device.trigger()
        await device.stop()
        device.configure({"gain": 0.5})
        return await device.read(), await device.describe()

    said, described = asyncio.run(rehearsed())

    assert said.keys() == described.keys() == {"pump-setpoint", "pump-flow", "pump-state"}
    assert not journal.exists()
    assert pump.told == []


def test_in_the_gates_process_verbs_reach_the_device_and_return_when_it_has_done_them(pump):
    async def done() -> tuple[float, dict]:
        device, actuators = there(pump)
        for actuator in actuators.values():
            await actuator.connect(5.0)
        await actuators["pump.set"].put(3.0, wait=True)
        await actuators["pump.configure.gain"].put(0.5, wait=True)
        await actuators["pump.trigger"].put(EXECUTE, wait=True)
        described = await device.describe()
        assert described["pump-flow"]["units"] == "mL/min"
        return await actuators["pump.set"].read(3.0), await device.read()

    setpoint, said = asyncio.run(done())

    assert pump.told == ["SET 3.0", "GAIN 0.5", "TRIGGER"]
    assert setpoint == 3.0
    assert said["pump-flow"]["value"] == 3.0
    assert said["pump-state"]["value"] == "there"


def test_a_stop_does_not_wait_for_the_verb_that_goes_on(pump):
    pump.step = 1e-4

    async def stopped() -> None:
        _, actuators = there(pump)
        await actuators["pump.set"].connect(5.0)
        moving = asyncio.create_task(actuators["pump.set"].put(5.0, wait=True))
        while "SET 5.0" not in pump.told:
            await asyncio.sleep(0.01)
        await actuators["pump.stop"].put(EXECUTE, wait=True)
        await moving

    asyncio.run(stopped())

    assert pump.told == ["SET 5.0", "STOP"]
    assert pump.flow < 5.0


def test_what_makes_safe_interrupts_what_goes_on_and_drops_what_waits(pump):
    pump.step = 1e-4

    async def made_safe() -> list[BaseException | None]:
        _, actuators = there(pump)
        to = actuators["pump.set"]
        await to.connect(5.0)
        asked = [asyncio.create_task(to.put(value, wait=True)) for value in (5.0, 4.0)]
        while "SET 5.0" not in pump.told:
            await asyncio.sleep(0.01)
        await to.put(0.0, wait=False)
        while await to.read(0.0) != 0.0:
            await asyncio.sleep(0.01)
        return await asyncio.gather(*asked, return_exceptions=True)

    first, second = asyncio.run(made_safe())

    assert pump.told == ["SET 5.0", "STOP", "SET 0.0"]
    assert first is None
    assert "it was to be made safe before this was begun" in str(second)


def test_what_waited_for_its_turn_is_asked_for_again_before_it_is_done(pump):
    def not_any_more() -> None:
        raise NotArmed("the bench is being made safe")

    async def tripped() -> None:
        _, actuators = there(pump)
        to = actuators["pump.set"]
        await to.connect(5.0)
        going = asyncio.create_task(to.put(1.0, wait=True))
        with pytest.raises(NotArmed):
            await to.put(4.0, wait=True, still=not_any_more)
        await going

    asyncio.run(tripped())

    assert pump.told == ["SET 1.0"]


def test_a_driver_that_hangs_keeps_no_process_alive():
    code = (
        "import asyncio, time\n"
        "from controller.safety.devices.driver_host import Host\n"
        "class Hangs:\n"
        "    def set(self, value): time.sleep(3600)\n"
        "async def ask():\n"
        "    host = Host('pump', Hangs, ())\n"
        "    asyncio.ensure_future(host.call('set', 1.0))\n"
        "    await asyncio.sleep(0.05)\n"
        "asyncio.run(ask())\n"
    )

    ended = subprocess.run([sys.executable, "-c", code], timeout=300, check=False)

    assert ended.returncode == 0


def test_what_a_driver_refuses_is_told_by_its_words(pump):
    async def asked() -> None:
        _, actuators = there(pump)
        await actuators["pump.set"].connect(5.0)
        await actuators["pump.set"].put(9.5, wait=True)

    with pytest.raises(EngineError, match="pump: set: ValueError: \\?too fast"):
        asyncio.run(asked())


def test_a_driver_that_cannot_be_made_is_not_connected():
    device = device_of("pump", SerialPump, {"port": "/nowhere/tty"})
    device.live_here()

    with pytest.raises(NotConnectedError, match="can't be made: its line is broken"):
        asyncio.run(device.connect(timeout=5.0))


def test_every_way_to_write_is_behind_the_gate(pump):
    class Refusing:
        async def write(self, signal, value, perform, *, local=False):
            asked.append((signal, value, local))

    asked: list = []

    async def wrote() -> None:
        device = device_of("pump", SerialPump, {"port": pump.port})
        device.live_here()
        guard(Refusing(), "pump", device)
        await device.connect(timeout=5.0)
        ensure_guarded("pump", device)
        await device.set(3.0)
        await device.trigger()
        await device.stop()

    asyncio.run(wrote())

    assert asked == [
        ("pump.set", 3.0, False),
        ("pump.trigger", EXECUTE, False),
        ("pump.stop", EXECUTE, False),
    ]
    assert pump.told == []


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({}, "give either `class`"),
        ({"class": "a.B", "driver": "a:B"}, "give either `class`"),
        ({"driver": "a:B", "actuates": False}, "always behind the gate"),
        ({"driver": "a:B", "prefix": "X:"}, "takes no `prefix`"),
    ],
    ids=["neither", "both", "passive", "prefix"],
)
def test_an_entry_that_makes_no_sense_is_refused(entry, reason):
    with pytest.raises(ValueError, match=reason):
        DeviceEntry.model_validate(entry)
