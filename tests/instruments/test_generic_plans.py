"""Plans for any station: what they move and read, and that every plan keeps its promises."""

import json
from collections.abc import Mapping
from typing import Annotated as A

import pytest
from bluesky.utils import Msg
from ophyd_async.core import (
    AsyncStatus,
    DeviceMock,
    SignalR,
    SignalRW,
    StandardReadable,
    callback_on_mock_put,
    default_mock_class,
    set_mock_value,
)
from ophyd_async.core import StandardReadableFormat as Format
from ophyd_async.epics.core import EpicsDevice, PvSuffix
from pydantic import ValidationError

from controller.chain import Chain
from controller.clock import VirtualClock
from controller.devices.loading import station_from
from controller.documents import DocumentWriter, read_run
from controller.engine import BenchHooks, Engine
from controller.files.units import compatible
from controller.safety.devices.connectors import ensure_guarded, guard, leaves, none_ungated
from controller.safety.envelope.envelope import Envelope, Limit
from controller.safety.gate.gate import Arming, Gate
from controller.safety.hands.loop_hands import LoopHands
from controller.safety.record.audit import Audit
from controller.seam import Ids, seam
from instruments.catalogue import PLANS, own_plan
from instruments.diffraction.recipes import SpotRecipe
from instruments.effects import Effect
from instruments.errors import PlanError
from instruments.foil_plans import FoilRecipe
from instruments.generic_recipes import ANY, CountRecipe, LineRecipe, ReadRecipe
from instruments.grids import EnergyGrid
from instruments.microscope.recipes import LookRecipe
from instruments.powder.recipes import SynthesisRecipe
from instruments.recipes import OxidationRecipe, RecordedRecipe, StepScanRecipe
from instruments.recorded import RecordedBench, RecordedStation
from instruments.stations import STATIONS
from tests.support.benches import means_of


class Stage(StandardReadable, EpicsDevice):
    """Something that goes where it is told."""

    setpoint: A[SignalRW[float], PvSuffix("SP"), Format.CONFIG_SIGNAL]
    readback: A[SignalR[float], PvSuffix("RBV"), Format.HINTED_SIGNAL]

    @AsyncStatus.wrap
    async def set(self, value: float) -> None:
        """Go there."""
        await self.setpoint.set(value)


class _StageMock(DeviceMock):
    async def connect(self, device):
        callback_on_mock_put(device.setpoint, lambda v: set_mock_value(device.readback, v))


default_mock_class(_StageMock)(Stage)


class Counter(StandardReadable, EpicsDevice):
    """Counts how often it was triggered."""

    counts: A[SignalR[float], PvSuffix("CNT"), Format.HINTED_SIGNAL]
    acquire: A[SignalRW[bool], PvSuffix("ACQ")]

    @AsyncStatus.wrap
    async def trigger(self) -> None:
        """Count."""
        await self.acquire.set(True)


class _CounterMock(DeviceMock):
    async def connect(self, device):
        seen = []

        def count(_value):
            seen.append(1)
            set_mock_value(device.counts, float(len(seen)))

        callback_on_mock_put(device.acquire, count)


default_mock_class(_CounterMock)(Counter)

ENVELOPE = Envelope(
    "wide",
    {"x.setpoint": Limit(-10, 10, "mm"), "y.setpoint": Limit(0, 5, "mm")},
    ("counter.acquire",),
)


class Bench:
    def __init__(self, directory, engine, station):
        self.directory, self.engine, self.station = directory, engine, station

    def run(self, plan):
        return self.engine.run(plan, {}, BenchHooks(lambda: None, lambda: None))

    def events(self, outcome):
        assert outcome.succeeded, outcome.reason
        (run,) = outcome.runs
        return [d["data"] for name, d in read_run(self.directory, run) if name == "event"]

    def start(self, outcome) -> Mapping:
        return read_run(self.directory, outcome.runs[0])[0][1]


@pytest.fixture
def bench(tmp_path):
    clock = VirtualClock()
    with seam(clock, Ids()), none_ungated():
        audit = Chain.open(tmp_path / "audit.sqlite", "writes")
        gate = Gate(ENVELOPE, Audit(audit, clock), means_of(tmp_path, clock, LoopHands({})))
        engine = Engine(clock, DocumentWriter(tmp_path), {})
        station = station_from(
            {
                "x": Stage("X:", name="x"),
                "y": Stage("Y:", name="y"),
                "counter": Counter("C:", name="counter"),
            }
        )

        async def connect():
            gate.start()
            await gate.arm(Arming(gate.digest))
            for path, device in station.devices().items():
                guard(gate, path, device)
                await device.connect(mock=True)
                ensure_guarded(path, device)

        engine.call(connect())
        try:
            yield Bench(tmp_path, engine, station)
        finally:
            engine.close()
            audit.close()


