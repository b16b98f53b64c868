"""The microscope's twin: a real map of hysteresis loops under a tip that wears.

It is deterministic given options, seed, commands and steps, knows no device and no clock, and
enforces no safety: what a real tip could do to itself, this one does too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.errors import CommandError, ExposureError, SimulatorError
from simulators.microscope.frames import STATES, blurred, tip_frame
from simulators.microscope.options import MicroscopeOptions
from simulators.microscope.recorded import LoopMap, recorded_loops
from simulators.snapshots import Parts, put_back, taken

SNAPSHOT_VERSION = 1
GOOD, DOUBLE, BLUNT, UNSTABLE = range(4)
_WEAR, _PULSE, _TIP, _SURVEY, _LOOP, _START = range(1, 7)  # streams of chance
GAIN = {GOOD: 1.0, DOUBLE: 0.75, BLUNT: 0.55, UNSTABLE: 0.8}
"""How much of the response a tip in each state shows."""
SHAKEN = 0.35
"""Relative scatter of a point of a loop under an unstable tip."""

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Scan:
    """A frame (h x w): 0 where it wasn't *measured*."""

    image: FloatArray
    measured: NDArray[np.bool_]


class MicroscopeTwin:
    """A tip over a map: commanded, stepped, and asked for frames, surveys and loops.

    Commands: `x.setpoint`, `y.setpoint` (um), `tip.pulse` (V; given by ``fire``). Readbacks are
    `x.readback`, `y.readback` and `tip.pulses`.
    """

    def __init__(self, seed: int, options: MicroscopeOptions | None = None) -> None:
        if seed < 0:
            raise SimulatorError(f"microscope twin: asked for seed {seed}, it must be 0 or more")
        self.options = options or MicroscopeOptions()
        self._seed = seed
        self._map = recorded_loops()
        self._seconds = 0.0
        self.wanted, self.place = [0.0, 0.0], [0.0, 0.0]
        self.pulse = 4.0
        self.pulses, self.looks = 0, 0
        self.state = GOOD
        if self.options.worn_at_start:
            self.state = int(np.random.default_rng([seed, _START]).integers(DOUBLE, UNSTABLE + 1))

    @property
    def map(self) -> LoopMap:
        """What is replayed."""
        return self._map

    @property
    def truth(self) -> str:
        """The tip's state, which nobody at the microscope knows."""
        return STATES[self.state]

    def command(self, name: str, value: float) -> None:
        """Take a command; raises CommandError when it is unknown or has no physical meaning."""
        if name not in self.commands():
            raise CommandError(
                f"microscope twin: no command {name!r}, there are {', '.join(self.commands())}; "
                "nothing has changed"
            )
        if not isfinite(value):
            raise CommandError(
                f"microscope twin: {name} was asked for {value}, it takes a number; nothing has "
                "changed"
            )
        if name == "tip.pulse":
            self.pulse = float(value)
        else:
            self.wanted["xy".index(name[0])] = float(value)

    def commands(self) -> dict[str, float]:
        """Return what each command was last given, by its name."""
        return {
            "x.setpoint": self.wanted[0],
            "y.setpoint": self.wanted[1],
            "tip.pulse": self.pulse,
        }

    def step(self, seconds: float) -> None:
        """Let *seconds* of virtual time pass (0 or more)."""
        if not isfinite(seconds) or seconds < 0:
            raise SimulatorError(
                f"microscope twin: can't step by {seconds} s, it must be 0 s or more"
            )
        self._seconds += seconds
        reach = self.options.speed_um_s * seconds
        for axis, wanted in enumerate(self.wanted):
            way = wanted - self.place[axis]
            self.place[axis] = (
                wanted if abs(way) <= reach else self.place[axis] + np.sign(way) * reach
            )

    def readbacks(self) -> dict[str, float]:
        """Return what the station's records show now: um, count."""
        return {
            "x.readback": float(self.place[0]),
            "y.readback": float(self.place[1]),
            "tip.pulses": float(self.pulses),
        }

    def fire(self) -> None:
        """Give the tip a pulse of the present voltage."""
        self.pulses += 1
        rng = np.random.default_rng([self._seed, _PULSE, self.pulses])
        low, high = self.options.pulse_v
        strong = abs(self.pulse)
        if low <= strong <= high and rng.random() < self.options.repaired:
            self.state = GOOD
        elif strong >= low:
            self.state = int(rng.integers(DOUBLE, UNSTABLE + 1))

    def check_tip(self) -> FloatArray:
        """Return a frame (s x s) of the tip check."""
        self._look()
        return tip_frame(self.state, [self._seed, _TIP, self.looks], self.options)

    def survey(self, share: float) -> Scan:
        """Return the whole area with a *share* of its pixels, drawn at random.

        Raises ExposureError for a share that isn't above 0 and at most 1.
        """
        if not 0 < share <= 1:
            raise ExposureError(f"microscope twin: can't survey a share of {share}; above 0 to 1")
        self._look()
        rng = np.random.default_rng([self._seed, _SURVEY, self.looks])
        image = self._map.image
        measured = rng.random(image.shape) < share
        seen = GAIN[self.state] * self._as_seen(image)
        seen = seen + self.options.noise * rng.standard_normal(image.shape)
        if self.state == UNSTABLE:
            jumps = np.cumsum(rng.random(image.shape[0]) < 0.2)
            seen = seen + 3e-5 * rng.standard_normal(jumps[-1] + 1)[jumps][:, None]
        return Scan(np.where(measured, seen, 0.0), measured)

    def loop(self) -> FloatArray:
        """Return the response at each voltage of the map, where the tip is."""
        self._look()
        rng = np.random.default_rng([self._seed, _LOOP, self.looks])
        response = GAIN[self.state] * self._map.response[self._map.nearest(*self.place)]
        if self.state == UNSTABLE:
            response = response * (1 + SHAKEN * rng.standard_normal(response.shape))
        return np.asarray(response + self.options.noise * rng.standard_normal(response.shape))

    def snapshot(self) -> dict[str, Any]:
        """Return the complete state as JSON-able values; a restored twin goes on bit for bit."""
        return taken(SNAPSHOT_VERSION, self.options, self._parts())

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take the state of a snapshot of a twin with the same options; the seed comes with it.

        Raises SnapshotError, with nothing restored, when it isn't one.
        """
        put_back("microscope twin", snapshot, SNAPSHOT_VERSION, self.options, self._parts())

    def _parts(self) -> Parts:
        """Everything that changes: what a snapshot holds."""
        return (("microscope", self, _STATE),)

    def _as_seen(self, image: FloatArray) -> FloatArray:
        if self.state == BLUNT:
            return blurred(image, 2.0)
        if self.state == DOUBLE:
            return np.asarray(image + 0.6 * np.roll(image, (3, 4), axis=(0, 1)))
        return image

    def _look(self) -> None:
        """Count a look, and let it wear the tip."""
        self.looks += 1
        rng = np.random.default_rng([self._seed, _WEAR, self.looks])
        if self.state == GOOD and rng.random() < self.options.wear:
            self.state = int(rng.integers(DOUBLE, UNSTABLE + 1))


_STATE = ("_seed", "_seconds", "wanted", "place", "pulse", "pulses", "looks", "state")
"""Everything that changes: what a snapshot holds."""
