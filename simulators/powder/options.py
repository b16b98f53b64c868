"""What can be chosen about the powder twin: frozen, checked, with units and sources."""

from pydantic import Field

from simulators.copper.options import FurnaceOptions
from simulators.options import Options


class Reaction(Options):
    """k = rate · exp(−Ea/R · (1/T − 1/T_ref)), first order in what reacts."""

    rate_per_h: float = Field(ge=0)
    """Rate constant at the reference temperature."""
    reference_degc: float = Field(gt=-273.15)
    activation_kj_mol: float = Field(ge=0)


class ChemistryOptions(Options):
    """What lithium carbonate and manganese oxide do in air.

    Orders of magnitude chosen so that the temperatures come out as reported, not a fit to one
    sample: the spinel forms from about 600 °C on and is pure after hours at 700 to 800 °C; above
    840 to 900 °C in air it loses oxygen and parts into lithium-richer phases and Mn3O4 (Thackeray,
    Mansuetto, Dees, Vissers, Mater. Res. Bull. 31, 133 (1996); Yamada, Miura, Hinokuma, Tanaka,
    J. Electrochem. Soc. 142, 2149 (1995)); with lithium in excess Li2MnO3 grows; lithium is lost
    from about 750 °C on; Mn2O3 becomes Mn3O4 above about 900 °C in air.
    """

    spinel: Reaction = Reaction(rate_per_h=1.2, reference_degc=700.0, activation_kj_mol=170.0)
    """Mn2O3 + ½ Li2CO3 → LiMn2O4."""
    layered: Reaction = Reaction(rate_per_h=0.3, reference_degc=750.0, activation_kj_mol=200.0)
    """LiMn2O4 + 3/2 Li2CO3 → 2 Li2MnO3."""
    ripening: Reaction = Reaction(rate_per_h=0.35, reference_degc=750.0, activation_kj_mol=220.0)
    """Li2MnO3 + 3/2 Mn2O3 → 2 LiMn2O4: what has reacted apart comes together."""
    parting: Reaction = Reaction(rate_per_h=0.15, reference_degc=900.0, activation_kj_mol=420.0)
    """3 LiMn2O4 → 3 LiMnO2 + Mn3O4 (+ O2)."""
    evaporation: Reaction = Reaction(rate_per_h=0.05, reference_degc=800.0, activation_kj_mol=230.0)
    """Li2CO3 is lost."""
    hausmannite: Reaction = Reaction(rate_per_h=0.3, reference_degc=930.0, activation_kj_mol=380.0)
    """Mn2O3 → ⅔ Mn3O4."""
    scarce_mol: float = Field(default=0.03, gt=0)
    """Li2CO3 for each Mn below which it is too sparse to react at full rate."""
    grain_nm: float = Field(default=14.0, gt=0)
    """Crystallites of what is ground."""
    growth_nm3_h: float = Field(default=60_000.0, ge=0)
    """How fast their volume grows at 800 °C, with 250 kJ/mol."""


class DiffractometerOptions(Options):
    """A laboratory diffractometer with a copper tube."""

    start_deg: float = 12.0
    stop_deg: float = 80.0
    points: int = Field(default=2721, ge=64)
    counts_per_s: float = Field(default=14.0, gt=0)
    """At the strongest line of pure LiMn2O4, at each angle of a scan, per second of the scan."""
    background: float = Field(default=0.05, ge=0)
    """Under the strongest line, as part of it: air, holder, and manganese fluorescence."""
    fwhm_deg: float = Field(default=0.09, gt=0)
    displacement_deg: float = Field(default=0.12, ge=0)
    """Standard deviation of the shift that a crucible's height makes."""
    texture: float = Field(default=0.08, ge=0)
    """Standard deviation of ln r of March and Dollase."""
    grains: float = Field(default=0.06, ge=0)
    """Relative standard deviation of a line's strength: few grains."""
    microstrain: float = Field(default=0.0012, ge=0)


class PowderOptions(Options):
    """Everything about the powder twin except its seed."""

    chemistry: ChemistryOptions = ChemistryOptions()
    diffractometer: DiffractometerOptions = DiffractometerOptions()
    furnace: FurnaceOptions = FurnaceOptions(
        heater_j_k=300.0,
        stage_j_k=60.0,
        heater_loss_w_k=0.5,
        maximum_w=900.0,
        proportional_w_k=8.0,
        integral_w_k_s=0.04,
    )
    ramp_k_min: float = Field(default=10.0, gt=0)
    """What the furnace's controller is set to at the start."""
    weighing: float = Field(default=0.004, ge=0)
    """Relative standard deviation of the ratio that is really weighed in."""
    loading_s: float = Field(default=300.0, gt=0)
