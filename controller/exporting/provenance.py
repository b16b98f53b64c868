"""The account of the decisions in PROV-JSON (W3C member submission, 2013): who, from what, why.

Every suggestion is an activity of a software agent, or of the person whose point it is, that used
the observations it knew of; beside it the points not taken, what was judged of it, the experiment,
its runs, what they taught, and what people did.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.operator import name_of
from agents.protocols import Suggestion
from controller.events import (
    BenchReleased,
    BenchTripped,
    ExperimentFinished,
    ExperimentStarted,
    MeasuredAgain,
    ObservationAmended,
    ObservationMade,
    ObservationTold,
    PointProposed,
    SuggestionCleared,
    SuggestionMade,
    UpkeepRan,
)
from controller.exporting.experiments import context_of
from controller.exporting.nexus import iso
from controller.exporting.prov_document import Account
from controller.files.campaign import Autonomy
from controller.folding import apply
from controller.journal import Record
from controller.recorded.recording import Recording
from controller.state import CampaignState
from controller.terms import terms_of

CONTROLLER, PRECHECK, OPERATOR = "h:software/controller", "h:software/precheck", "h:person/operator"
GATE = "h:software/gate"


def account_of(recorded: Recording, files: Mapping[str, tuple[str, Sequence[str]]]) -> str:
    """Return the account of *recorded* as PROV-JSON.

    *files* maps the name of each exported file to its SHA-256 and the uids of the runs in it.
    """
    account = Account()
    campaign = _campaign(account, recorded)
    standing = _Standing(
        CampaignState(terms_of(recorded.resolved.campaign, recorded.words.objectives)),
        recorded.resolved.campaign.autonomy,
        _reducer(recorded),
    )
    for record in recorded.records:
        _tell(account, record, standing)
        standing.state = apply(standing.state, record.event, record.stamp)
    for name, (sha256, runs) in files.items():
        _file(account, name, sha256, runs)
        account.relate("hadMember", collection=campaign, entity=f"h:file/{name}")
    return account.written()


@dataclass
class _Standing:
    """How things stand before a record; *latest* is the entity of each experiment's values."""

    state: CampaignState
    autonomy: Autonomy
    reducer: str
    latest: dict[str, str] = field(default_factory=dict)
    calibration: str = ""
    proposers: dict[str, str] = field(default_factory=dict)
    """Who has proposed points, by what the author of such a suggestion is called."""

    def known(self, count: int) -> list[str]:
        """Return the entities of the first *count* observations that an agent is told now."""
        seen = (o.experiment for o in self.state.observations[:count])
        return [self.latest[name] for name in seen if name in self.latest]


def _tell(account: Account, record: Record, standing: _Standing) -> None:
    event = record.event
    if isinstance(event, SuggestionMade):
        _decision(account, record, event.suggestion, standing)
    elif isinstance(event, SuggestionCleared):
        _verdict(account, record, event, standing.autonomy)
    elif isinstance(event, (ExperimentStarted, ExperimentFinished)):
        _experiment(account, record, event)
    elif isinstance(event, (BenchTripped, BenchReleased)):
        _bench(account, record, event)
    elif isinstance(event, MeasuredAgain):
        _beside(account, record, f"h:again/{event.number}", event)
    elif isinstance(event, UpkeepRan):
        standing.calibration = _upkeep(account, record, event) or standing.calibration
    elif isinstance(event, ObservationMade):
        name = event.observation.experiment
        standing.latest[name] = _observation(account, record, event, standing)
    elif getattr(event, "person", ""):
        if isinstance(event, PointProposed):
            standing.proposers[name_of(event.person)] = event.person
        _by_person(account, record, standing.latest)


def _campaign(account: Account, recorded: Recording) -> str:
    started = recorded.started
    campaign = account.declare(
        "entity",
        f"h:campaign/{started.campaign_id}",
        type="prov:Collection",
        label=recorded.resolved.campaign.name,
        seed=started.seed,
        limits=started.limits,
        journal_head=recorded.records[-1].hash,
    )
    account.declare(
        "agent", CONTROLLER, type="prov:SoftwareAgent", label="heliostat", versions=started.versions
    )
    account.relate("wasAttributedTo", entity=campaign, agent=CONTROLLER)
    for person in context_of(recorded).persons:
        account.relate("wasAttributedTo", entity=campaign, agent=_person(account, person))
    return campaign