def run(bench, name, arguments):
    spec = PLANS[name]
    return bench.run(spec.run(bench.station, spec.arguments.model_validate(arguments)))


def test_devices_are_moved_where_they_are_told_and_read_with_the_detectors(bench):
    outcome = run(bench, "move_and_read", {"x": 3.0, "y": 4.0, "detectors": ["counter"]})

    assert bench.events(outcome) == [{"counter-counts": 1.0, "x-readback": 3.0, "y-readback": 4.0}]


def test_reading_several_times_gives_as_many_events(bench):
    outcome = run(bench, "count", {"detectors": ["counter", "x"], "num": 3, "delay": 2.0})

    assert [data["counter-counts"] for data in bench.events(outcome)] == [1.0, 2.0, 3.0]


def test_a_part_of_a_device_is_moved_by_its_dotted_way(bench):
    outcome = run(bench, "move_and_read", {"x.setpoint": -2.0, "detectors": ["counter"]})

    assert bench.events(outcome)[0]["x-setpoint"] == -2.0
    assert bench.start(outcome)["recipe"]["x%2Esetpoint"] == -2.0


def test_a_part_of_what_is_read_anyway_is_not_read_twice(bench):
    outcome = run(bench, "move_and_read", {"x.setpoint": 1.0, "detectors": ["x"]})

    assert bench.events(outcome) == [{"x-readback": 1.0}]


def test_a_line_is_read_at_equal_steps_with_the_rest_where_it_was_put(bench):
    arguments = {
        "motor": "x",
        "start": -1,
        "stop": 1,
        "points": 3,
        "y": 2.0,
        "detectors": ["counter"],
    }

    outcome = run(bench, "scan_1d", arguments)

    assert [data["x-readback"] for data in bench.events(outcome)] == [-1.0, 0.0, 1.0]
    assert {data["y-readback"] for data in bench.events(outcome)} == {2.0}


def test_the_gate_refuses_what_a_generic_plan_may_not_write(bench):
    outcome = run(bench, "move_and_read", {"x": 11.0, "detectors": ["counter"]})

    assert "x.setpoint: asked for 11.0: allowed -10 to 10 mm" in outcome.reason


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            {"z": 1.0, "detectors": ["counter"]},
            "the station has no 'z'; its devices: x, y, counter",
        ),
        ({"detectors": ["x.nothing"]}, "the station has no 'x.nothing'"),
        ({"counter": 1.0, "detectors": ["x"]}, "counter (Counter) can't be moved"),
    ],
)
def test_a_name_that_means_nothing_is_refused_before_anything_moves(bench, arguments, told):
    outcome = run(
        bench, "move_and_read", {"x": 1.0, **arguments} if "z" in arguments else arguments
    )

    assert told in outcome.reason
    assert "nothing has moved" in outcome.reason
    assert not outcome.runs


def test_arguments_that_are_no_positions_are_refused():
    with pytest.raises(ValidationError, match="detecters"):
        ReadRecipe.model_validate({"detecters": ["a"], "detectors": ["b"]})
    with pytest.raises(ValidationError, match="names no device"):
        ReadRecipe.model_validate({"sample x": 1, "detectors": ["b"]})


def their_plan(detectors, motor, position: float, label: str = "x", times: int = 1):
    """A plan as beamlines have them, written with nobody's station in mind."""
    import bluesky.plan_stubs as bps

    yield from bps.open_run({"label": label})
    yield from bps.mv(motor, position)
    for _ in range(times):
        yield from bps.trigger_and_read([*detectors, motor])
    yield from bps.close_run()


def station_plan(station, *, position: float):
    """A plan that asks for the station."""
    yield from their_plan([station.counter], station.x, position)


def test_a_plan_of_the_users_own_gets_devices_in_the_place_of_their_names(bench):
    spec = own_plan("theirs", their_plan)
    recipe = spec.arguments.model_validate(
        {"detectors": ["counter"], "motor": "x", "position": 2, "times": 2}
    )

    outcome = bench.run(spec.run(bench.station, recipe))

    assert [data["x-readback"] for data in bench.events(outcome)] == [2.0, 2.0]
    assert bench.start(outcome)["label"] == "x"
    assert spec.effect is Effect.IRREVERSIBLE


def test_a_plan_that_asks_for_the_station_gets_it(bench):
    spec = own_plan("theirs", station_plan)

    outcome = bench.run(spec.run(bench.station, spec.arguments.model_validate({"position": 1.0})))

    assert bench.events(outcome)[0]["x-readback"] == 1.0


