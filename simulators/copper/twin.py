"""The copper station's twin: what the bench does with commands and time, and what it then shows.

It is deterministic given options, seed, commands and steps, knows no device and no clock, and
enforces no safety: what a real station could do to itself, this one does too.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from simulators.copper.beam import Beam
from simulators.copper.drift import Drift
from simulators.copper.exhaust import Exhaust
from simulators.copper.furnace import Furnace
from simulators.copper.gas import GASES, GasSystem
from simulators.copper.kinetics import ZERO_CELSIUS, CopperKinetics
from simulators.copper.options import CopperOptions
from simulators.copper.ring import Ring
from simulators.copper.snapshots import upgraded
from simulators.copper.spectra import Counts, Spectrometer
from simulators.errors import CommandError, ExposureError, SimulatorError
from simulators.snapshots import Parts, put_back, taken

SNAPSHOT_VERSION = 3
_STREAM = 2  # of chance for spectra; the drift has 1, the exhaust 3
_FOIL = (1.0, 0.0, 0.0)  # copper metal
_EDGE = 1.0 - 1e-9  # nearer to the next second than this is that second

_Command = tuple[Callable[[float], None], str, Callable[[float], bool]]
"""What it does, what it takes in words, whether it takes a value."""


@dataclass(frozen=True, slots=True)
class Truth:
    """What nobody on the beamline knows: for tests and reports, never for the loop."""

    cu0: float
    cu1: float
    cu2: float
    sample_degc: float
    o2_bar: float
    h2_bar: float
    drift_ev: float


class CopperTwin:
    """A furnace, three gases, a cell with copper, a beam: commanded, stepped, read, exposed.

    Commands: `furnace.setpoint` (degC), `furnace.ramp_rate` (K/min), `o2.setpoint`, `h2.setpoint`,
    `he.setpoint` (mL/min), `mono.energy` (eV), `shutter.open`, `foil.in` (0 or 1; in: a copper
    foil in the sample's place). Readbacks are listed at :meth:`readbacks` and :meth:`machine`. At
    the start everything is off, the cell is full of helium, the sample is as loaded
    (KineticsOptions), the shutter is closed and the foil out.
    """

    def __init__(self, seed: int, options: CopperOptions | None = None) -> None:
        if seed < 0:
            raise SimulatorError(f"copper twin: asked for seed {seed}, it must be 0 or more")
        self.options = options or CopperOptions()
        beam = self.options.beam
        self._seed = seed
        self._furnace = Furnace(self.options.furnace)
        self._gas = GasSystem(self.options.gas)
        self._kinetics = CopperKinetics(self.options.kinetics)
        self._beam = Beam(beam)
        self._ring = Ring(self.options.ring, self.options.beam_dumps)
        self._exhaust = Exhaust(self.options.exhaust, self.options.exhaust_stops, seed)
        self._drift = Drift(beam, seed)
        self._spectrometer = Spectrometer(beam)
        self._tick, self._phase, self._exposures = 0, 0.0, 0
        self._commands = self._command_table()

    @property
    def seconds(self) -> float:
        """Virtual time since the start."""
        return self._tick + self._phase

    @property
    def range_ev(self) -> tuple[float, float]:
        """Energies that :meth:`expose` takes."""
        return self._spectrometer.range_ev

    @property
    def truth(self) -> Truth:
        """What really is in the cell, for tests and reports."""
        copper, cell = self._kinetics, self._gas.cell
        pressure = self.options.gas.pressure_bar
        return Truth(
            copper.cu0,
            copper.cu1,
            copper.cu2,
            self._furnace.sample,
            cell[0] * pressure,
            cell[1] * pressure,
            self._drift.at(self.seconds),
        )

    def command(self, name: str, value: float) -> None:
        """Take a command; it acts within the next second of steps.

        Raises CommandError when the name is unknown or the value has no physical meaning.
        """
        if name not in self._commands:
            raise CommandError(
                f"copper twin: no command {name!r}, there are {', '.join(self._commands)}; "
                "nothing has changed"
            )
        act, means, accepts = self._commands[name]
        if not isfinite(value) or not accepts(value):
            raise CommandError(
                f"copper twin: {name} was asked for {value}, it takes {means}; nothing has changed"
            )
        act(float(value))

    def commands(self) -> dict[str, float]:
        """Return what each command was last given, by its name."""
        furnace, beam = self._furnace, self._beam
        flows = {f"{gas}.setpoint": self._gas.setpoints[at] for at, gas in enumerate(GASES)}
        return {
            "furnace.setpoint": furnace.setpoint,
            "furnace.ramp_rate": furnace.ramp_rate,
            **flows,
            "mono.energy": beam.target,
            "shutter.open": beam.shutter,
            "foil.in": beam.foil,
        }

    def dump_beam(self, seconds: float) -> None:
        """Lose the beam now, for *seconds*; 0 brings it back."""
        self._ring.dump(self.seconds, seconds)

    def stop_exhaust(self, seconds: float) -> None:
        """Let the exhaust stand still from now for *seconds*; 0 lets it run again."""
        self._exhaust.halt(self.seconds, seconds)

    def machine(self) -> dict[str, float]:
        """Return what ring and exhaust show now: mA, front end 0 or 1 (open), L/min."""
        now = self.seconds
        return {
            "ring.current": self._ring.current_ma(now),
            "front_end.open": float(self._ring.filled(now)),
            "exhaust.flow": self._exhaust.flow_l_min(now),
        }

    def step(self, seconds: float) -> None:
        """Let *seconds* of virtual time pass (0 or more)."""
        if not isfinite(seconds) or seconds < 0:
            raise SimulatorError(f"copper twin: can't step by {seconds} s, it must be 0 s or more")
        left = float(seconds)
        while left > 1e-9:
            if self._phase == 0.0:
                self._furnace.control()
            piece = min(1.0 - self._phase, left)
            self._advance(piece)
            left -= piece
            self._phase += piece
            if self._phase >= _EDGE:
                self._tick, self._phase = self._tick + 1, 0.0

    def readbacks(self) -> dict[str, float]:
        """Return what the station's records show now: degC, mL/min, eV, 0 or 1, kGy."""
        o2, h2, he = self._gas.flows
        return {
            "furnace.readback": self._furnace.readback,
            "o2.readback": o2,
            "h2.readback": h2,
            "he.readback": he,
            "mono.readback": self._beam.energy,
            "shutter.open": self._beam.shutter,
            "dose.accumulated": self._beam.dose,
        }

    def expose(self, energies_ev: ArrayLike, exposure_s: float) -> Counts:
        """Return I0 and fluorescence counts (`m` each) at *energies_ev* (`m`), dark without beam.

        Every energy counts for *exposure_s*, all at once as with a dispersive spectrometer, or one
        by one with a single energy. The sample is taken as it is now and no time passes: whoever
        exposes steps. Each exposure has its own stream of chance, keyed by seed and count.

        Raises ExposureError for energies outside of `range_ev` and times that aren't positive.
        """
        rng = np.random.default_rng([self._seed, _STREAM, self._exposures])
        if not (self._beam.shutter and self._ring.filled(self.seconds)):
            counts = self._spectrometer.dark(energies_ev, exposure_s, rng)
        else:
            truth = self.truth
            sample = (truth.cu0, truth.cu1, truth.cu2)
            batch = self._spectrometer.expose(
                _FOIL if self._beam.foil else sample, truth.drift_ev, energies_ev, exposure_s, rng
            )
            counts = Counts(batch.i0[0], batch.fluorescence[0])
        self._exposures += 1
        return counts

    def expose_batch(
        self, fractions: ArrayLike, energies_ev: ArrayLike, exposure_s: float
    ) -> Counts:
        """Return counts (`n x m`) of *fractions* (`n x 3`) at the present drift: for training data.

        One stream of chance for the batch, keyed as for :meth:`expose`; the sample isn't touched.
        """
        shares = np.asarray(fractions, dtype=np.float64)
        if shares.ndim != 2 or shares.shape[1] != 3 or not np.isfinite(shares).all():
            raise ExposureError(
                f"copper twin: fractions must be finite and n x 3, have {shares.shape}; "
                "nothing was exposed"
            )
        rng = np.random.default_rng([self._seed, _STREAM, self._exposures])
        drift = self._drift.at(self.seconds)
        counts = self._spectrometer.expose(shares, drift, energies_ev, exposure_s, rng)
        self._exposures += 1
        return counts

    def snapshot(self) -> dict[str, Any]:
        """Return the complete state as JSON-able values; a restored twin goes on bit for bit."""
        self._drift.at(self.seconds)  # the same snapshot whether or not somebody has looked
        return taken(SNAPSHOT_VERSION, self.options, self._parts())

    def restore(self, snapshot: Mapping[str, Any]) -> None:
        """Take the state of a snapshot of a twin with the same options; the seed comes with it.

        Raises SnapshotError, with nothing restored, when it isn't one.
        """
        put_back("copper twin", upgraded(snapshot), SNAPSHOT_VERSION, self.options, self._parts())

    def _advance(self, seconds: float) -> None:
        """Let a piece of one second pass for everything at once."""
        furnace, gas = self._furnace, self._gas
        before = furnace.sample
        furnace.advance(seconds)
        gas.advance(seconds)
        kelvin = 0.5 * (before + furnace.sample) + ZERO_CELSIUS
        self._kinetics.advance(seconds, kelvin, gas.mean_o2_bar, gas.mean_h2_bar)
        self._beam.advance(seconds, filled=self._ring.filled(self.seconds))

    def _parts(self) -> Parts:
        """Everything that changes, by name: what a snapshot holds."""
        furnace = ("setpoint", "ramp_rate", "working", "heater", "stage", "thermocouple")
        return (
            ("bench", self, ("_seed", "_tick", "_phase", "_exposures")),
            ("beam", self._beam, ("energy", "target", "shutter", "foil", "dose")),
            ("ring", self._ring, ("dumped_until",)),
            ("exhaust", self._exhaust, ("seed", "stopped_until")),
            ("furnace", self._furnace, (*furnace, "integral", "power")),
            ("gas", self._gas, ("setpoints", "flows", "cell")),
            ("copper", self._kinetics, ("cu0", "cu2")),
            ("drift", self._drift, ("seed", "knot", "before", "after")),
        )

    def _command_table(self) -> dict[str, _Command]:
        flow = ("a flow of 0 mL/min or more", lambda value: value >= 0.0)
        flows = {
            f"{gas}.setpoint": (partial(self._set_flow, at), *flow) for at, gas in enumerate(GASES)
        }
        positive = ("a number above 0", lambda value: value > 0.0)
        switch = ("0 (closed, out) or 1 (open, in)", lambda value: value in (0.0, 1.0))
        warm = ("a temperature above -273.15 degC", lambda value: value > -ZERO_CELSIUS)
        return {
            "furnace.setpoint": (self._furnace.aim, *warm),
            "furnace.ramp_rate": (partial(setattr, self._furnace, "ramp_rate"), *positive),
            **flows,
            "mono.energy": (partial(setattr, self._beam, "target"), *positive),
            "shutter.open": (partial(setattr, self._beam, "shutter"), *switch),
            "foil.in": (partial(setattr, self._beam, "foil"), *switch),
        }

    def _set_flow(self, gas: int, flow: float) -> None:
        self._gas.setpoints[gas] = flow
