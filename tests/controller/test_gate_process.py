"""The gate in a process of its own: what it does with requests, and when processes die."""

import asyncio
import signal

import pytest

from controller.bus.messages import (
    Arm,
    Disarm,
    Done,
    Failed,
    Head,
    Judge,
    MadeSafe,
    MakeSafe,
    Write,
    WritesHead,
)
from controller.errors import GateLost, Latched, WriteRefused
from controller.files.beamline import Beamline
from controller.safety.devices.remote import RemoteGate
from controller.safety.envelope.file import EnvelopeFile
from tests.support.campaigns import BEAMLINE, ENVELOPE, copper_campaign
from tests.support.gates import bench_ioc, gate_process, released, speaking, state_of
from tests.support.waiting import PATIENCE_S, until

SAFE = {"furnace.setpoint": 40, "o2.setpoint": 0, "he.setpoint": 100, "shutter.command": "Closed"}
LIMITS = {
    **ENVELOPE,
    "limits": {
        **ENVELOPE["limits"],
        "furnace.readback": "0..500 degC",
        "mono.energy": "8800..9500 eV",
    },
    "safe": SAFE,
}


def live_campaign(**changes):
    resolved = copper_campaign(metadata={"proposal": "p", "sample": "s", "persons": ["x"]})
    beamline = Beamline.model_validate(
        {**{k: v for k, v in BEAMLINE.items() if k in ("name", "station", "prefix")}}
    )
    return resolved.model_copy(
        update={
            "beamline": beamline,
            "envelope": EnvelopeFile.model_validate({**LIMITS, **changes}),
        }
    )


@pytest.fixture(scope="module")
def ioc():
    with bench_ioc() as ioc:
        yield ioc


@pytest.fixture
def gate(ioc, tmp_path):
    with gate_process(tmp_path / "c", live_campaign(), ioc.epics) as gate:
        yield gate


def recorded(gate, kind):
    """Return what the gate recorded of *kind*."""
    return [record for record in gate.records() if record["kind"] == kind]


def ask(caller, message, **options):
    return caller.call(message, PATIENCE_S, **options)


def test_what_is_within_the_limits_reaches_the_ioc_and_is_recorded_with_its_request(ioc, gate):
    with speaking(gate) as caller:
        assert ask(caller, Write(signal="furnace.setpoint", value=123.0), id="r1") == Done()
        assert ask(caller, Write(signal="shutter.command", value="Open")) == Done()

    assert ioc.shown("FURNACE:SP") == 123.0
    assert ioc.shown("SHUTTER:CMD") == 1
    (intent, *_), (outcome, *_) = recorded(gate, "intent"), recorded(gate, "outcome")
    assert (intent["value"], intent["request"]) == (123.0, "r1")
    assert (outcome["signal"], outcome["error"]) == ("furnace.setpoint", "")


def test_what_is_outside_is_refused_in_the_words_of_the_gate_of_one_process(ioc, gate):
    with speaking(gate) as caller:
        remote = RemoteGate(caller, gate.envelope)

        async def write(signal, value):
            await remote.write(signal, value, lambda: None)

        with pytest.raises(
            WriteRefused, match=r"asked for 900\.0: allowed 20 to 500 degC; nothing"
        ):
            asyncio.run(write("furnace.setpoint", 900.0))
        with pytest.raises(WriteRefused, match="neither limits it nor lists it as free"):
            asyncio.run(write("detector.exposure", 1.0))
        with pytest.raises(WriteRefused, match="not a finite number"):
            remote.judge("o2.setpoint", float("nan"))
        assert "allowed" in remote.reason_against("o2.setpoint", 21.0)

    assert len(recorded(gate, "refusal")) == 3
    assert not recorded(gate, "intent")


def test_a_gate_that_is_not_armed_passes_safe_values_alone_and_says_how_to_go_on(ioc, gate):
    with speaking(gate, armed=False) as caller:
        refused = ask(caller, Write(signal="furnace.setpoint", value=50.0))
        judged = ask(caller, Judge(signal="furnace.setpoint", value=50.0))
        safe = ask(caller, Write(signal="furnace.setpoint", value=40.0))
        wrong = ask(caller, Arm(digest="0" * 64))

    assert isinstance(refused, Failed) and refused.refused and refused.lost
    assert "heliostat resume" in refused.reason
    assert isinstance(judged, Failed) and judged.refused
    assert safe == Done()
    assert ioc.shown("FURNACE:SP") == 40.0
    assert isinstance(wrong, Failed) and "other limits" in wrong.reason
    assert not gate.armed.exists()


