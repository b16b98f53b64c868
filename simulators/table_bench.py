"""A recorded table behind a recorded bench."""

import asyncio
from collections.abc import Mapping
from typing import Any

from ophyd_async.core import callback_on_mock_put, set_mock_value

from instruments.recorded import RecordedBench, RecordedStation
from simulators.mock_bench import TICK_S, Listener
from simulators.recorded_table import RecordedTable


class TableBench:
    """A recorded table behind a recorded bench: a measurement is a look-up that takes a second."""

    def __init__(self, station: RecordedStation, table: RecordedTable, seed: int) -> None:
        self._device: RecordedBench = station.bench
        self._table = table
        self._seed = seed
        self._draws = 0
        self.tick_s = TICK_S

    def attach(self, listener: Listener) -> None:
        """Listen to the command to measure; there are no readbacks to watch."""
        del listener
        callback_on_mock_put(self._device.measure, self._measure)

    def start(self) -> None:
        """Nothing moves by itself."""

    def stop(self) -> None:
        """Nothing moves by itself."""

    def pass_time(self, seconds: float) -> None:
        """Nothing moves by itself."""

    def dump_beam(self, seconds: float) -> bool:
        """There is no beam in a table."""
        return False

    def stop_exhaust(self, seconds: float) -> bool:
        """There is no exhaust in a table."""
        return False

    def snapshot(self) -> dict[str, Any]:
        """Return how many replicates were drawn."""
        return {"draws": self._draws}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be as ``snapshot`` found it."""
        self._draws = int(state["draws"])

    async def _measure(self, measure: bool) -> bool:
        if not measure:
            return False
        await asyncio.sleep(TICK_S)
        point = {name: await signal.get_value() for name, signal in self._device.point.items()}
        self._draws += 1
        outcome = self._table.outcome(self._table.index_of(point), self._seed, self._draws)
        for name, signal in self._device.outcome.items():
            set_mock_value(signal, outcome[name])
        return False
