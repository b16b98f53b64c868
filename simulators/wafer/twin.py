"""The wafer beamline's twin: a stage, a shutter, and the recorded pattern of the spot in the beam.

It is deterministic given options, seed, commands and steps, knows no device and no clock, and
enforces no safety. The patterns are real; the background that their authors took away, and counting
statistics, are put back: what comes out has to be reduced as at a beamline.
"""

from collections.abc import Mapping
from math import copysign, isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.errors import CommandError, ExposureError, SimulatorError
from simulators.snapshots import Parts, put_back, taken
from simulators.wafer.options import WaferOptions
from simulators.wafer.recorded import RecordedWafer, read_wafer

SNAPSHOT_VERSION = 1
LONGEST_S = 1e6
AXES = ("x", "y")
STATE = ("_seed", "_seconds", "_exposures", "shutter", "setpoints", "places")
HALO_Q, HALO_WIDTH = 16.0, 2.5
"""Where the substrate's halo is, and how wide (standard deviation): nm^-1."""


class WaferTwin:
    """A wafer on a stage: commanded, stepped, read, exposed.

    Commands: `x.setpoint` and `y.setpoint` (mm), `shutter.open` (0 or 1).
    """

    def __init__(
        self, seed: int, options: WaferOptions | None = None, wafer: RecordedWafer | None = None
    ) -> None:
        if seed < 0:
            raise SimulatorError(f"wafer twin: asked for seed {seed}, it must be 0 or more")
        self.options = options or WaferOptions()
        self.wafer = wafer or read_wafer()
        self._seed = seed
        self._seconds = 0.0
        self._exposures = 0
        self.shutter = 0.0
        start = [self.options.start_x_mm, self.options.start_y_mm]
        self.setpoints, self.places = list(start), list(start)

    @property
    def seconds(self) -> float:
        """Virtual time since the start."""
        return self._seconds

    @property
    def q(self) -> NDArray[np.float64]:
        """Where patterns have their points (f), nm^-1."""
        return self.wafer.q

    @property
    def spot(self) -> int | None:
        """Which spot is in the beam, counted from 0; None for none."""
        away = np.linalg.norm(self.wafer.places - np.array(self.places), axis=1)
        nearest = int(away.argmin())
        return nearest if away[nearest] <= self.options.reach_mm else None

    @property
    def truth(self) -> dict[str, float]:
        """The published shares of the phases where the beam is, for tests and reports."""
        spot = self.spot
        if spot is None:
            return {}
        shares = self.wafer.published[spot].tolist()
        return dict(zip(self.wafer.phases, shares, strict=True))

    def command(self, name: str, value: float) -> None:
        """Take a command; raises CommandError when it is unknown or has no physical meaning."""
        known = self.commands()
        if name not in known:
            raise CommandError(
                f"wafer twin: no command {name!r}, there are {', '.join(known)}; "
                "nothing has changed"
            )
        if not isfinite(value) or (name == "shutter.open" and value not in (0.0, 1.0)):
            means = "0 (closed) or 1 (open)" if name == "shutter.open" else "a place in mm"
            raise CommandError(
                f"wafer twin: {name} was asked for {value}, it takes {means}; nothing has changed"
            )
        if name == "shutter.open":
            self.shutter = float(value)
        else:
            self.setpoints[AXES.index(name[0])] = float(value)

    def commands(self) -> dict[str, float]:
        """Return what each command was last given, by its name."""
        x, y = self.setpoints
        return {"x.setpoint": x, "y.setpoint": y, "shutter.open": self.shutter}

    def step(self, seconds: float) -> None:
        """Let *seconds* of virtual time pass (0 or more)."""
        if not isfinite(seconds) or seconds < 0:
            raise SimulatorError(f"wafer twin: can't step by {seconds} s, it must be 0 s or more")
        self._seconds += seconds
        furthest = self.options.speed_mm_s * seconds
        for axis, wanted in enumerate(self.setpoints):
            left = wanted - self.places[axis]
            self.places[axis] += copysign(min(abs(left), furthest), left)

    def readbacks(self) -> dict[str, float]:
        """Return what the station's records show now: mm, 0 or 1."""
        x, y = self.places
        return {"x.readback": x, "y.readback": y, "shutter.open": self.shutter}

    def expose(self, exposure_s: float) -> NDArray[np.float64]:
        """Return the counts (f) of an exposure of *exposure_s*; without the beam there are none.

        No time passes. Each exposure has its own stream of chance, keyed by seed and count. Raises
        ExposureError for times that aren't positive.
        """
        if not isfinite(exposure_s) or not 0.0 < exposure_s <= LONGEST_S:
            raise ExposureError(f"wafer twin: can't expose for {exposure_s} s; it must be above 0")
        rng = np.random.default_rng([self._seed, self._exposures])
        self._exposures += 1
        if not self.shutter:
            return np.zeros(self.q.size)
        rate = self.options.counts_per_s * (self._film() + self._background())
        return rng.poisson(rate * exposure_s).astype(np.float64)

    def snapshot(self) -> dict[str, Any]:
        """Return the complete state as JSON-able values; a restored twin goes on bit for bit."""
        return taken(SNAPSHOT_VERSION, self.options, self._parts())

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take the state of a snapshot of a twin with the same options; the seed comes with it.

        Raises SnapshotError, with nothing restored, when it isn't one.
        """
        put_back("wafer twin", snapshot, SNAPSHOT_VERSION, self.options, self._parts())

    def _parts(self) -> Parts:
        """Everything that changes: what a snapshot holds."""
        return (("bench", self, STATE),)

    def _film(self) -> NDArray[np.float64]:
        spot = self.spot
        return np.zeros(self.q.size) if spot is None else self.wafer.patterns[spot]

    def _background(self) -> NDArray[np.float64]:
        falling = self.options.background * self.q[0] / self.q
        halo = np.exp(-0.5 * np.square((self.q - HALO_Q) / HALO_WIDTH))
        return np.asarray(falling + self.options.halo * halo)