def _person(account: Account, name: str) -> str:
    return account.declare("agent", f"h:person/{_slug(name)}", type="prov:Person", label=name)


def _slug(text: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in text)


def _reducer(recorded: Recording) -> str:
    reducer = recorded.resolved.campaign.reducer
    return "recorded-table" if reducer is None else reducer.name


def _author(account: Account, agent: str, proposers: Mapping[str, str]) -> str:
    """Declare who decided: the person whose point it is, or the software *agent*."""
    if agent in proposers:
        return _person(account, proposers[agent])
    name = f"h:software/{_slug(agent)}"
    return account.declare("agent", name, type="prov:SoftwareAgent", label=agent)


def _decision(account: Account, record: Record, made: Suggestion, standing: _Standing) -> None:
    agent = _author(account, made.agent, standing.proposers)
    decision = account.declare(
        "activity",
        f"h:decision/{made.id}",
        endTime=iso(record.stamp),
        agent=made.agent,
        model=made.model,
        seed=made.seed,
        known=made.known,
        pending=made.pending,
        fit=made.fit,
        note=made.note,
        record=record.hash,
    )
    account.relate("wasAssociatedWith", activity=decision, agent=agent)
    for observation in standing.known(made.known):
        account.relate("used", activity=decision, entity=observation)
    suggestion = account.declare(
        "entity",
        f"h:suggestion/{made.id}",
        parameters=made.parameters,
        predictions=made.predictions,
        acquisition=made.acquisition,
    )
    account.relate("wasGeneratedBy", entity=suggestion, activity=decision)
    _alternatives(account, made, decision, suggestion)


def _alternatives(account: Account, made: Suggestion, decision: str, suggestion: str) -> None:
    """Tell of the points that were considered and not taken."""
    for number, other in enumerate(made.alternatives, start=1):
        alternative = account.declare(
            "entity",
            f"h:alternative/{made.id}/{number}",
            parameters=other.parameters,
            predictions=other.predictions,
            acquisition=other.acquisition,
        )
        account.relate("wasGeneratedBy", entity=alternative, activity=decision)
        account.relate("alternateOf", alternate1=alternative, alternate2=suggestion)


def _verdict(
    account: Account, record: Record, event: SuggestionCleared, autonomy: Autonomy
) -> None:
    account.declare("agent", PRECHECK, type="prov:SoftwareAgent", label="pre-check and gate")
    verdict = account.declare(
        "activity", f"h:judgement/{event.suggestion_id}", endTime=iso(record.stamp)
    )
    account.relate("wasAssociatedWith", activity=verdict, agent=PRECHECK)
    if autonomy is Autonomy.APPROVE_EACH:
        account.declare("agent", OPERATOR, type="prov:Person", label="the operator who was asked")
        account.relate("wasAssociatedWith", activity=verdict, agent=OPERATOR)
    account.relate("used", activity=verdict, entity=f"h:suggestion/{event.suggestion_id}")
    clearance = account.declare(
        "entity",
        f"h:verdict/{event.suggestion_id}",
        allowed=event.allowed,
        reasons=event.reasons,
        record=record.hash,
        **({} if event.verdict is None else {"dry_run": str(event.verdict)}),
    )
    account.relate("wasGeneratedBy", entity=clearance, activity=verdict)


def _bench(account: Account, record: Record, event: BenchTripped | BenchReleased) -> None:
    """Declare that the gate has made the bench safe, or that people have released it."""
    name = f"h:bench/{record.sequence}"
    if isinstance(event, BenchTripped):
        account.declare("agent", GATE, type="prov:SoftwareAgent", label="the gate")
        account.declare(
            "activity",
            name,
            label="tripped, bench made safe",
            startTime=iso(record.stamp),
            cause=event.cause,
            occurrence=event.occurrence,
            record=record.hash,
        )
        account.relate("wasAssociatedWith", activity=name, agent=GATE)
        if event.experiment_id:
            ended = f"h:experiment/{event.experiment_id}/{event.attempt}"
            account.relate("wasInformedBy", informed=ended, informant=name)
        return
    about = {"reason": event.reason, "by": event.by, "record": record.hash}
    account.declare("activity", name, label="released", endTime=iso(record.stamp), **about)
    if event.by:
        person = f"h:person/{_slug(event.by)}"
        account.declare("agent", person, type="prov:Person", label=event.by)
        account.relate("wasAssociatedWith", activity=name, agent=person)


