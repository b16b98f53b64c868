"""Feed and cell: three mass-flow controllers and one mixed volume.

Controllers follow their setpoint as first-order lags; the cell (with its line) is a stirred tank,
V·y' = Q·(x_in − y), with y the mole fractions, Q the total flow (Levenspiel, *Chemical Reaction
Engineering*, ch. 11). Within a step Q and x_in stand at their mean, and both updates are exact.
"""

from math import exp

from simulators.copper.options import GasOptions

GASES = ("o2", "h2", "he")


class GasSystem:
    """Flows in mL/min (at feed conditions) and mole fractions in the cell, in GASES' order."""

    def __init__(self, options: GasOptions) -> None:
        self._lag_s = options.controller_s
        self._volume_ml = options.cell_ml
        self._pressure_bar = options.pressure_bar
        self._full_scale = (
            options.o2_full_scale,
            options.h2_full_scale,
            options.he_full_scale,
        )
        self.setpoints = [0.0, 0.0, 0.0]
        self.flows = [0.0, 0.0, 0.0]
        self.cell = [0.0, 0.0, 1.0]
        self.mean_o2_bar = 0.0
        self.mean_h2_bar = 0.0

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass; the cell's mean partial pressures are kept for the kinetics."""
        mean = self._advance_flows(seconds)
        total = mean[0] + mean[1] + mean[2]
        o2_before, h2_before, _ = cell = self.cell
        if total > 1e-9:
            decay = exp(-total / 60.0 * seconds / self._volume_ml)
            for gas in range(3):
                feed = mean[gas] / total
                cell[gas] = feed + (cell[gas] - feed) * decay
        self.mean_o2_bar = 0.5 * (o2_before + cell[0]) * self._pressure_bar
        self.mean_h2_bar = 0.5 * (h2_before + cell[1]) * self._pressure_bar

    def _advance_flows(self, seconds: float) -> list[float]:
        """Move the flows towards their setpoints; return their means over the step, mL/min."""
        kept = exp(-seconds / self._lag_s)
        share = (1.0 - kept) * self._lag_s / seconds
        means = [0.0, 0.0, 0.0]
        for gas in range(3):
            aim = min(self.setpoints[gas], self._full_scale[gas])
            gap = self.flows[gas] - aim
            means[gas] = aim + gap * share
            self.flows[gas] = aim + gap * kept
        return means
