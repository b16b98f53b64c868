"""What the precursors become: amounts for each mole of manganese, and the size of crystallites.

Six reactions, each first order in the solid that is used up and slower when there is little
carbonate left (see ``ChemistryOptions``). A step is the exact solution for the solid that reacts
while the carbonate stands still: amounts stay positive for any length, and lithium, but for what
evaporates, and manganese are conserved.
"""

from math import exp, expm1

from simulators.powder.options import ChemistryOptions, Reaction

GAS_CONSTANT = 8.314462618  # J/(mol K), CODATA 2018
ZERO_CELSIUS = 273.15  # K
GROWTH_KJ_MOL = 250.0
GROWTH_DEGC = 800.0

PHASES = ("Li2CO3", "Mn2O3", "LiMn2O4", "Li2MnO3", "Mn3O4", "LiMnO2")
MASSES = (73.891, 157.874, 180.813, 116.818, 228.811, 93.877)
"""g/mol, in the order of PHASES."""
_COLD_DEGC = 300.0
"""Below nothing happens in days."""


class Powder:
    """What stands in the furnace: *amounts* (mol for each mol of manganese, by PHASES)."""

    def __init__(self, options: ChemistryOptions) -> None:
        self._options = options
        self.amounts = [0.0, 0.5, 0.0, 0.0, 0.0, 0.0]
        self.volume_nm3 = options.grain_nm**3
        """Of a crystallite, as a cube."""

    def load(self, ratio: float) -> None:
        """Begin anew with *ratio* moles of lithium for each of manganese."""
        self.amounts = [0.5 * ratio, 0.5, 0.0, 0.0, 0.0, 0.0]
        self.volume_nm3 = self._options.grain_nm**3

    @property
    def size_nm(self) -> float:
        """The size of the crystallites."""
        return float(self.volume_nm3 ** (1.0 / 3.0))

    def fractions(self) -> dict[str, float]:
        """Return the mass fractions by phase; they sum to one."""
        grams = [n * mass for n, mass in zip(self.amounts, MASSES, strict=True)]
        total = sum(grams)
        return {name: gram / total for name, gram in zip(PHASES, grams, strict=True)}

    def advance(self, seconds: float, degc: float) -> None:
        """Let *seconds* pass at *degc*."""
        if degc < _COLD_DEGC:
            return
        options, hours = self._options, seconds / 3600.0
        there = self.amounts[0] / (self.amounts[0] + options.scarce_mol)
        self._spinel(there * rate(options.spinel, degc) * hours)
        self._layered(there * rate(options.layered, degc) * hours)
        self._ripen(rate(options.ripening, degc) * hours)
        self._part(rate(options.parting, degc) * hours)
        self.amounts[0] *= exp(-rate(options.evaporation, degc) * hours)
        lost = self.amounts[1] * -expm1(-rate(options.hausmannite, degc) * hours)
        self.amounts[1] -= lost
        self.amounts[4] += 2.0 / 3.0 * lost
        grown = Reaction(
            rate_per_h=options.growth_nm3_h,
            reference_degc=GROWTH_DEGC,
            activation_kj_mol=GROWTH_KJ_MOL,
        )
        self.volume_nm3 += rate(grown, degc) * hours

    def _spinel(self, extent: float) -> None:
        used = min(self.amounts[1] * -expm1(-extent), 2.0 * self.amounts[0])
        self.amounts[0] -= 0.5 * used
        self.amounts[1] -= used
        self.amounts[2] += used

    def _layered(self, extent: float) -> None:
        used = min(self.amounts[2] * -expm1(-extent), self.amounts[0] / 1.5)
        self.amounts[0] -= 1.5 * used
        self.amounts[2] -= used
        self.amounts[3] += 2.0 * used

    def _ripen(self, extent: float) -> None:
        used = min(self.amounts[3] * -expm1(-extent), self.amounts[1] / 1.5)
        self.amounts[3] -= used
        self.amounts[1] -= 1.5 * used
        self.amounts[2] += 2.0 * used

    def _part(self, extent: float) -> None:
        used = self.amounts[2] * -expm1(-extent)
        self.amounts[2] -= used
        self.amounts[4] += used / 3.0
        self.amounts[5] += used


def rate(reaction: Reaction, degc: float) -> float:
    """Return the rate constant (1/h) at *degc*."""
    inverse = 1.0 / (reaction.reference_degc + ZERO_CELSIUS) - 1.0 / (degc + ZERO_CELSIUS)
    return reaction.rate_per_h * exp(reaction.activation_kj_mol * 1e3 / GAS_CONSTANT * inverse)