def _experiment(
    account: Account, record: Record, event: ExperimentStarted | ExperimentFinished
) -> None:
    name = f"h:experiment/{event.experiment_id}/{event.attempt}"
    if isinstance(event, ExperimentStarted):
        account.declare(
            "activity",
            name,
            startTime=iso(record.stamp),
            plan=event.plan,
            effect=str(event.effect),
            record=record.hash,
        )
        account.relate("used", activity=name, entity=f"h:suggestion/{event.suggestion_id}")
        account.relate("wasAssociatedWith", activity=name, agent=CONTROLLER)
        return
    for run in event.runs:
        entity = account.declare("entity", f"h:run/{run}", label=run, succeeded=event.succeeded)
        account.relate("wasGeneratedBy", entity=entity, activity=name)


def _upkeep(account: Account, record: Record, event: UpkeepRan) -> str:
    """Tell of an upkeep plan; return the entity of the values that are in use from now on."""
    name = _beside(account, record, f"h:upkeep/{event.number}", event, plan=event.name)
    if not event.values:
        return ""
    values = account.declare("entity", f"h:calibration/{event.number}", values=event.values)
    account.relate("wasGeneratedBy", entity=values, activity=name)
    return values


def _beside(
    account: Account, record: Record, name: str, event: UpkeepRan | MeasuredAgain, **more: str
) -> str:
    """Tell of a plan that ran beside those of experiments; return its activity."""
    activity = account.declare(
        "activity",
        name,
        endTime=iso(record.stamp),
        succeeded=event.succeeded,
        reason=event.reason,
        record=record.hash,
        **more,
    )
    account.relate("wasAssociatedWith", activity=activity, agent=CONTROLLER)
    for run in event.runs:
        entity = account.declare("entity", f"h:run/{run}", label=run)
        account.relate("wasGeneratedBy", entity=entity, activity=activity)
    return activity


def _observation(
    account: Account, record: Record, event: ObservationMade, standing: _Standing
) -> str:
    made, reducer = event.observation, standing.reducer
    agent = account.declare(
        "agent", f"h:software/reducer-{_slug(reducer)}", type="prov:SoftwareAgent", label=reducer
    )
    reduction = account.declare(
        "activity", f"h:reduction/{made.experiment}", endTime=iso(record.stamp)
    )
    account.relate("wasAssociatedWith", activity=reduction, agent=agent)
    for run in made.runs:
        account.relate("used", activity=reduction, entity=account.declare("entity", f"h:run/{run}"))
    if standing.calibration:
        account.relate("used", activity=reduction, entity=standing.calibration)
    observation = account.declare(
        "entity",
        f"h:observation/{made.experiment}",
        values=made.values,
        parameters=made.parameters,
        quality=str(made.quality.verdict),
        reasons=made.quality.reasons,
        feasible=made.feasible,
        record=record.hash,
    )
    account.relate("wasGeneratedBy", entity=observation, activity=reduction)
    return observation


def _by_person(account: Account, record: Record, latest: dict[str, str]) -> None:
    """Tell of a record that a person made: a correction, a resolution, a revision."""
    event: Any = record.event
    act = account.declare(
        "activity",
        f"h:correction/{record.sequence}",
        type=f"h:{event.kind}",
        endTime=iso(record.stamp),
        reason=event.reason,
        record=record.hash,
    )
    account.relate("wasAssociatedWith", activity=act, agent=_person(account, event.person))
    told = getattr(event, "observation", None)
    about = getattr(event, "experiment_id", "") or (told.experiment if told else "")
    result = account.declare(
        "entity",
        f"h:word/{record.sequence}",
        about=about,
        content=event.model_dump(mode="json", exclude={"campaign"}),
    )
    account.relate("wasGeneratedBy", entity=result, activity=act)
    if about in latest:
        account.relate("wasDerivedFrom", generatedEntity=result, usedEntity=latest[about])
    if isinstance(event, (ObservationTold, ObservationAmended)):
        latest[about] = result


def _file(account: Account, name: str, sha256: str, runs: Sequence[str]) -> None:
    file = account.declare("entity", f"h:file/{name}", label=name, sha256=sha256)
    for run in runs:
        entity = account.declare("entity", f"h:run/{run}")
        account.relate("wasDerivedFrom", generatedEntity=file, usedEntity=entity)
