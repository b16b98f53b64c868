"""The seam: every clock and id source of the pinned libraries, replaced and put back."""

import importlib
import pkgutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

import bluesky.plan_stubs as bps
import bluesky.plans as bp
import pytest
from bluesky import RunEngine
from ophyd_async.core import observe_value, soft_signal_rw

from controller.clock import VIRTUAL_START, VirtualClock
from controller.seam import Ids, bindings, derived_id, seam

KNOWN = {
    "bluesky.bundlers ttime",
    "bluesky.plan_stubs time",
    "bluesky.plan_stubs uuid",
    "bluesky.plans time",
    "bluesky.preprocessors uuid",
    "bluesky.simulators time",
    "bluesky.utils time",
    "bluesky.utils uuid",
    "event_model ttime",
    "event_model uuid",
    "ophyd_async.core._detector time",
    "ophyd_async.core._movable time",
    "ophyd_async.core._path_providers uuid",
    "ophyd_async.core._signal time",
    "ophyd_async.core._soft_signal_backend time",
    "ophyd_async.core._status time",
}
"""Every binding of a clock or an id source in the modules that a campaign can load."""

USED = (
    "bluesky",
    "bluesky.simulators",
    "event_model",
    "ophyd_async.core",
    "ophyd_async.epics.core",
)


@pytest.fixture
def engine():
    clock, ids = VirtualClock(), Ids()
    with seam(clock, ids):
        run_engine = RunEngine({}, loop=clock.loop, context_managers=[])
        yield run_engine, clock, ids
        clock.loop.call_soon_threadsafe(clock.loop.stop)
        run_engine._th.join()
        clock.loop.close()


def test_every_module_of_theirs_that_reads_a_clock_is_known():
    for name in USED:
        importlib.import_module(name)
    for name in pkgutil.walk_packages(importlib.import_module("ophyd_async.core").__path__):
        importlib.import_module(f"ophyd_async.core.{name.name}")

    found = {f"{module.__name__} {name}" for module, name, _ in bindings()}

    assert found >= KNOWN
    elsewhere = {
        entry
        for entry in found - KNOWN
        if not entry.startswith(("bluesky.callbacks", "ophyd_async.sim"))
    }
    assert elsewhere == set()


def test_after_the_seam_everything_is_as_it_was():
    before = [(module, name, value) for module, name, value in bindings()]

    clock = VirtualClock()

    with seam(clock, Ids()):
        assert bindings() == []

    clock.loop.close()
    assert before
    assert all(getattr(module, name) is value for module, name, value in before)


LATE = """
import sys
from pathlib import Path
from controller.seam import bindings
from controller.wiring import open_session
from tests.support.campaigns import barrel_campaign, copper_campaign, modelled

for name, campaign in (("copper", copper_campaign()), ("barrel", barrel_campaign())):
    with open_session(modelled(campaign), Path(sys.argv[1]) / name, lambda *_: None) as session:
        session.loop.run()
        late = bindings()
        assert not late, late
"""


def test_no_module_with_a_clock_is_loaded_once_the_seam_is_open(tmp_path):
    root = Path(__file__).parents[2]

    subprocess.run([sys.executable, "-c", LATE, tmp_path], cwd=root, check=True)


def test_stamps_of_events_are_virtual_and_exact(engine):
    run_engine, _, ids = engine
    times: list[float] = []
    run_engine.subscribe(lambda _name, document: times.append(document["time"]), "event")
    ids.begin("a run")

    run_engine(bp.count([soft_signal_rw(float, 0.0, name="signal")], 3, delay=600))

    start = VIRTUAL_START.timestamp()
    assert times == [start, start + 600, start + 1200]


def test_the_same_run_has_the_same_uids(engine):
    run_engine, _, ids = engine
    uids: list[list[str]] = [[], []]
    for attempt in uids:
        token = run_engine.subscribe(lambda _n, d, seen=attempt: seen.append(d.get("uid", "")))
        ids.begin("the same run")
        run_engine(bp.count([soft_signal_rw(float, 0.0, name="signal")], 2))
        run_engine.unsubscribe(token)

    assert uids[0] == uids[1]
    assert len(set(uids[0])) == len(uids[0])


def test_a_done_timeout_of_ophyd_async_fires_at_its_virtual_time(engine):
    run_engine, clock, _ = engine
    signal = soft_signal_rw(float, 0.0, name="signal")

    def plan():
        async def watch() -> None:
            async for _ in observe_value(signal, done_timeout=10):
                pass

        yield from bps.wait_for([watch])

    before = clock.monotonic()
    run_engine(plan())

    assert clock.monotonic() - before == pytest.approx(10, abs=1e-6)


def test_derived_ids_are_stable_and_differ_by_every_part():
    assert derived_id("campaign", "experiment", 1) == derived_id("campaign", "experiment", 1)
    assert derived_id("campaign", "experiment", 1) != derived_id("campaign", "experiment", 2)
    assert uuid.UUID(derived_id("campaign")).version == 5
    assert time.time() > VIRTUAL_START.timestamp()
