"""The finished experiments of a campaign, each with why it was made and what it taught."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.protocols import Observation, Suggestion
from controller.documents import read_run
from controller.events import (
    ExperimentFinished,
    ExperimentStarted,
    SuggestionMade,
)
from controller.recorded.recording import Recording
from models.values import Documents


@dataclass(frozen=True, slots=True)
class SpectrumNames:
    """The data keys of a spectrum: energy (eV), incident counts and signal counts."""

    energy: str = "spectrometer-energies"
    i0: str = "spectrometer-i0"
    signal: str = "spectrometer-fluorescence"


@dataclass(frozen=True, slots=True)
class Context:
    """What all experiments of a campaign have in common."""

    campaign_id: str
    campaign: str
    beamline: str
    simulated: bool
    reducer: str
    metadata: Mapping[str, Any]
    units: Mapping[str, str]
    """Of parameters and objectives, by name."""
    versions: Mapping[str, str]
    names: SpectrumNames = SpectrumNames()

    @property
    def persons(self) -> tuple[str, ...]:
        """Whose campaign it is."""
        return _names(self.metadata.get("persons"))


@dataclass(frozen=True, slots=True)
class Experiment:
    """One finished experiment; *number* counts from 1 in the order in which they began."""

    number: int
    id: str
    plan: str
    suggestion: Suggestion | None
    finished: ExperimentFinished
    observation: Observation | None
    """As it stands at the end: with every correction, None when it was taken back."""
    retracted: bool = False
    runs: Mapping[str, Documents] = field(default_factory=dict)

    @property
    def file(self) -> str:
        """The name of its NeXus file."""
        return f"{self.number:04d}-{self.id[:8]}.nxs"


def context_of(recorded: Recording) -> Context:
    """Return what all experiments of *recorded* have in common."""
    campaign, beamline = recorded.resolved.campaign, recorded.resolved.beamline
    units = {p.name: getattr(p, "unit", "") for p in recorded.words.space.parameters}
    units |= {o.name: o.unit for o in recorded.words.objectives}
    options = {} if campaign.reducer is None else campaign.reducer.options
    given = {key: str(options[key]) for key in ("energy", "i0", "signal") if key in options}
    return Context(
        campaign_id=recorded.started.campaign_id,
        campaign=campaign.name,
        beamline=beamline.name,
        simulated=beamline.twin is not None,
        reducer="recorded table" if campaign.reducer is None else campaign.reducer.name,
        metadata={**beamline.metadata.defaults, **campaign.metadata},
        units=units,
        versions=recorded.started.versions,
        names=SpectrumNames(**given),
    )


def experiments_of(recorded: Recording) -> list[Experiment]:
    """Return the finished experiments of *recorded*, with the documents of their runs.

    An experiment that was run more than once counts with its last attempt. Raises JournalBroken
    when a run can't be read.
    """
    events = [record.event for record in recorded.records]
    suggestions = {e.suggestion.id: e.suggestion for e in events if isinstance(e, SuggestionMade)}
    state = recorded.state
    observations = {o.experiment: o for o in state.observations}
    finished = {e.experiment_id: e for e in events if isinstance(e, ExperimentFinished)}
    found: dict[str, Experiment] = {}
    for started in (e for e in events if isinstance(e, ExperimentStarted)):
        end = finished.get(started.experiment_id)
        if end is None or started.experiment_id in found:
            continue
        found[started.experiment_id] = Experiment(
            number=len(found) + 1,
            id=started.experiment_id,
            plan=started.plan,
            suggestion=suggestions.get(started.suggestion_id),
            finished=end,
            observation=observations.get(started.experiment_id),
            retracted=started.experiment_id in state.retracted,
            runs=_documents(recorded.directory, end.runs),
        )
    return list(found.values())


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)):
        return tuple(map(str, value))
    return (str(value),) if value else ()


def _documents(directory: Path, runs: Sequence[str]) -> dict[str, Documents]:
    return {run: read_run(directory, run) for run in runs}
