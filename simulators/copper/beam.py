"""Shutter, monochromator motor and the dose that the sample has taken."""

from simulators.copper.options import BeamOptions

_PHOTON_J = 8979.0 * 1.602176634e-19  # at the K edge of copper


class Beam:
    """Indicated energy in eV, shutter and reference foil 0 or 1 (in), dose in kGy.

    Dose = flux · photon energy · absorbed fraction · time / mass, while the shutter is open; its
    scale is that of the options, no calibration against a dosimeter.
    """

    def __init__(self, options: BeamOptions) -> None:
        watt = options.flux_per_s * _PHOTON_J * options.absorbed_fraction
        self._kilogray_per_s = watt / (options.irradiated_mg * 1e-6) / 1e3
        self._speed = options.monochromator_ev_s
        self.energy = self.target = options.parked_ev
        self.shutter = 0.0
        self.foil = 0.0
        self.dose = 0.0

    def advance(self, seconds: float, *, filled: bool = True) -> None:
        """Let *seconds* pass: the motor moves at constant speed, dose accumulates.

        Where the ring isn't *filled*, or the foil stands in the sample's place, none does.
        """
        if self.shutter and filled and not self.foil:
            self.dose += self._kilogray_per_s * seconds
        gap = self.target - self.energy
        if gap:
            most = self._speed * seconds
            self.energy = (
                self.target if abs(gap) <= most else self.energy + (most if gap > 0 else -most)
            )
