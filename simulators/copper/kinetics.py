"""Cu(0) ⇄ Cu(I) ⇄ Cu(II): rates and their exact integration.

Mass action, first order in the fraction of copper that reacts (sources and orders of magnitude in
:class:`~simulators.copper.options.KineticsOptions`), x = (x0, x1, x2), x0 + x1 + x2 = 1:

    x0' = −k1·x0 + r1·x1
    x2' =  k2·x1 − r2·x2

with k1, k2 driven by p(O2) and r1, r2 by p(H2). The sample is a differential reactor: it doesn't
change the gas. While temperature and pressures hold still this is linear, so a step is exact for
any length and stiffness: x(t+h) = x + h·φ1(hA)·(Ax + b), φ1(z) = (e^z − 1)/z (Hochbruck and
Ostermann, Acta Numerica 19, 209 (2010), ch. 2), the 2 × 2 matrix function by Newton's
divided difference on A's two eigenvalues, which are real because r1·k2 ≥ 0.
"""

from dataclasses import dataclass
from math import exp, expm1, sqrt

from simulators.copper.options import KineticsOptions, Step

GAS_CONSTANT = 8.314462618  # J/(mol K), CODATA 2018
ZERO_CELSIUS = 273.15  # K


@dataclass(frozen=True, slots=True)
class Rates:
    """Rate constants of the four steps, 1/s."""

    oxidation_to_cu1: float
    oxidation_to_cu2: float
    reduction_to_cu0: float
    reduction_to_cu1: float


class Arrhenius:
    """A step's rate as a function of temperature and pressure, with its constants worked out."""

    def __init__(self, step: Step) -> None:
        self._rate = step.rate_per_s
        self._energy = step.activation_kj_mol * 1e3 / GAS_CONSTANT
        self._inverse_reference = 1.0 / (step.reference_degc + ZERO_CELSIUS)
        self._order = step.order

    def __call__(self, kelvin: float, pressure_bar: float) -> float:
        """Return the rate constant in 1/s; 0 without the gas."""
        if pressure_bar <= 0.0:
            return 0.0
        arrhenius = exp(self._energy * (self._inverse_reference - 1.0 / kelvin))
        return self._rate * arrhenius * float(pressure_bar**self._order)


class CopperKinetics:
    """The copper in the cell: its three fractions, and how they change."""

    def __init__(self, options: KineticsOptions) -> None:
        self._k1 = Arrhenius(options.oxidation_to_cu1)
        self._k2 = Arrhenius(options.oxidation_to_cu2)
        self._r1 = Arrhenius(options.reduction_to_cu0)
        self._r2 = Arrhenius(options.reduction_to_cu1)
        self.cu0 = options.start_cu0
        self.cu2 = max(0.0, 1.0 - options.start_cu0 - options.start_cu1)

    @property
    def cu1(self) -> float:
        """Fraction of copper that is Cu(I)."""
        return max(0.0, 1.0 - self.cu0 - self.cu2)

    def rates(self, kelvin: float, o2_bar: float, h2_bar: float) -> Rates:
        """Return the rate constants at a temperature and two partial pressures."""
        return Rates(
            self._k1(kelvin, o2_bar),
            self._k2(kelvin, o2_bar),
            self._r1(kelvin, h2_bar),
            self._r2(kelvin, h2_bar),
        )

    def advance(self, seconds: float, kelvin: float, o2_bar: float, h2_bar: float) -> None:
        """Let the copper react for *seconds* at constant temperature and pressures."""
        rates = self.rates(kelvin, o2_bar, h2_bar)
        self.cu0, self.cu2 = propagate(self.cu0, self.cu2, rates, seconds)


def propagate(cu0: float, cu2: float, rates: Rates, seconds: float) -> tuple[float, float]:
    """Return (x0, x2) after *seconds* with constant rates; exact, and never outside the simplex."""
    a = -(rates.oxidation_to_cu1 + rates.reduction_to_cu0) * seconds
    b = -rates.reduction_to_cu0 * seconds
    c = -rates.oxidation_to_cu2 * seconds
    d = -(rates.oxidation_to_cu2 + rates.reduction_to_cu1) * seconds
    slope0 = a * cu0 + b * cu2 - b
    slope2 = c * cu0 + d * cu2 - c
    middle = 0.5 * (a + d)
    spread = sqrt(0.25 * (a - d) * (a - d) + b * c)
    upper, lower = middle + spread, middle - spread
    phi = _phi1(upper)
    slant = _divided(upper, lower, phi)
    new0 = cu0 + phi * slope0 + slant * ((a - upper) * slope0 + b * slope2)
    new2 = cu2 + phi * slope2 + slant * (c * slope0 + (d - upper) * slope2)
    return _onto_simplex(new0, new2)


def _phi1(z: float) -> float:
    """Return (e^z − 1)/z, 1 at z = 0."""
    return expm1(z) / z if abs(z) > 1e-12 else 1.0 + 0.5 * z


def _divided(upper: float, lower: float, phi_upper: float) -> float:
    """Return (φ1(upper) − φ1(lower))/(upper − lower), also where both are equal."""
    gap = upper - lower
    if gap > 1e-5:
        return (phi_upper - _phi1(lower)) / gap
    z = 0.5 * (upper + lower)
    if abs(z) > 0.03:
        return (exp(z) * (z - 1.0) + 1.0) / (z * z)
    return 0.5 + z * (1 / 3 + z * (1 / 8 + z * (1 / 30 + z / 144)))  # series of φ1'


def _onto_simplex(cu0: float, cu2: float) -> tuple[float, float]:
    """Take off what rounding put outside 0 ≤ x0, 0 ≤ x2, x0 + x2 ≤ 1 (a few 1e-16)."""
    cu0 = min(max(cu0, 0.0), 1.0)
    return cu0, min(max(cu2, 0.0), 1.0 - cu0)
