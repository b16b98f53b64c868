"""One suite for both forms of the gate: in the devices' process, and in one of its own."""

import asyncio
from contextlib import ExitStack, contextmanager

import pytest
from ophyd_async.core import set_mock_value

from controller.bus.messages import Arm, Failed, GateStatus, MakeSafe
from controller.errors import Latched, NotAllowed, NotArmed, WriteRefused
from controller.files.beamline import Beamline
from controller.safety.desk.client import ActRefused, Clerk, LocalLine
from controller.safety.desk.commands import Acknowledge, Reset, Stop
from controller.safety.devices.remote import RemoteGate
from controller.safety.envelope.file import EnvelopeFile
from controller.safety.gate.gate import Arming
from tests.support.benches import copper_bench
from tests.support.campaigns import BEAMLINE, ENVELOPE, copper_campaign
from tests.support.gated import OFFICER
from tests.support.gates import bench_ioc, gate_process, speaking, state_of
from tests.support.waiting import PATIENCE_S, until

SAFE = {"furnace.setpoint": 40, "o2.setpoint": 0, "he.setpoint": 100, "shutter.command": "Closed"}
LIMITS = {
    **ENVELOPE,
    "limits": {**ENVELOPE["limits"], "furnace.readback": "0..500 degC"},
    "safe": SAFE,
    "signals": {
        "furnace.setpoint": {"unit": "degC", "max_age": "1 h"},
        "furnace.readback": {"unit": "degC", "max_age": "1 h"},
        "he.readback": {"unit": "mL/min", "max_age": "1 h"},
    },
    "rules": [
        {"name": "cool", "kind": "requires", "requires": "furnace.readback < 450 degC"},
        {
            "name": "no oven without helium",
            "kind": "requires",
            "reaction": "refuse",
            "when": "furnace.setpoint > 300 degC",
            "requires": "he.readback > 500 mL/min",
        },
    ],
}
PVS = {"furnace.setpoint": "FURNACE:SP", "o2.setpoint": "O2:SP"}
RECORDED = frozenset({"intent", "outcome", "refusal", "step", "safe"})


class Inline:
    """The gate before devices in mock mode, on the virtual clock."""

    def __init__(self, bench):
        self._bench = bench
        self._station = bench.station
        self._kept = len(bench.records())

    def write(self, signal, value):
        leaf = self._station
        for name in signal.split("."):
            leaf = getattr(leaf, name)

        async def put():
            await leaf.set(value)

        self._bench.engine.call(put())

    def setpoint(self, signal):
        device, name = signal.split(".")
        leaf = getattr(getattr(self._station, device), name)

        async def look():
            value = await leaf._connector.backend.get_setpoint()
            return getattr(value, "value", value)

        return self._bench.engine.call(look())

    def overheats(self, celsius):
        async def show():
            set_mock_value(self._station.furnace.readback, celsius)
            self._bench.gate.heard("furnace.readback", celsius)

        self._bench.engine.call(show())

    def arm(self):
        async def arm():
            await self._bench.gate.arm(Arming(self._bench.gate.digest))

        self._bench.engine.call(arm())

    def act(self, name, *args):
        async def do():
            return getattr(self._bench.gate, name)(*args)

        return self._bench.engine.call(do())

    def stop(self):
        self.act("stop", OFFICER)

    def acknowledge(self):
        self.act("acknowledge", OFFICER, self._bench.gate.status().occurrence)

    def reset(self):
        self.act("reset", OFFICER, "a test has looked at it")

    def secure(self):
        async def secure():
            await self._bench.gate.secure("a test ends")

        self._bench.engine.call(secure())

    def comes_to(self, state):
        async def wait():
            while self._bench.gate.state.value != state:
                await asyncio.sleep(0.1)

        self._bench.engine.call(wait())

    def records(self):
        return self._bench.records()

    @property
    def armed(self):
        return (self._bench.directory / "gate.armed").exists()


class Apart:
    """The gate's process before a soft IOC."""

    def __init__(self, gate, ioc, stack):
        self._gate, self._ioc, self._stack = gate, ioc, stack
        self._caller = stack.enter_context(speaking(gate))
        self._remote = RemoteGate(self._caller, gate.envelope)

    def write(self, signal, value):
        asyncio.run(self._remote.write(signal, value, lambda: None))

    def setpoint(self, signal):
        return self._ioc.shown(PVS[signal])

    def overheats(self, celsius):
        self._ioc.shown("FURNACE:RBV", celsius)

    def arm(self):
        answer = self._caller.call(Arm(digest=self._gate.envelope.digest()), PATIENCE_S)
        if isinstance(answer, Failed):
            raise {"Latched": Latched, "NotArmed": NotArmed}[answer.error](answer.reason)
        self.comes_to("running")

    def _ask(self, act):
        with Clerk(LocalLine(self._gate.launch.runtime / "desk")) as clerk:
            try:
                clerk.ask(act)
            except ActRefused as refused:
                raise NotAllowed(str(refused)) from refused

    def stop(self):
        self._ask(Stop())

    def acknowledge(self):
        status = self._caller.call(GateStatus(), PATIENCE_S)
        self._ask(Acknowledge(occurrence=status.occurrence))

    def reset(self):
        self._ask(Reset(reason="a test has looked at it"))

    def secure(self):
        self._caller.call(MakeSafe(reason="a test ends"), PATIENCE_S)

    def comes_to(self, state):
        until(lambda: state_of(self._caller) == state, f"the gate to be {state}")

    def records(self):
        return self._gate.records()

    @property
    def armed(self):
        return self._gate.armed.exists()


