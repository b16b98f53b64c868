"""Short campaigns, built without files."""

from pathlib import Path
from typing import Any

from controller.files.beamline import Beamline
from controller.files.campaign import Campaign, Chosen
from controller.resolving import ResolvedCampaign, recorded_campaign
from controller.safety.envelope.file import EnvelopeFile

ROOT = Path(__file__).parents[2]
BARREL = ROOT / "simulators/data/recorded/pvlab_crossed_barrel"
REFERENCES = ROOT / "simulators/data/xanes_cu_references"


def copper_campaign(**changes: Any) -> ResolvedCampaign:
    """Return a campaign of three short copper experiments; *changes* replace keys of its file."""
    data: dict[str, Any] = {
        "name": "short copper",
        "beamline": "xas.yaml",
        "safety": "copper.yaml",
        "space": {
            "temperature": {"type": "continuous", "low": 150, "high": 400, "unit": "degC"},
            "o2": {"type": "continuous", "low": 0, "high": 10, "unit": "mL/min"},
            "dwell": {"type": "continuous", "low": 1, "high": 5, "unit": "min"},
        },
        "objectives": [{"name": "cu1", "goal": "maximize", "unit": "1"}],
        "agent": {"name": "sobol"},
        "plan": {"name": "oxidise_and_measure", "arguments": ARGUMENTS},
        "reducer": {"name": "xanes", "options": REDUCER},
        "budget": {"experiments": 3},
        "finally": {"name": "make_safe_and_cool"},
        "seed": 7,
    }
    return ResolvedCampaign(
        file="",
        campaign=Campaign.model_validate({**data, **changes}),
        beamline=Beamline.model_validate(BEAMLINE),
        envelope=EnvelopeFile.model_validate(ENVELOPE),
    )


def barrel_campaign(agent: str = "sobol", **changes: Any) -> ResolvedCampaign:
    """Return a campaign on the crossed barrels; *changes* replace keys of its file."""
    resolved = recorded_campaign(BARREL, agent, seed=3, experiments=4)
    return resolved.model_copy(
        update={
            "campaign": Campaign.model_validate(
                {**resolved.campaign.model_dump(mode="json", exclude_none=True), **changes}
            )
        }
    )


def modelled(resolved: ResolvedCampaign) -> ResolvedCampaign:
    """Return *resolved* with an agent whose model decides from the fourth experiment on."""
    agent = Chosen(name="bayesian", options={"initial": 3})
    campaign = resolved.campaign.model_copy(update={"agent": agent})
    return resolved.model_copy(update={"campaign": campaign})


ARGUMENTS: dict[str, Any] = {
    "h2": 0.0,
    "total_flow": 100.0,
    "regeneration_s": 60.0,
    "grid": {"regions": [[8900, 8970, 2.0], [8970, 9000, 0.5], [9000, 9200, 4.0]]},
}
REDUCER: dict[str, Any] = {
    "references": str(REFERENCES),
    "names": {"Cu": "cu0", "Cu2O": "cu1", "CuO (nano)": "cu2"},
    "method": "linear",
}
BEAMLINE: dict[str, Any] = {
    "name": "xas",
    "station": "xas",
    "prefix": "TEST:",
    "twin": {"name": "copper"},
    "metadata": {"defaults": {"proposal": "p-1", "sample": "copper", "persons": ["A. Tester"]}},
}
ENVELOPE: dict[str, Any] = {
    "name": "copper",
    "limits": {
        "furnace.setpoint": "20..500 degC",
        "o2.setpoint": "0..20 mL/min",
        "h2.setpoint": "0..20 mL/min",
        "he.setpoint": "0..200 mL/min",
        "shutter.command": ["Open", "Closed"],
        "spectrometer.exposure": "0.1..60 s",
    },
    "free": ["spectrometer.energies", "spectrometer.acquire"],
}
