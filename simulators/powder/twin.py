"""The powder station's twin: what the bench does with commands and time, and what it then shows.

It is deterministic given options, seed, commands and steps, knows no device and no clock, and
enforces no safety: what a real station could do to itself, this one does too.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from simulators.copper.furnace import Furnace
from simulators.errors import CommandError, ExposureError, SimulatorError
from simulators.powder.chemistry import Powder
from simulators.powder.options import PowderOptions
from simulators.powder.patterns import Crucible, Patterns, crucible
from simulators.snapshots import Parts, put_back, taken

SNAPSHOT_VERSION = 1
LONGEST_S = 1e6
STOICHIOMETRIC = 0.5
SHRINKAGE = -0.004
"""Strain of the spinel's cell for each mole of lithium in excess, per mole of manganese."""
_WEIGHING, _CRUCIBLE, _COUNTING = 1, 2, 3  # streams of chance
_EDGE = 1.0 - 1e-9

_Command = tuple[Callable[[float], None], str, Callable[[float], bool]]


class PowderTwin:
    """A dispenser, a furnace, a diffractometer: commanded, stepped, read, exposed.

    Commands: `dispenser.ratio` (lithium for each manganese, mol), `furnace.setpoint` (degC),
    `furnace.ramp_rate` (K/min), `shutter.open` (0 or 1). ``load`` puts a fresh crucible of the
    ratio in the furnace. At the start there is one with 0.5, ground and cold.
    """

    def __init__(self, seed: int, options: PowderOptions | None = None) -> None:
        if seed < 0:
            raise SimulatorError(f"powder twin: asked for seed {seed}, it must be 0 or more")
        self.options = options or PowderOptions()
        self._seed = seed
        self._furnace = Furnace(self.options.furnace)
        self._powder = Powder(self.options.chemistry)
        self._patterns = Patterns(self.options.diffractometer)
        self._furnace.ramp_rate = self.options.ramp_k_min
        self.ratio = self.weighed = STOICHIOMETRIC
        self.shutter = 0.0
        self.loaded = 0
        self._tick, self._phase, self._exposures = 0, 0.0, 0
        self._powder.load(self.weighed)
        self._commands = self._command_table()

    @property
    def seconds(self) -> float:
        """Virtual time since the start."""
        return self._tick + self._phase

    @property
    def two_theta(self) -> NDArray[np.float64]:
        """The angles of a scan (n), degrees."""
        return self._patterns.two_theta

    @property
    def truth(self) -> dict[str, float]:
        """The mass fractions of what really is in the crucible, for tests and reports."""
        return self._powder.fractions()

    def prepare(self) -> None:
        """Do now what the first exposure would have to: it takes seconds, once in a process."""
        self._patterns.prepare()

    def command(self, name: str, value: float) -> None:
        """Take a command; raises CommandError when it is unknown or has no physical meaning."""
        if name not in self._commands:
            raise CommandError(
                f"powder twin: no command {name!r}, there are {', '.join(self._commands)}; "
                "nothing has changed"
            )
        act, means, accepts = self._commands[name]
        if not isfinite(value) or not accepts(value):
            raise CommandError(
                f"powder twin: {name} was asked for {value}, it takes {means}; nothing has changed"
            )
        act(float(value))

    def commands(self) -> dict[str, float]:
        """Return what each command was last given, by its name."""
        return {
            "dispenser.ratio": self.ratio,
            "furnace.setpoint": self._furnace.setpoint,
            "furnace.ramp_rate": self._furnace.ramp_rate,
            "shutter.open": self.shutter,
        }

    def load(self) -> None:
        """Put a fresh crucible of the present ratio in the furnace, whatever stood there."""
        self.loaded += 1
        rng = np.random.default_rng([self._seed, _WEIGHING, self.loaded])
        self.weighed = float(self.ratio * (1.0 + self.options.weighing * rng.standard_normal()))
        self._powder.load(self.weighed)

    def step(self, seconds: float) -> None:
        """Let *seconds* of virtual time pass (0 or more)."""
        if not isfinite(seconds) or seconds < 0:
            raise SimulatorError(f"powder twin: can't step by {seconds} s, it must be 0 s or more")
        left = float(seconds)
        while left > 1e-9:
            if self._phase == 0.0:
                self._furnace.control()
            piece = min(1.0 - self._phase, left)
            before = self._furnace.sample
            self._furnace.advance(piece)
            self._powder.advance(piece, 0.5 * (before + self._furnace.sample))
            left -= piece
            self._phase += piece
            if self._phase >= _EDGE:
                self._tick, self._phase = self._tick + 1, 0.0

    def readbacks(self) -> dict[str, float]:
        """Return what the station's records show now: degC, count, 0 or 1."""
        return {
            "furnace.readback": self._furnace.readback,
            "dispenser.loaded": float(self.loaded),
            "shutter.open": self.shutter,
        }

    def expose(self, exposure_s: float) -> NDArray[np.float64]:
        """Return the counts (n) of a scan of *exposure_s*; without the beam there are none.

        The sample is taken as it is now and no time passes. Each exposure has its own stream of
        chance, keyed by seed and count. Raises ExposureError for times that aren't positive.
        """
        if not isfinite(exposure_s) or not 0.0 < exposure_s <= LONGEST_S:
            raise ExposureError(f"powder twin: can't expose for {exposure_s} s; it must be above 0")
        rng = np.random.default_rng([self._seed, _COUNTING, self._exposures])
        self._exposures += 1
        if not self.shutter:
            return np.zeros(self.options.diffractometer.points)
        strain = SHRINKAGE * (self.weighed - STOICHIOMETRIC)
        mean = self._patterns.expected(self.truth, self._powder.size_nm, strain, self._holder())
        return rng.poisson(mean * exposure_s).astype(np.float64)

    def snapshot(self) -> dict[str, Any]:
        """Return the complete state as JSON-able values; a restored twin goes on bit for bit."""
        return taken(SNAPSHOT_VERSION, self.options, self._parts())

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take the state of a snapshot of a twin with the same options; the seed comes with it.

        Raises SnapshotError, with nothing restored, when it isn't one.
        """
        put_back("powder twin", snapshot, SNAPSHOT_VERSION, self.options, self._parts())

    def _holder(self) -> Crucible:
        return crucible(self.options.diffractometer, [self._seed, _CRUCIBLE, self.loaded])

    def _parts(self) -> Parts:
        """Everything that changes, by name: what a snapshot holds."""
        bench = ("_seed", "_tick", "_phase", "_exposures", "ratio", "weighed", "shutter", "loaded")
        furnace = ("setpoint", "ramp_rate", "working", "heater", "stage", "thermocouple")
        return (
            ("bench", self, bench),
            ("furnace", self._furnace, (*furnace, "integral", "power")),
            ("powder", self._powder, ("amounts", "volume_nm3")),
        )

    def _command_table(self) -> dict[str, _Command]:
        positive = ("a number above 0", lambda value: value > 0.0)
        warm = ("a temperature above -273.15 degC", lambda value: value > -273.15)
        switch = ("0 (closed) or 1 (open)", lambda value: value in (0.0, 1.0))
        return {
            "dispenser.ratio": (partial(setattr, self, "ratio"), *positive),
            "furnace.setpoint": (self._furnace.aim, *warm),
            "furnace.ramp_rate": (partial(setattr, self._furnace, "ramp_rate"), *positive),
            "shutter.open": (partial(setattr, self, "shutter"), *switch),
        }