@contextmanager
def inline(folder):
    envelope = EnvelopeFile.model_validate(LIMITS).envelope()
    with copper_bench(folder, envelope) as bench:
        yield Inline(bench)


@pytest.fixture(scope="module")
def ioc():
    with bench_ioc() as ioc:
        yield ioc


@contextmanager
def apart(folder, ioc):
    resolved = copper_campaign(metadata={"proposal": "p", "sample": "s", "persons": ["x"]})
    beamline = Beamline.model_validate(
        {k: v for k, v in BEAMLINE.items() if k in ("name", "station", "prefix")}
    )
    limits = EnvelopeFile.model_validate(LIMITS)
    resolved = resolved.model_copy(update={"beamline": beamline, "envelope": limits})
    ioc.shown("FURNACE:RBV", 25.0)
    with gate_process(folder / "c", resolved, ioc.epics) as gate, ExitStack() as stack:
        yield Apart(gate, ioc, stack)


@pytest.fixture(params=["inline", "in a process"])
def form(request, tmp_path, ioc):
    with inline(tmp_path) if request.param == "inline" else apart(tmp_path, ioc) as form:
        yield form


def story(form):
    """All that a gate does, in an order in which both forms can be compared."""
    form.write("o2.setpoint", 5.0)
    with pytest.raises(WriteRefused, match="allowed 20 to 500 degC"):
        form.write("furnace.setpoint", 900.0)
    with pytest.raises(WriteRefused, match="no oven without helium"):
        form.write("furnace.setpoint", 400.0)
    form.write("furnace.setpoint", 200.0)
    form.overheats(480.0)
    form.comes_to("latched")
    with pytest.raises(Latched, match=r"cool: .*`heliostat ack DIR`"):
        form.write("o2.setpoint", 1.0)
    with pytest.raises(NotAllowed, match="acknowledged first"):
        form.reset()
    form.overheats(25.0)
    form.acknowledge()
    form.reset()
    form.comes_to("disarmed")
    form.arm()
    form.write("o2.setpoint", 4.0)
    form.secure()


def test_what_is_allowed_moves_and_what_is_not_does_not(form):
    form.write("o2.setpoint", 5.0)
    with pytest.raises(WriteRefused, match="nothing has moved"):
        form.write("o2.setpoint", 21.0)

    assert form.setpoint("o2.setpoint") == 5.0


def test_a_broken_rule_makes_safe_and_latches_until_people_release_it(form):
    story(form)

    assert form.setpoint("furnace.setpoint") == 40.0
    assert form.setpoint("o2.setpoint") == 0.0
    assert not form.armed


def test_an_emergency_stop_latches(form):
    form.write("furnace.setpoint", 200.0)
    form.stop()
    form.comes_to("latched")

    assert form.setpoint("furnace.setpoint") == 40.0
    assert form.armed
    with pytest.raises(Latched, match="emergency stop"):
        form.arm()


def test_an_orderly_end_makes_safe_and_can_be_armed_again(form):
    form.write("furnace.setpoint", 200.0)
    form.secure()
    assert form.setpoint("furnace.setpoint") == 40.0 and not form.armed
    with pytest.raises(NotArmed):
        form.write("o2.setpoint", 1.0)
    form.arm()
    form.write("o2.setpoint", 1.0)

    assert form.setpoint("o2.setpoint") == 1.0


def test_both_forms_record_the_same_story(tmp_path, ioc):
    with inline(tmp_path) as one:
        story(one)
        there = told(one.records())
    with apart(tmp_path, ioc) as other:
        story(other)
        here = told(other.records())

    assert here[-len(there) :] == there


def told(records):
    """Return what was recorded, without what is another each time."""
    found = []
    for record in records:
        if record["kind"] in RECORDED:
            kept = {k: v for k, v in record.items() if k in ("kind", "signal", "value", "input")}
            state = record["standing"]["state"] if "standing" in record else ""
            found.append((*kept.items(), state))
    return found
