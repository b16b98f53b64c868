"""What can be chosen about the copper twin: frozen, checked, with units and sources."""

from pydantic import Field

from simulators.options import Options


class Step(Options):
    """One reaction step: k = rate · exp(−Ea/R · (1/T − 1/T_ref)) · (p / 1 bar)^order."""

    rate_per_s: float = Field(ge=0)
    """Rate constant at the reference temperature and 1 bar."""
    reference_degc: float = Field(gt=-273.15)
    activation_kj_mol: float = Field(ge=0)
    order: float = Field(ge=0)
    """Order of reaction in the partial pressure of the gas that drives the step."""


class KineticsOptions(Options):
    """Rates of Cu(0) ⇄ Cu(I) ⇄ Cu(II); valid from room temperature to about 500 °C, p ≤ 1 bar.

    Orders of magnitude, not a fit to one sample (the prefactors depend on particle size and support
    and are chosen within them; no two papers agree better than a factor of ten):

    - Reduction: Kim, Rodriguez, Hanson, Frenkel, Lee, J. Am. Chem. Soc. 125, 10684 (2003), in-situ
      XRD and XAFS in H2: apparent activation energy 14.5 kcal/mol (60.7 kJ/mol) for CuO and
      27.4 kcal/mol (114.6 kJ/mol) for Cu2O; CuO is the easier to reduce, minutes at 200–300 °C in
      a few % H2, and Cu2O shows as an intermediate when the supply of hydrogen is small.
    - Oxidation to Cu2O: Zhu, Mimura, Isshiki, Mater. Trans. 43, 2173 (2002): Cu2O grows with
      40 kJ/mol (350–500 °C, grain boundaries) to 111 kJ/mol (600–800 °C, lattice). Mansour,
      Favergeon, Pijolat, Thermochim. Acta 570, 41 (2013): nanoparticles already oxidise at
      125–145 °C and 1 kPa O2, oxygen adsorption determines the rate (hence order ½,
      dissociative). Leitner et al., Materials 13, 2878 (2020): nanopowder oxidises from just above
      150 °C, first to Cu2O, at the end to CuO.
    - Oxidation to CuO: the slower second step of the same papers, with an activation energy of the
      same size.
    """

    oxidation_to_cu1: Step = Step(
        rate_per_s=0.014, reference_degc=250, activation_kj_mol=98, order=0.5
    )
    oxidation_to_cu2: Step = Step(
        rate_per_s=0.00035, reference_degc=250, activation_kj_mol=120, order=0.5
    )
    reduction_to_cu0: Step = Step(
        rate_per_s=0.24, reference_degc=350, activation_kj_mol=114.6, order=1.0
    )
    reduction_to_cu1: Step = Step(
        rate_per_s=0.12, reference_degc=250, activation_kj_mol=60.7, order=1.0
    )
    start_cu0: float = Field(default=0.0, ge=0, le=1)
    start_cu1: float = Field(default=0.0, ge=0, le=1)
    """As loaded: fully oxidised, as a catalyst that was calcined and stored in air."""


class GasOptions(Options):
    """Mass-flow controllers, feed and cell."""

    controller_s: float = Field(default=2.0, gt=0)
    """Time constant of a thermal mass-flow controller (datasheets: settled within 1 to 5 s)."""
    cell_ml: float = Field(default=30.0, gt=0)
    """Mixed volume of cell and line at feed conditions: 18 s of lag at 100 mL/min."""
    pressure_bar: float = Field(default=1.01325, gt=0)
    o2_full_scale: float = Field(default=50.0, gt=0)
    h2_full_scale: float = Field(default=50.0, gt=0)
    he_full_scale: float = Field(default=200.0, gt=0)
    """mL/min; a controller that is asked for more delivers its full scale."""


class FurnaceOptions(Options):
    """Heater block and sample stage as two heat capacities, thermocouple, digital controller."""

    ambient_degc: float = Field(default=25.0, gt=-273.15)
    heater_j_k: float = Field(default=150.0, gt=0)
    stage_j_k: float = Field(default=40.0, gt=0)
    coupling_w_k: float = Field(default=2.0, gt=0)
    """Heater to stage: the stage follows within 20 s."""
    heater_loss_w_k: float = Field(default=0.35, gt=0)
    stage_loss_w_k: float = Field(default=0.02, gt=0)
    """Both together: it cools by itself with a time constant of 510 s, and no faster."""
    thermocouple_s: float = Field(default=4.0, gt=0)
    maximum_w: float = Field(default=500.0, gt=0)
    proportional_w_k: float = Field(default=4.0, ge=0)
    integral_w_k_s: float = Field(default=0.02, ge=0)
    ramp_compensation: float = Field(default=0.8, ge=0, le=1)
    """Share of the power for the ramp that the controller adds by itself; less overshoots more."""


