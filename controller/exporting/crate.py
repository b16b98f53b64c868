"""The RO-Crate (version 1.1) of an export: what each file is, whose it is, what made it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.operator import name_of
from controller.events import PointProposed
from controller.exporting.checker import CRATE, PROVENANCE, digest
from controller.exporting.experiments import Context, Experiment
from controller.exporting.nexus import iso
from controller.journal import Record

RECORDS = "records.jsonl"
CONTEXT = "https://w3id.org/ro/crate/1.1/context"
SHA256 = "https://w3id.org/ro/terms/workflow-run#sha256"
FORMATS = {
    ".nxs": "application/x-hdf5",
    ".json": "application/json",
    ".jsonl": "application/jsonl",
}
UNLICENSED = "not stated by the campaign: ask its authors"


def crate_of(
    folder: Path, context: Context, experiments: Sequence[Experiment], records: Sequence[Record]
) -> str:
    """Return the text of ``ro-crate-metadata.json`` for the files that lie in *folder*."""
    files = [_file(folder / e.file, f"experiment {e.number}") for e in experiments]
    files.append(_file(folder / PROVENANCE, "who decided what, from what (PROV-JSON)"))
    files.append(_file(folder / RECORDS, "every record of the campaign's journal"))
    people = _people(context.persons)
    proposers = _proposers(records)
    others = _people(sorted(set(proposers.values()) - set(context.persons)), len(people) + 1)
    known = {person["name"]: person["@id"] for person in (*people, *others)}
    proposed = {agent: known[person] for agent, person in proposers.items()}
    graph = [
        {
            "@id": CRATE,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        },
        _root(context, files, people, records),
        *files,
        *people,
        *others,
        _software(context),
        *(_action(experiment, people, proposed) for experiment in experiments),
    ]
    whole = {"@context": [CONTEXT, {"sha256": SHA256}], "@graph": graph}
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def _root(
    context: Context,
    files: Sequence[Mapping[str, Any]],
    people: Sequence[Mapping[str, Any]],
    records: Sequence[Record],
) -> dict[str, Any]:
    return {
        "@id": "./",
        "@type": "Dataset",
        "identifier": context.campaign_id,
        "name": context.campaign,
        "description": f"Experiments and decisions of the campaign {context.campaign} at "
        f"{context.beamline}{' (simulated)' if context.simulated else ''}",
        "datePublished": iso(records[-1].stamp),
        "license": str(context.metadata.get("license", UNLICENSED)),
        "author": [{"@id": person["@id"]} for person in people],
        "hasPart": [{"@id": file["@id"]} for file in files],
    }


def _file(path: Path, what: str) -> dict[str, Any]:
    return {
        "@id": path.name,
        "@type": "File",
        "name": what,
        "encodingFormat": FORMATS[path.suffix],
        "contentSize": str(path.stat().st_size),
        "sha256": digest(path),
    }


def _people(names: Sequence[str], first: int = 1) -> list[dict[str, Any]]:
    return [
        {"@id": f"#person-{number}", "@type": "Person", "name": person}
        for number, person in enumerate(names, start=first)
    ]


def _proposers(records: Sequence[Record]) -> dict[str, str]:
    """Return who has proposed points, by what the author of such a suggestion is called."""
    events = (record.event for record in records)
    return {name_of(e.person): e.person for e in events if isinstance(e, PointProposed)}


def _software(context: Context) -> dict[str, Any]:
    return {
        "@id": "#heliostat",
        "@type": "SoftwareApplication",
        "name": "heliostat",
        "softwareVersion": context.versions.get("heliostat", "unknown"),
        "softwareRequirements": [f"{k} {v}" for k, v in sorted(context.versions.items())],
    }


def _action(
    experiment: Experiment, people: Sequence[Mapping[str, Any]], proposed: Mapping[str, str]
) -> dict[str, Any]:
    """Return what was done; who *proposed* the point, where a person did, is a participant."""
    made = experiment.suggestion
    proposer = proposed.get(made.agent) if made is not None else None
    times = [
        float(document["time"])
        for documents in experiment.runs.values()
        for _, document in documents
        if "time" in document
    ]
    span = {"startTime": iso(min(times)), "endTime": iso(max(times))} if times else {}
    ended = "Completed" if experiment.finished.succeeded else "Failed"
    return {
        "@id": f"#experiment-{experiment.id}",
        "@type": "CreateAction",
        "name": f"experiment {experiment.number}: {experiment.plan}",
        "identifier": [experiment.id, *experiment.runs],
        "actionStatus": {"@id": f"http://schema.org/{ended}ActionStatus"},
        **span,
        "agent": [{"@id": person["@id"]} for person in people],
        **({} if proposer is None else {"participant": {"@id": proposer}}),
        "instrument": {"@id": "#heliostat"},
        "result": {"@id": experiment.file},
    }
