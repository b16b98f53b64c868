"""What every test stands on: one thread for torch and BLAS, files that aren't shared."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("MKL_NUM_THREADS", "1")

import signal
from collections.abc import Iterator

import pytest
import torch
from hypothesis import HealthCheck, settings

from tests.support.audit_replay import replayed_under

torch.set_num_threads(1)

settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("search", settings.get_profile("suite"), derandomize=False)
settings.load_profile("suite")
"""Examples are the same each time and may take as long as a busy machine needs;
``pytest --hypothesis-profile=search`` looks for others."""

# Whoever starts the tests in the background starts them with signals ignored; they test signals.
signal.signal(signal.SIGINT, signal.default_int_handler)
for number in (signal.SIGTERM, signal.SIGHUP):
    signal.signal(number, signal.SIG_DFL)


LONGEST = (
    "test_supervised",
    "test_days_supervised",
    "test_siege",
    "test_wishes",
    "test_crash_points",
    "test_io_faults",
    "test_engine_process",
    "test_loop",
    "test_agents",
    "test_archive",
    "test_siege_signals",
    "test_crash",
    "test_drivers_in_processes",
    "test_faults_supervised",
    "test_gate_process",
    "test_fault_kinds",
    "test_ioc_lease",
    "test_catalog",
    "test_no_bypass",
    "test_safety_faults",
    "test_cli",
    "test_worker",
    "test_ending",
    "test_precheck",
    "test_ioc",
    "test_gate_deaths",
    "test_check_campaigns",
    "test_learning",
    "test_bad_outcomes",
    "test_latched_resume",
    "test_check_live",
    "test_desk_attacks",
    "test_report",
)
"""Files that take long, the longest first; ``pytest --durations=60`` says when that has changed."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files that take long, so that no worker is left alone with one at the end."""
    if hasattr(config, "workerinput"):
        place = {name: at for at, name in enumerate(LONGEST)}
        items.sort(key=lambda item: place.get(item.path.stem, len(place)))


@pytest.fixture(autouse=True, scope="session")
def _own_config(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep keys that tests make out of the user's settings."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.getbasetemp() / "config"))
        yield


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep trained models of the tests out of the user's cache, and share them among the tests."""
    folder = tmp_path_factory.getbasetemp()
    shared = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared / "cache"))


@pytest.fixture(autouse=True)
def _gates_keep_to_their_table(request: pytest.FixtureRequest) -> Iterator[None]:
    """Follow the record of every gate that a test has left through the model of its states."""
    yield
    folder = request.node.funcargs.get("tmp_path")
    if folder is not None:
        assert replayed_under(folder) == []
