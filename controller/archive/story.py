"""The campaign itself as a bluesky run: its decisions, verdicts, observations and every record.

Written from the journal alone, so that the same records give the same documents.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.digest import plain
from agents.protocols import Observation, Parameters, Suggestion
from controller.events import (
    CampaignStarted,
    CampaignStopped,
    ExperimentStarted,
    FinalPlanRan,
    ObservationMade,
    ObservationTold,
    SuggestionCleared,
    SuggestionMade,
)
from controller.journal import Record
from controller.seam import derived_id
from models.values import Documents

PLAN = "campaign"
"""The plan name of such a run, by which it is found."""
NAN = float("nan")
Row = dict[str, Any]


def story_uid(campaign_id: str) -> str:
    """Return the uid of the run that tells of the campaign *campaign_id*."""
    return derived_id(campaign_id, "story")


@dataclass
class _Stream:
    """Rows under way to be events; *units* by data key."""

    name: str
    rows: list[tuple[float, Row]] = field(default_factory=list)
    units: dict[str, str] = field(default_factory=dict)


def story_of(records: Sequence[Record]) -> Documents:
    """Return the documents of the run that tells of *records* (the first is the start).

    Streams: ``decisions``, ``verdicts``, ``observations``, ``records``; the stop document says
    why the campaign ended, or that it goes on.
    """
    started = records[0].event
    if not isinstance(started, CampaignStarted):
        raise ValueError(f"{records[0].event.kind}: a campaign begins with campaign_started")
    uid = story_uid(started.campaign_id)
    streams = _streams(records, _units(started.campaign.get("campaign", {})))
    documents: list[tuple[str, Mapping[str, Any]]] = [("start", _start(records[0], started, uid))]
    for stream in streams:
        documents.extend(_documents(stream, uid))
    documents.append(("stop", _stop(records, streams, uid)))
    return documents


def is_over(records: Sequence[Record]) -> bool:
    """Whether the campaign that *records* tell of has stopped and not been taken up again."""
    for record in reversed(records):
        if record.event.kind == "campaign_resumed":
            return False
        if isinstance(record.event, CampaignStopped):
            return True
    return False


def _start(record: Record, started: CampaignStarted, uid: str) -> Row:
    resolved = started.campaign
    campaign, beamline = resolved.get("campaign", {}), resolved.get("beamline", {})
    metadata = {
        **beamline.get("metadata", {}).get("defaults", {}),
        **campaign.get("metadata", {}),
    }
    told = ("space", "objectives", "agent", "reducer", "budget", "goal", "autonomy", "constraints")
    return {
        **metadata,
        "uid": uid,
        "time": record.stamp,
        "plan_name": PLAN,
        "campaign": campaign.get("name", ""),
        "campaign_id": started.campaign_id,
        "beamline": beamline.get("name", ""),
        "seed": started.seed,
        "limits": started.limits,
        "versions": started.versions,
        "experiment_plan": campaign.get("plan"),
        **{key: campaign.get(key) for key in told},
    }


def _stop(records: Sequence[Record], streams: Sequence[_Stream], uid: str) -> Row:
    reasons = [r.event.reason for r in records if isinstance(r.event, CampaignStopped)]
    finals = [r.event for r in records if isinstance(r.event, FinalPlanRan)]
    failed = bool(finals) and not finals[-1].succeeded
    return {
        "uid": derived_id(uid, "stop"),
        "time": records[-1].stamp,
        "run_start": uid,
        "exit_status": "fail" if failed else "success",
        "reason": reasons[-1] if reasons else "goes on",
        "num_events": {stream.name: len(stream.rows) for stream in streams},
    }


def _units(campaign: Mapping[str, Any]) -> dict[str, str]:
    """Return the units of the campaign file, by data key (nothing for a recorded table)."""
    units: dict[str, str] = {}
    for name, parameter in (campaign.get("space") or {}).items():
        units[f"parameters-{name}"] = parameter.get("unit", "")
    for objective in campaign.get("objectives") or ():
        for key in ("values", "predictions"):
            units[f"{key}-{objective['name']}"] = objective.get("unit", "")
    return units


def _streams(records: Sequence[Record], units: dict[str, str]) -> list[_Stream]:
    names = ("decisions", "verdicts", "observations", "records")
    streams = {name: _Stream(name, units=units) for name in names}
    suggested: dict[str, str] = {}
    for record in records:
        event, stamp = record.event, record.stamp
        if isinstance(event, SuggestionMade):
            streams["decisions"].rows.append((stamp, _decision(event.suggestion, event.digest)))
        elif isinstance(event, SuggestionCleared):
            streams["verdicts"].rows.append((stamp, _verdict(event)))
        elif isinstance(event, ExperimentStarted):
            suggested[event.experiment_id] = event.suggestion_id
        elif isinstance(event, (ObservationMade, ObservationTold)):
            of = event.observation
            row = _observation(of, suggested.get(of.experiment, of.experiment))
            row["told_by"] = getattr(event, "person", "")
            streams["observations"].rows.append((stamp, row))
        streams["records"].rows.append((stamp, _record(record)))
    return [stream for stream in streams.values() if stream.rows]


def _decision(suggestion: Suggestion, digest: str) -> Row:
    row: Row = {
        "suggestion_id": suggestion.id,
        "agent": suggestion.agent,
        "model": suggestion.model,
        "agent_seed": suggestion.seed,
        "known": suggestion.known,
        "acquisition": NAN if suggestion.acquisition is None else suggestion.acquisition,
        "note": suggestion.note,
        "digest": digest,
        "pending": _json(suggestion.pending),
        "alternatives": _json(suggestion.alternatives),
        "fit": _json(suggestion.fit),
        **_parameters(suggestion.parameters),
    }
    for name, prediction in suggestion.predictions.items():
        row[f"predictions-{name}"] = prediction.mean
        row[f"predictions-{name}-epistemic"] = prediction.epistemic
        row[f"predictions-{name}-aleatoric"] = prediction.aleatoric
    return row


def _verdict(event: SuggestionCleared) -> Row:
    return {
        "cleared_suggestion": event.suggestion_id,
        "allowed": event.allowed,
        "refusals": _json(event.reasons),
    }


def _observation(observation: Observation, suggestion: str) -> Row:
    row: Row = {
        "experiment_id": observation.experiment,
        "of_suggestion": suggestion,
        "feasible": observation.feasible,
        "usable": observation.usable,
        "quality": str(observation.quality.verdict),
        "reasons": _json(observation.quality.reasons),
        "scores": _json(observation.quality.scores),
        "runs": _json(observation.runs),
        **_parameters(observation.parameters),
    }
    for name, value in observation.values.items():
        row[f"values-{name}"] = value.mean
        row[f"values-{name}-sigma"] = value.sigma
    return row


def _record(record: Record) -> Row:
    content = record.event.model_dump(mode="json", exclude={"bench", "campaign"})
    return {
        "sequence": record.sequence,
        "kind": record.event.kind,
        "hash": record.hash,
        "content": json.dumps(content, separators=(",", ":"), ensure_ascii=False),
    }


def _parameters(parameters: Parameters) -> Row:
    return {f"parameters-{name}": value for name, value in parameters.items()}


def _json(value: Any) -> str:
    return json.dumps(plain(value), separators=(",", ":"), ensure_ascii=False)


def _documents(stream: _Stream, uid: str) -> Iterator[tuple[str, Row]]:
    """Yield the descriptor and the events of *stream*; a row without a key gets NaN or ''."""
    kinds = _kinds([row for _, row in stream.rows])
    descriptor = derived_id(uid, stream.name)
    yield "descriptor", _descriptor(stream, kinds, descriptor, uid)
    for number, (stamp, row) in enumerate(stream.rows, start=1):
        yield (
            "event",
            {
                "uid": derived_id(descriptor, number),
                "descriptor": descriptor,
                "seq_num": number,
                "time": stamp,
                "data": {key: _fitted(row.get(key), kind) for key, kind in kinds.items()},
                "timestamps": dict.fromkeys(kinds, stamp),
            },
        )


def _descriptor(stream: _Stream, kinds: Mapping[str, str], uid: str, run: str) -> Row:
    return {
        "uid": uid,
        "run_start": run,
        "name": stream.name,
        "time": stream.rows[0][0],
        "object_keys": {"campaign": list(kinds)},
        "configuration": {},
        "hints": {},
        "data_keys": {
            key: {
                "source": "journal",
                "dtype": kind,
                "shape": [],
                **_unit(key, stream.units),
            }
            for key, kind in kinds.items()
        },
    }


def _unit(key: str, units: Mapping[str, str]) -> dict[str, str]:
    bare = key.removesuffix("-sigma").removesuffix("-epistemic").removesuffix("-aleatoric")
    return {"units": units[bare]} if units.get(bare) else {}


def _kinds(rows: Sequence[Row]) -> dict[str, str]:
    """Return the type of each key of *rows*, in the words of a descriptor."""
    kinds: dict[str, set[str]] = {}
    for row in rows:
        for key, value in row.items():
            kinds.setdefault(key, set()).add(_kind(value))
    return {key: _common(found) for key, found in kinds.items()}


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    return "number" if isinstance(value, float) else "string"


def _common(kinds: set[str]) -> str:
    if len(kinds) == 1:
        return next(iter(kinds))
    return "number" if kinds == {"integer", "number"} else "string"


def _fitted(value: Any, kind: str) -> Any:
    if value is None:
        return {"number": NAN, "integer": 0, "boolean": False}.get(kind, "")
    if kind == "number":
        return float(value)
    return str(value) if kind == "string" else value
