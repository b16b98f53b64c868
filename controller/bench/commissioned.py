"""Which benches must have been commissioned before they are armed, and where the records are."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

from controller.resolving import ResolvedCampaign
from controller.safety.record.commissioned import commissioned, folder_of

IN_CAMPAIGN = "commissioned"
"""A folder in a campaign's directory in which records count too (``commission --out``)."""


def against_arming(resolved: ResolvedCampaign, directory: Path) -> Callable[[str], str] | None:
    """Return what tells why the envelope of a digest can't be used live, empty when it can.

    None for a bench that isn't real: it has a twin, or a recorded table and no envelope.
    """
    if resolved.beamline.twin is not None or resolved.envelope is None:
        return None
    folders = [directory / IN_CAMPAIGN]
    if resolved.campaign.safety is not None:
        folders.insert(0, folder_of(Path(resolved.campaign.safety)))
    return partial(commissioned, folders=folders)