def test_the_marker_is_there_from_arming_to_disarming_and_the_bench_stays_as_it_is(ioc, gate):
    with speaking(gate) as caller:
        assert gate.armed.exists()
        assert ask(caller, WritesHead()).armed
        ask(caller, Write(signal="he.setpoint", value=33.0))
        assert ask(caller, Disarm()) == Done()

        head = ask(caller, WritesHead())
    assert isinstance(head, Head) and not head.armed
    assert not gate.armed.exists()
    assert gate.kill(signal.SIGTERM) == 0
    assert ioc.shown("HE:SP") == 33.0


def test_a_slow_put_keeps_no_other_waiting(ioc, gate):
    with speaking(gate) as caller:
        ask(caller, Write(signal="spectrometer.exposure", value=60.0))
        slow = caller.post(Write(signal="spectrometer.acquire", value=True))
        assert ask(caller, Write(signal="o2.setpoint", value=2.0)) == Done()

        assert not slow.done()
        ioc.shown("SPEC:EXPOSURE", 0.1)
        assert slow.result(PATIENCE_S) == Done()


def test_made_safe_all_values_are_confirmed_and_nothing_else_passes_until_armed_again(ioc, gate):
    with speaking(gate) as caller:
        ask(caller, Write(signal="furnace.setpoint", value=300.0))
        ask(caller, Write(signal="shutter.command", value="Open"))
        made = ask(caller, MakeSafe(reason="a test"))
        refused = ask(caller, Write(signal="furnace.setpoint", value=300.0))

        assert isinstance(made, MadeSafe) and not made.failed
        assert set(made.reached) == set(SAFE)
        assert isinstance(refused, Failed) and refused.refused
        assert not gate.armed.exists()
        assert (ioc.shown("FURNACE:SP"), ioc.shown("HE:SP"), ioc.shown("SHUTTER:CMD")) == (
            40,
            100,
            0,
        )
    with speaking(gate) as caller:
        assert ask(caller, Write(signal="furnace.setpoint", value=60.0)) == Done()


def test_a_gate_killed_in_mid_put_is_lost_and_the_next_one_makes_the_bench_safe(ioc, gate):
    with speaking(gate) as caller:
        ask(caller, Write(signal="furnace.setpoint", value=250.0))
        ask(caller, Write(signal="spectrometer.exposure", value=60.0))
        remote = RemoteGate(caller, gate.envelope)

        async def lose_it():
            write = asyncio.ensure_future(remote.write("spectrometer.acquire", True, lambda: None))
            while not any(r.get("signal") == "spectrometer.acquire" for r in gate.records()):
                await asyncio.sleep(0.02)
            gate.kill()
            await asyncio.to_thread(gate.start)
            await write

        with pytest.raises(GateLost, match="nobody knows"):
            asyncio.run(lose_it())
        with pytest.raises(Latched, match="the gate died and left the bench armed"):
            asyncio.run(remote.write("o2.setpoint", 1.0, lambda: None))
        assert (ioc.shown("FURNACE:SP"), ioc.shown("SHUTTER:CMD")) == (40, 0)
        until(lambda: recorded(gate, "safe"), "the record")
        assert gate.armed.exists()
        assert state_of(caller) == "latched"
        assert not ask(caller, WritesHead()).armed


def test_a_request_of_a_gate_that_died_is_done_again_only_if_that_is_allowed(ioc, gate):
    exposing = {"signal": "spectrometer.acquire", "value": True}
    with speaking(gate) as caller:
        ask(caller, Write(signal="o2.setpoint", value=3.0), id="done")
        ask(caller, Write(signal="spectrometer.exposure", value=60.0))
        for name, once in (("again", False), ("once", True)):
            caller.post(Write(**exposing, once=once), id=name)
            until(lambda name=name: any(r.get("request") == name for r in gate.records()), name)
        gate.kill()
    ioc.shown("SPEC:EXPOSURE", 0.1)
    ioc.shown("O2:SP", 7.0)
    gate.start()

    released(gate)
    with speaking(gate) as caller:
        lost = ask(caller, Write(**exposing, once=True), id="once")
        assert isinstance(lost, Failed) and lost.lost
        assert ask(caller, Write(**exposing), id="again") == Done()
        assert ask(caller, Write(signal="o2.setpoint", value=3.0), id="done") == Done()
    intents = [r["request"] for r in gate.records() if r["kind"] == "intent" and "request" in r]
    assert [intents.count(name) for name in ("done", "again", "once")] == [1, 2, 1]
    assert ioc.shown("O2:SP") == 0.0  # made safe, and not written again


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_an_armed_gate_that_is_asked_to_end_makes_the_bench_safe_first(ioc, gate, number):
    with speaking(gate) as caller:
        ask(caller, Write(signal="furnace.setpoint", value=200.0))

    assert gate.kill(number) == 0

    assert ioc.shown("FURNACE:SP") == 40.0
    assert not gate.armed.exists()


