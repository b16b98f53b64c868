"""A campaign on another beamline than its file says: what its twin stands for, or another file."""

from pathlib import Path

from controller.errors import ConfigurationError, Problem
from controller.files.beamline import Beamline, MetadataRules
from controller.files.reading import read_yaml
from controller.files.validation import validated
from controller.resolving import ResolvedCampaign, absolute

LIVE = "live"


def with_beamline(resolved: ResolvedCampaign, choice: str) -> ResolvedCampaign:
    """Return *resolved* on the beamline *choice*.

    ``live`` means its own without the twin: PVs served elsewhere, on the same prefix. Anything
    else is the path of a beamline file. A live beamline has no metadata defaults: what is
    measured on real samples must be said in the campaign. Raises ConfigurationError.
    """
    beamline, file = _chosen(resolved, choice)
    if (beamline.table is None) != (resolved.beamline.table is None):
        raise ConfigurationError(
            f"{file}: a campaign on a recorded table and one on devices can't change places"
        )
    if beamline.station != resolved.beamline.station:
        raise ConfigurationError(
            f"{file}: station {beamline.station!r} isn't {resolved.beamline.station!r}, for which "
            f"the campaign's plan is written"
        )
    chosen = resolved.model_copy(
        update={
            "beamline": beamline,
            "campaign": resolved.campaign.model_copy(update={"beamline": file}),
        }
    )
    _require_metadata(chosen)
    return chosen


def _chosen(resolved: ResolvedCampaign, choice: str) -> tuple[Beamline, str]:
    if choice == LIVE:
        return live(resolved.beamline), resolved.campaign.beamline
    file = absolute(choice, Path.cwd())
    source = read_yaml(Path(file))
    if source.data is None:
        raise ConfigurationError(problems=source.problems)
    beamline, problems = validated(Beamline, source)
    problems = [*source.problems, *problems]
    if beamline is None or problems:
        raise ConfigurationError(problems=problems)
    if beamline.twin is not None and beamline.twin.table is not None:
        table = absolute(beamline.twin.table, Path(file).parent)
        twin = beamline.twin.model_copy(update={"table": table})
        beamline = beamline.model_copy(update={"twin": twin})
    if beamline.people is not None:
        people = absolute(beamline.people, Path(file).parent)
        beamline = beamline.model_copy(update={"people": people})
    return beamline, file


def live(beamline: Beamline) -> Beamline:
    """Return *beamline* without its twin and without the metadata of a simulation.

    Raises ConfigurationError for a recorded table, which nobody can serve.
    """
    if beamline.table is not None:
        raise ConfigurationError(
            f"beamline {beamline.name!r} is a recorded table and can't be live; run it as it is"
        )
    rules = MetadataRules(required=beamline.metadata.required)
    return beamline.model_copy(update={"twin": None, "metadata": rules})


def _require_metadata(chosen: ResolvedCampaign) -> None:
    name = chosen.beamline.name
    problems = [
        Problem(
            chosen.file or "the campaign",
            f"is missing; beamline {name!r} is live, and what is measured on real samples must be "
            "said in the campaign (the defaults of a simulated beamline don't count)",
            key=f"metadata.{key}",
            accepted="a value under the campaign's metadata",
        )
        for key in chosen.beamline.metadata.missing(chosen.campaign.metadata)
    ]
    if problems:
        raise ConfigurationError(problems=problems)