class BeamOptions(Options):
    """Flux, detectors, monochromator, and what they do to a spectrum."""

    flux_per_s: float = Field(default=2e10, ge=0)
    """Photons per second on the sample (a wiggler or bending-magnet beamline, unfocused)."""
    absorbed_fraction: float = Field(default=0.3, ge=0, le=1)
    irradiated_mg: float = Field(default=1.0, gt=0)
    """Dose = flux · photon energy · absorbed fraction / mass: 8.6 Gy/s with these three."""
    i0_counts_per_s: float = Field(default=2.5e5, gt=0)
    """Counts of the I0 monitor per second and energy point."""
    fluorescence_yield: float = Field(default=0.025, gt=0)
    """Fluorescence counts per I0 count at the edge jump (the recorded scans: 0.014 to 0.031)."""
    background: float = Field(default=0.006, ge=0)
    """Counts before the edge, in edge jumps (the recorded scans: 0.5 to 1 %)."""
    dark_counts_per_s: float = Field(default=1.0, ge=0)
    flux_jitter: float = Field(default=0.01, ge=0, lt=0.2)
    """Relative standard deviation of the beam's intensity from exposure to exposure."""
    broadening_ev: float = Field(default=0.2, ge=0, le=5)
    """Standard deviation of the Gaussian by which this beamline is broader than the recorded."""
    self_absorption: float = Field(default=0.03, ge=0, le=2)
    """s in F = μ(1 + s)/(1 + sμ), on top of what the recorded scans have; 0 is a thin sample."""
    drift_limit_ev: float = Field(default=0.5, ge=0, le=5)
    drift_step_ev: float = Field(default=0.04, ge=0, le=1)
    """Standard deviation of one step of the random walk of the monochromator."""
    drift_interval_s: float = Field(default=600.0, gt=0)
    """Time between two steps; linear in between, reflected at ± the limit."""
    monochromator_ev_s: float = Field(default=100.0, gt=0)
    parked_ev: float = Field(default=8979.0, gt=0)
    damaged_scans: bool = False
    """Draw from `CuHERFD_nanoCuO.002` too: its edge is at 8981.8 instead of about 8984.9 eV, the
    mark of beam damage, so it isn't a spectrum of CuO. Left out unless asked for."""


class RingOptions(Options):
    """The storage ring in top-up operation."""

    current_ma: float = Field(default=250.0, gt=0)
    lifetime_h: float = Field(default=10.0, gt=0)
    top_up_s: float = Field(default=180.0, gt=0)
    """Time between two fills: the current stays within 0.5 %."""


class BeamDump(Options):
    """A loss of the beam: current 0, front end closed, detectors dark; s since the start."""

    start_s: float = Field(ge=0)
    duration_s: float = Field(gt=0)


class ExhaustOptions(Options):
    """The exhaust of the gas cabinet."""

    flow_l_min: float = Field(default=5.0, ge=0)
    noise_l_min: float = Field(default=0.02, ge=0)
    """Standard deviation of the flow meter's reading, from second to second."""


class ExhaustStop(Options):
    """A stop of the exhaust: flow 0; s since the start."""

    start_s: float = Field(ge=0)
    duration_s: float = Field(gt=0)


class CopperOptions(Options):
    """Everything about the copper twin except its seed."""

    kinetics: KineticsOptions = KineticsOptions()
    gas: GasOptions = GasOptions()
    furnace: FurnaceOptions = FurnaceOptions()
    beam: BeamOptions = BeamOptions()
    ring: RingOptions = RingOptions()
    beam_dumps: tuple[BeamDump, ...] = ()
    """Scheduled; none unless asked for."""
    exhaust: ExhaustOptions = ExhaustOptions()
    exhaust_stops: tuple[ExhaustStop, ...] = ()
    """Scheduled; none unless asked for."""