def test_a_readback_outside_its_limit_is_recorded(ioc, gate):
    try:
        ioc.shown("FURNACE:RBV", 600.0)
        until(lambda: any(r["kind"] == "violations" for r in gate.records()), "the violation")
    finally:
        ioc.shown("FURNACE:RBV", 25.0)

    (first, *_) = [r for r in gate.records() if r["kind"] == "violations"]
    assert first["reasons"] == ["furnace.readback reads 600: allowed 0 to 500 degC"]


def test_a_server_that_dies_in_mid_put_is_a_failure_and_what_is_not_safe_is_named(tmp_path):
    with bench_ioc() as ioc, gate_process(tmp_path / "c", live_campaign(), ioc.epics) as gate:
        with speaking(gate) as caller:
            remote = RemoteGate(caller, gate.envelope)
            ask(caller, Write(signal="spectrometer.exposure", value=60.0))
            put = caller.post(Write(signal="spectrometer.acquire", value=True))
            acquiring = {"kind": "intent", "signal": "spectrometer.acquire"}
            until(lambda: any(acquiring.items() <= r.items() for r in gate.records()), "the put")
            ioc.kill()

            ended = put.result(PATIENCE_S)
            with pytest.raises(GateLost, match="not connected"):
                asyncio.run(remote.write("o2.setpoint", 1.0, lambda: None))
            made = ask(caller, MakeSafe(reason="the server died"))
            armed = caller.post(Arm(digest=gate.envelope.digest()))
            ioc.start()
            waited = armed.result(PATIENCE_S)

    assert isinstance(ended, Failed) and ended.lost and "connection was lost" in ended.reason
    assert isinstance(waited, Failed) and waited.error == "Latched"
    assert "to release it" in waited.reason
    assert isinstance(made, MadeSafe) and set(made.failed) == set(SAFE)
    assert "safe" in [r["kind"] for r in gate.records()]


def test_a_gate_that_falls_silent_is_lost_after_its_lease(gate):
    with speaking(gate) as caller:
        assert gate.process is not None
        gate.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(GateLost, match="nothing heard from the gate"):
                asyncio.run(
                    RemoteGate(caller, gate.envelope).write("o2.setpoint", 1.0, lambda: None)
                )
            with pytest.raises(GateLost, match="doesn't judge"):
                RemoteGate(caller, gate.envelope).judge("o2.setpoint", 1.0)
        finally:
            gate.process.send_signal(signal.SIGCONT)


def test_a_gate_whose_supervisor_is_gone_makes_the_bench_safe_and_ends(ioc, tmp_path):
    with gate_process(tmp_path / "c", live_campaign(), ioc.epics, parent=True) as gate:
        with speaking(gate) as caller:
            ask(caller, Write(signal="furnace.setpoint", value=150.0))

        gate.kill()  # its parent

        until(lambda: not gate.armed.exists(), "the bench to be safe")
        assert ioc.shown("FURNACE:SP") == 40.0
        assert "the supervisor died" in str(gate.records())


def test_who_gives_up_on_a_silent_gate_has_lost_it(gate):
    async def give_up(remote: RemoteGate) -> None:
        await asyncio.wait_for(remote.write("o2.setpoint", 1.0, lambda: None), 5.0)

    with speaking(gate) as caller:
        assert gate.process is not None
        gate.process.send_signal(signal.SIGSTOP)
        try:
            with pytest.raises(GateLost, match="given up"):
                asyncio.run(give_up(RemoteGate(caller, gate.envelope)))
        finally:
            gate.process.send_signal(signal.SIGCONT)
