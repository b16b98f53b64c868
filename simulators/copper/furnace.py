"""Furnace: heater block, sample stage, thermocouple, and the controller that drives them.

    C_h·T_h' = P − g·(T_h − T_s) − L_h·(T_h − T_a)
    C_s·T_s' =     g·(T_h − T_s) − L_s·(T_s − T_a)
    τ·T_c'   = T_s − T_c

The controller is digital: once a second it moves its working setpoint by at most the ramp rate and
sets the power P by PI control with anti-windup on the thermocouple T_c, between 0 and the maximum:
it can't cool. Between two samples P stands still and the linear system is propagated by its matrix
exponential, so a second may be cut in pieces without changing the result. The stage overshoots at
the end of a ramp because the integral has taken over part of the ramp's power (feed-forward and
anti-windup as in Åström and Hägglund, *Advanced PID Control* (2006)).
"""

import numpy as np
from numpy.typing import NDArray

from simulators.copper.options import FurnaceOptions

_Row = tuple[float, float, float, float]
_CACHED_STEPS = 64


class Furnace:
    """State in °C above ambient for the three bodies, power in W; see the module for the model."""

    def __init__(self, options: FurnaceOptions) -> None:
        self._options = options
        self._ambient = options.ambient_degc
        self._loss = options.heater_loss_w_k + options.stage_loss_w_k
        self._capacity = options.heater_j_k + options.stage_j_k
        self._propagators: dict[float, tuple[_Row, _Row, _Row]] = {}
        self.setpoint = options.ambient_degc
        self.ramp_rate = 20.0  # K/min
        self.working = options.ambient_degc
        self.heater = self.stage = self.thermocouple = 0.0
        self.integral = 0.0
        self.power = 0.0

    @property
    def readback(self) -> float:
        """What the thermocouple says, °C."""
        return self._ambient + self.thermocouple

    @property
    def sample(self) -> float:
        """The sample's true temperature, °C."""
        return self._ambient + self.stage

    def aim(self, setpoint: float) -> None:
        """Take a new setpoint (°C): the working setpoint starts from the reading (servo to PV)."""
        if setpoint != self.setpoint:
            self.working = self.readback
        self.setpoint = setpoint

    def control(self) -> None:
        """One sample of the controller, once a second: working setpoint, then power."""
        options = self._options
        most = self.ramp_rate / 60.0
        moved = min(max(self.setpoint - self.working, -most), most)
        self.working += moved
        error = self.working - self.readback
        wanted = (
            self._loss * (self.working - self._ambient)
            + options.ramp_compensation * self._capacity * moved
            + options.proportional_w_k * error
            + self.integral
        )
        self.power = min(max(wanted, 0.0), options.maximum_w)
        if self.power == wanted or (wanted - self.power) * error < 0.0:
            self.integral += options.integral_w_k_s * error

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass at the present power."""
        rows = self._propagators.get(seconds) or self._propagator(seconds)
        h, s, c, p = self.heater, self.stage, self.thermocouple, self.power
        first, second, third = rows
        self.heater = first[0] * h + first[1] * s + first[2] * c + first[3] * p
        self.stage = second[0] * h + second[1] * s + second[2] * c + second[3] * p
        self.thermocouple = third[0] * h + third[1] * s + third[2] * c + third[3] * p

    def _propagator(self, seconds: float) -> tuple[_Row, _Row, _Row]:
        if len(self._propagators) >= _CACHED_STEPS:
            self._propagators.clear()
        table = _exponential(self._matrix() * seconds).tolist()
        rows = (tuple(table[0]), tuple(table[1]), tuple(table[2]))
        self._propagators[seconds] = rows
        return rows

    def _matrix(self) -> NDArray[np.float64]:
        """Return the 4 x 4 matrix of (T_h, T_s, T_c, P)' with P' = 0."""
        o = self._options
        g = o.coupling_w_k
        rows = np.array(
            [
                [-(g + o.heater_loss_w_k), g, 0.0, 1.0],
                [g, -(g + o.stage_loss_w_k), 0.0, 0.0],
                [0.0, 1.0, -1.0, 0.0],
                [0.0, 0.0, 0.0, 0.0],
            ]
        )
        inertia = np.array([[o.heater_j_k], [o.stage_j_k], [o.thermocouple_s], [1.0]])
        return np.asarray(rows / inertia, dtype=np.float64)


def _exponential(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return e^matrix by scaling and squaring of its Taylor series, to rounding."""
    norm = float(np.abs(matrix).sum(axis=1).max())
    halvings = max(0, int(np.ceil(np.log2(norm / 0.25)))) if norm > 0.25 else 0
    scaled = matrix / 2.0**halvings
    term = result = np.eye(len(matrix))
    for order in range(1, 14):  # 0.25^14/14! < 1e-19
        term = term @ scaled / order
        result = result + term
    for _ in range(halvings):
        result = result @ result
    return result
