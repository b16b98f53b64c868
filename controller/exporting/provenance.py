"""The account of the decisions in PROV-JSON (W3C member submission, 2013): who, from what, why.

Every suggestion is an activity of a software agent that used the observations it knew of; beside
it the points not taken, what was judged of it, the experiment, its runs, what they taught, and
what people did.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from agents.digest import plain
from agents.protocols import Suggestion
from controller.campaign import Autonomy
from controller.events import (
    ExperimentFinished,
    ExperimentStarted,
    ObservationMade,
    SuggestionCleared,
    SuggestionMade,
)
from controller.exporting.experiments import context_of
from controller.exporting.nexus import iso
from controller.journal import Record
from controller.recording import Recording

PREFIXES = {"h": "urn:heliostat:", "xsd": "http://www.w3.org/2001/XMLSchema#"}
CONTROLLER, PRECHECK, OPERATOR = "h:software/controller", "h:software/precheck", "h:person/operator"


class Account:
    """A PROV document under way."""

    def __init__(self) -> None:
        self._parts: dict[str, dict[str, dict[str, Any]]] = {"prefix": dict(PREFIXES)}  # type: ignore[arg-type]

    def declare(self, kind: str, name: str, **attributes: Any) -> str:
        """Declare the entity, activity or agent *name*, once, and return its name."""
        self._parts.setdefault(kind, {}).setdefault(
            name, {_attribute(key): _value(value) for key, value in attributes.items()}
        )
        return name

    def relate(self, relation: str, **ends: str) -> None:
        """Say that *relation* holds between declared things (``activity="…", entity="…"``)."""
        rows = self._parts.setdefault(relation, {})
        rows[f"_:{relation}{len(rows) + 1}"] = {f"prov:{end}": name for end, name in ends.items()}

    def written(self) -> str:
        """Return the document as JSON text."""
        return json.dumps(self._parts, indent=1, ensure_ascii=False) + "\n"


def _attribute(key: str) -> str:
    prov = {"type", "label", "startTime", "endTime"}
    return f"prov:{key}" if key in prov else f"h:{key}"


def _value(value: Any) -> Any:
    if isinstance(value, (str, bool, int, float)):
        return value
    return json.dumps(plain(value), ensure_ascii=False)


def account_of(recorded: Recording, files: Mapping[str, tuple[str, Sequence[str]]]) -> str:
    """Return the account of *recorded* as PROV-JSON.

    *files* maps the name of each exported file to its SHA-256 and the uids of the runs in it.
    """
    account = Account()
    campaign = _campaign(account, recorded)
    seen: list[str] = []
    for record in recorded.records:
        event = record.event
        if isinstance(event, SuggestionMade):
            _decision(account, record, event.suggestion, seen)
        elif isinstance(event, SuggestionCleared):
            _verdict(account, record, event, recorded.resolved.campaign.autonomy)
        elif isinstance(event, (ExperimentStarted, ExperimentFinished)):
            _experiment(account, record, event)
        elif isinstance(event, ObservationMade):
            seen.append(_observation(account, record, event, _reducer(recorded)))
        elif getattr(event, "person", ""):
            _by_person(account, record)
    for name, (sha256, runs) in files.items():
        _file(account, name, sha256, runs)
        account.relate("hadMember", collection=campaign, entity=f"h:file/{name}")
    return account.written()


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


def _decision(account: Account, record: Record, made: Suggestion, seen: Sequence[str]) -> None:
    agent = account.declare(
        "agent", f"h:software/{_slug(made.agent)}", type="prov:SoftwareAgent", label=made.agent
    )
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
    for observation in seen[: made.known]:
        account.relate("used", activity=decision, entity=observation)
    suggestion = account.declare(
        "entity",
        f"h:suggestion/{made.id}",
        parameters=made.parameters,
        predictions=made.predictions,
        acquisition=made.acquisition,
    )
    account.relate("wasGeneratedBy", entity=suggestion, activity=decision)
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
    )
    account.relate("wasGeneratedBy", entity=clearance, activity=verdict)


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


def _observation(account: Account, record: Record, event: ObservationMade, reducer: str) -> str:
    made = event.observation
    agent = account.declare(
        "agent", f"h:software/reducer-{_slug(reducer)}", type="prov:SoftwareAgent", label=reducer
    )
    reduction = account.declare(
        "activity", f"h:reduction/{made.experiment}", endTime=iso(record.stamp)
    )
    account.relate("wasAssociatedWith", activity=reduction, agent=agent)
    for run in made.runs:
        account.relate("used", activity=reduction, entity=account.declare("entity", f"h:run/{run}"))
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


def _by_person(account: Account, record: Record) -> None:
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
    if about:
        known = account.declare("entity", f"h:observation/{about}")
        account.relate("wasDerivedFrom", generatedEntity=result, usedEntity=known)


def _file(account: Account, name: str, sha256: str, runs: Sequence[str]) -> None:
    file = account.declare("entity", f"h:file/{name}", label=name, sha256=sha256)
    for run in runs:
        entity = account.declare("entity", f"h:run/{run}")
        account.relate("wasDerivedFrom", generatedEntity=file, usedEntity=entity)
