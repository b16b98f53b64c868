"""Whether a campaign that goes on is still the one that was begun, and what it takes if not.

Compared are the files it was read from (where they are still there), the code, and the versions
of what numbers depend on. A difference is never taken silently: a person says yes, and why.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.errors import PointError
from controller.benches import envelope_of, words_of
from controller.errors import ConfigurationError, NotAllowed
from controller.events import CampaignRevised, CampaignStarted
from controller.history import resolved_of, started_of
from controller.journal import Record
from controller.recorded.code_files import code_files, new_files
from controller.recorded.widening import other_bench, wider
from controller.resolving import ResolvedCampaign
from controller.safety.people.people import SCOPES, Principal, Role, Scope
from controller.state import CampaignState
from controller.versions import code_digest, file_digests, versions
from controller.wishes import wished

CODE = "code"
VERSION = "version of "
LONGEST = 300
"""Characters that are shown of a value, so that what was taken of other campaigns is no page."""

Load = Callable[[Path], ResolvedCampaign]
"""Reads a campaign file with all that it refers to; raises ConfigurationError."""


@dataclass(frozen=True, slots=True)
class Revision:
    """A campaign that isn't as it was: what it is now, and each change in words."""

    resolved: ResolvedCampaign
    limits: str
    """Digest of the envelope in force from now on."""
    changes: tuple[str, ...]
    wider: tuple[str, ...]
    """All that isn't surely as narrow as before."""

    @property
    def of_software_alone(self) -> bool:
        """Whether only code and versions have changed."""
        return all(line.startswith((f"{CODE}: ", VERSION)) for line in self.changes)

    def __str__(self) -> str:
        lines = [f"  {line}" for line in self.changes]
        if self.wider:
            lines += ["  wider than before, or not surely as narrow (a safety officer's to allow):"]
            lines += [f"    {line}" for line in self.wider]
        return "\n".join(lines)


def digests_of(resolved: ResolvedCampaign) -> dict[str, str]:
    """Return what `resume` compares: digests of the code and of the campaign's files, by path."""
    paths = (*_described_in(resolved), *code_files(resolved))
    return {CODE: code_digest(), **file_digests(path for path in paths if path)}


def code_digests_of(records: list[Record], directory: Path) -> dict[str, str]:
    """Return the digests, by path, of the user's own code in the campaign that is in force."""
    digests = _last(records, directory).digests
    described = {CODE, *_described_in(resolved_of(records, directory))}
    return {path: digest for path, digest in digests.items() if path not in described}


def _described_in(resolved: ResolvedCampaign) -> tuple[str, ...]:
    """Return the files that describe the campaign; it is in the journal what they say."""
    campaign = resolved.campaign
    return (resolved.file, campaign.beamline, campaign.safety or "") if resolved.file else ()


def revision_of(records: list[Record], directory: Path, load: Load) -> Revision | None:
    """Return how the campaign of *records*, in *directory*, has changed; None if it hasn't.

    A changed file is read again by *load*; what the command line said at the start holds on.
    Raises ConfigurationError for one that can't be used, or can't go on with what was measured.
    """
    before, last = resolved_of(records, directory), _last(records, directory)
    digests, ran_on = last.digests, last.versions
    now_digests = digests_of(before)
    files = [path for path in now_digests if path != CODE and digests.get(path)]
    there = Path(before.file).is_file()
    touched = there and any(digests[path] != now_digests[path] for path in files)
    now = wished(load(Path(before.file)), before.wishes) if touched else before
    new = envelope_of(now, words_of(now).space)
    old = envelope_of(before, words_of(before).space)
    changes = [*_differences(_plain(before), _plain(now))]
    own = code_digests_of(records, directory)
    now_own = file_digests(own)
    for path, digest in own.items():
        if digest != (seen := now_own.get(path, "gone")):
            changes.append(f"{path}: {digest[:12]} -> {seen[:12]}")
    added = file_digests(new_files(own, now))
    changes += [f"{path}: absent -> {digest[:12]}" for path, digest in added.items()]
    if digests.get(CODE) and digests[CODE] != now_digests[CODE]:
        changes.append(f"{CODE}: {digests[CODE][:12]} -> {now_digests[CODE][:12]}")
    changes += [f"{VERSION}{line}" for line in _differences(ran_on, versions())] if ran_on else []
    if not changes:
        return None
    more = (*wider(old, new), *other_bench(before.beamline, now.beamline))
    return Revision(now, new.digest(), tuple(changes), more)


def require_unchanged(revision: Revision | None, directory: Path) -> None:
    """Raise ConfigurationError, with every change, when there is a *revision*."""
    if revision is not None:
        raise ConfigurationError(
            f"{directory}: this is not the campaign that was begun:\n{revision}\n"
            "nothing was run. Undo the changes, or go on with them: "
            f'heliostat resume {directory} --revise --reason "…"'
        )


def require_possible(revision: Revision, state: CampaignState) -> None:
    """Raise ConfigurationError when what was measured can't be told to the campaign as it is."""
    space = words_of(revision.resolved).space
    try:
        space.encode([observation.parameters for observation in state.observations])
    except PointError as error:
        raise ConfigurationError(
            f"the space can't be revised so: {error} in what was measured already; "
            "begin a new campaign for it"
        ) from error


def require_allowed(revision: Revision, by: Principal) -> None:
    """Raise NotAllowed where *by* may not take *revision*: what is wider is a safety officer's."""
    scope = Scope.WIDEN if revision.wider else Scope.RUN
    if by.may(scope):
        return
    who = " or ".join(role.value for role in Role if scope in SCOPES[role])
    what = "what is wider than before" if revision.wider else "a revision"
    roles = ", ".join(sorted(by.roles)) or "no role"
    raise NotAllowed(
        f"{by.name} ({roles}) may not revise it so: {what} is allowed by a person of role {who} "
        f"alone; nothing was run:\n{revision}"
    )


def revised(revision: Revision, reason: str, person: str) -> CampaignRevised:
    """Return the event by which *person* takes *revision*, for *reason*."""
    if not reason.strip():
        raise ConfigurationError("--revise needs a --reason: a few words for the journal")
    return CampaignRevised(
        campaign=revision.resolved.model_dump(mode="json"),
        limits=revision.limits,
        digests=digests_of(revision.resolved),
        versions=versions(),
        changes=(*revision.changes, *(f"wider: {line}" for line in revision.wider)),
        person=person,
        reason=reason,
    )


def _last(records: list[Record], directory: Path) -> CampaignStarted | CampaignRevised:
    found = [r.event for r in records if isinstance(r.event, CampaignRevised)]
    return found[-1] if found else started_of(records, directory)


def _plain(resolved: ResolvedCampaign) -> dict[str, Any]:
    data = resolved.model_dump(mode="json")
    return {key: data[key] for key in ("campaign", "beamline", "envelope")}


def _differences(before: Any, now: Any, way: str = "") -> Iterator[str]:
    """Yield ``key: old -> new`` for every value that differs."""
    if before == now:
        return
    if not (isinstance(before, Mapping) and isinstance(now, Mapping)):
        yield f"{way}: {_shown(before)} -> {_shown(now)}"
        return
    for key in dict.fromkeys((*before, *now)):
        below = f"{way}.{key}" if way else str(key)
        yield from _differences(before.get(key), now.get(key), below)


def _shown(value: Any) -> str:
    if value is None:
        return "absent"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"
