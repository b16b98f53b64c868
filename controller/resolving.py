"""A campaign with all that its files say, so that it can be run and resumed from anywhere."""

from pathlib import Path
from typing import Any

from controller.files.beamline import Beamline, FilePart, recorded_beamline
from controller.files.campaign import Budget, Campaign, Chosen
from controller.files.notifying import AnyChannel, CommandChannel, Notify
from controller.reducers import FOLDERS
from controller.safety.envelope.file import EnvelopeFile


class Wishes(FilePart):
    """What the command line says instead of the campaign file; None: nothing."""

    agent: str | None = None
    experiments: int | None = None
    seed: int | None = None
    beamline: str | None = None
    """``live``, or a beamline file."""
    speed: float | None = None
    """How many seconds of a twin's time pass in one of ours."""


class ResolvedCampaign(FilePart):
    """A campaign, its beamline and its envelope, every path in them absolute.

    Plain data: ``ResolvedCampaign.model_validate(resolved.model_dump(mode="json"))`` is equal.
    ``envelope`` is None where a recorded bench has none: its limits are those of its table then.
    """

    file: str
    """The campaign file; empty where there is none."""
    campaign: Campaign
    beamline: Beamline
    envelope: EnvelopeFile | None = None
    wishes: Wishes = Wishes()
    """What of it isn't the file's word: they hold when the file is read again."""

    @property
    def metadata(self) -> dict[str, Any]:
        """What goes into every start document: the campaign's word before the beamline's."""
        return {**self.beamline.metadata.defaults, **self.campaign.metadata}


def absolute(path: str, folder: Path) -> str:
    """Return *path*, as seen from *folder*, from the root."""
    return str((folder / Path(path).expanduser()).resolve())


def with_absolute_paths(campaign: Campaign, beamline: Beamline, file: Path) -> ResolvedCampaign:
    """Return both with every path absolute; *file* is the campaign's, without an envelope yet."""
    folder = file.resolve().parent
    beamline_file = absolute(campaign.beamline, folder)
    agent = with_absolute_files(campaign.agent, folder)
    changed: dict[str, Any] = {"beamline": beamline_file, "agent": agent}
    if campaign.safety is not None:
        changed["safety"] = absolute(campaign.safety, folder)
    if campaign.notify is not None:
        changed["notify"] = _with_absolute_files(campaign.notify, folder)
    if campaign.reducer is not None:
        named = campaign.reducer.options
        folders = {
            key: absolute(value, folder)
            for key in FOLDERS
            if isinstance(value := named.get(key), str)
        }
        options = {**named, **folders}
        changed["reducer"] = campaign.reducer.model_copy(update={"options": options})
    if beamline.twin is not None and beamline.twin.table is not None:
        table = absolute(beamline.twin.table, Path(beamline_file).parent)
        twin = beamline.twin.model_copy(update={"table": table})
        beamline = beamline.model_copy(update={"twin": twin})
    if beamline.people is not None:
        people = absolute(beamline.people, Path(beamline_file).parent)
        beamline = beamline.model_copy(update={"people": people})
    return ResolvedCampaign(
        file=str(file.resolve()), campaign=campaign.model_copy(update=changed), beamline=beamline
    )


def _with_absolute_files(notify: Notify, folder: Path) -> Notify:
    """Return *notify* with certificates and programs as seen from *folder*, absolute."""
    channels: dict[str, AnyChannel] = {}
    for name, one in notify.channels.items():
        if isinstance(one, CommandChannel):
            program, *arguments = one.command
            there = absolute(program, folder) if "/" in program else program
            channels[name] = one.model_copy(update={"command": (there, *arguments)})
        else:
            ca = None if one.ca is None else absolute(one.ca, folder)
            channels[name] = one.model_copy(update={"ca": ca})
    return notify.model_copy(update={"channels": channels})


def with_absolute_files(agent: Chosen, folder: Path) -> Chosen:
    """Return *agent* with the files that its options name as seen from *folder*, absolute."""
    options: dict[str, Any] = dict(agent.options)
    if agent.name == "portfolio" and isinstance(options.get("agents"), list):
        options["agents"] = [_member(member, folder) for member in options["agents"]]
    if agent.name == "python":
        file, _, name = str(options.get("object", "")).rpartition(":")
        options |= {"object": f"{absolute(file, folder)}:{name}"} if file.endswith(".py") else {}
    if agent.name == "bayesian" and isinstance(options.get("transfer"), list):
        options["transfer"] = [
            absolute(each, folder) if isinstance(each, str) else each
            for each in options["transfer"]
        ]
    if agent.name == "remote":
        keys = [key for key in ("key", "server_key") if isinstance(options.get(key), str)]
        options |= {key: absolute(options[key], folder) for key in keys}
    return agent.model_copy(update={"options": options})


def _member(member: Any, folder: Path) -> Any:
    """Return one agent of a portfolio; what has no options as it is."""
    chosen = _chosen(member)
    if chosen is None:
        return member
    return {**member, "options": with_absolute_files(chosen, folder).options}


def _chosen(member: Any) -> Chosen | None:
    """Return one agent of a portfolio, None where it has no options to look at."""
    if not isinstance(member, dict) or not isinstance(member.get("options"), dict):
        return None
    return Chosen(name=str(member.get("name") or "?"), options=member["options"])


def own_files(agent: Chosen) -> list[str]:
    """Return the files of the user's own code that *agent* is made by, from the root."""
    if agent.name == "portfolio":
        members = agent.options.get("agents")
        chosen = map(_chosen, members if isinstance(members, list) else ())
        return [file for one in chosen if one is not None for file in own_files(one)]
    place = str(agent.options.get("object", "")).rpartition(":")[0]
    return [place] if agent.name == "python" and place.endswith(".py") else []


def recorded_campaign(
    folder: Path, agent: str = "bayesian", seed: int = 0, experiments: int = 50
) -> ResolvedCampaign:
    """Return a campaign on the recorded table in *folder* that needs no file.

    Space, pool and objectives are the table's; the first objective leads.
    """
    place = folder.expanduser().resolve()
    name = place.name or "recorded"
    return ResolvedCampaign(
        file="",
        campaign=Campaign(
            name=name,
            beamline="recorded",
            agent=Chosen(name=agent),
            budget=Budget(experiments=experiments),
            seed=seed,
        ),
        beamline=recorded_beamline(str(place), name),
    )