def labelled_plan(station, *, position: float, experiment_id: str):
    """A plan that tells the instrument which experiment it is."""
    yield from their_plan([station.counter], station.x, position, label=experiment_id)


def test_a_plan_that_asks_for_the_experiments_id_is_told_it_and_no_file_can_give_it(bench):
    spec = own_plan("theirs", labelled_plan)
    recipe = spec.arguments.model_validate({"position": 1.0})

    outcome = bench.run(spec.run(bench.station, recipe, "e-7"))

    assert spec.identified
    assert bench.start(outcome)["label"] == "e-7"
    with pytest.raises(ValidationError, match="experiment_id"):
        spec.arguments.model_validate({"position": 1.0, "experiment_id": "mine"})


def test_a_look_up_that_cannot_be_asked_is_refused():
    def theirs(station):
        yield from ()

    theirs.look_up = lambda _station: ()

    with pytest.raises(PlanError, match="look_up takes station and experiment id"):
        own_plan("theirs", theirs)


def test_the_arguments_of_an_own_plan_are_checked_by_its_signature():
    arguments = own_plan("theirs", their_plan).arguments

    with pytest.raises(ValidationError, match="position"):
        arguments.model_validate({"detectors": [], "motor": "x", "position": "far"})
    with pytest.raises(ValidationError, match="speed"):
        arguments.model_validate({"detectors": [], "motor": "x", "position": 1, "speed": 2})
    with pytest.raises(PlanError, match="can't be given by name"):
        own_plan("stars", lambda *motors: motors)


EXAMPLES = {
    "move_and_read": ReadRecipe(detectors=("counter",), x=1.0),
    "count": CountRecipe(detectors=("counter",)),
    "scan_1d": LineRecipe(detectors=("counter",), motor="x", start=0, stop=1, points=2),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_generic_plan_yields_bare_messages_in_one_run_and_unstages_all_that_it_staged(
    bench, name
):
    messages = list(PLANS[name].run(bench.station, EXAMPLES[name]))

    commands = [message.command for message in messages]
    assert all(type(message) is Msg for message in messages)
    assert commands.count("open_run") == commands.count("close_run") == 1
    staged = [message.obj for message in messages if message.command == "stage"]
    assert staged == [m.obj for m in messages if m.command == "unstage"][::-1]
    assert commands.count("create") == commands.count("save") == (2 if name == "scan_1d" else 1)
    assert all("timeout" in m.kwargs for m in messages if m.command == "wait")


GRID = EnergyGrid(regions=((8970.0, 8990.0, 10.0),))
ALL = {
    **EXAMPLES,
    "oxidise_and_measure": OxidationRecipe(temperature=200.0, o2=1.0, h2=0.0, dwell=1.0, grid=GRID),
    "xanes_step_scan": StepScanRecipe(grid=GRID),
    "xanes_of_foil": FoilRecipe(grid=GRID),
    "measure_recorded": RecordedRecipe(composition=0.5),
    "look": LookRecipe(look="loop", x=1.0, y=0.5),
    "measure_spot": SpotRecipe(x=10.0, y=-20.0),
    "synthesise_and_measure": SynthesisRecipe(ratio=0.5, temperature=700.0, time=2.0),
}
"""Arguments of the plans that can't do without."""


@pytest.fixture
def stations(bench):
    known = {name: kind.build("T:") for name, kind in STATIONS.items()}
    recorded = RecordedStation(RecordedBench("R:", {"composition": float}, ("y",), name="bench"))
    return {**known, "recorded_table": recorded, ANY: bench.station}


@pytest.mark.parametrize("name", PLANS)
def test_every_plan_keeps_the_promises_of_its_entry(name, stations):
    spec = PLANS[name]
    recipe = ALL[name] if name in ALL else spec.arguments()

    plan = spec.run(stations[spec.station], recipe)

    assert isinstance(next(plan), Msg)
    plan.close()
    assert spec.name == name
    assert isinstance(spec.effect, Effect)
    assert 0 < spec.duration_s(recipe) < 30 * 86400
    assert spec.arguments.model_validate_json(recipe.model_dump_json()) == recipe
    json.dumps(recipe.metadata())
    assert all(compatible(unit, unit) for unit in spec.arguments.units().values())
    assert all(amount >= 0 for amount in spec.consumes(recipe).values())


@pytest.mark.parametrize("name", [n for n, spec in PLANS.items() if spec.station in STATIONS])
def test_what_a_plan_says_it_writes_is_a_signal_of_its_station(name, stations):
    known = {
        path
        for device, tree in stations[PLANS[name].station].devices().items()
        for path, _ in leaves(device, tree)
    }

    assert set(PLANS[name].arguments.signals().values()) <= known
