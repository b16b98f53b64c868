"""Records of commissioning as an operator leaves them, for tests of what runs live."""

from datetime import UTC, datetime
from pathlib import Path

from controller.bench.commissioned import IN_CAMPAIGN
from controller.benches import envelope_of, words_of
from controller.resolving import ResolvedCampaign
from controller.safety.envelope.envelope import Envelope
from controller.safety.record.commissioned import Commissioning, Tried
from controller.safety.record.signing import Signer


def commission(folder: Path, envelope: Envelope, where: str = "test bench") -> Path:
    """Keep a record in *folder* that *envelope* was commissioned live; return where it is."""
    one = Tried(rule="r", kind="k", drive="d", expected="e", seen="e", ok=True)
    made = Commissioning(
        envelope=envelope.name,
        digest=envelope.digest(),
        by="a test",
        at=datetime.now(UTC).isoformat(),
        where=where,
        live=True,
        heliostat="0",
        tried=(one,),
    )
    return made.signed(Signer.of_user()).keep(folder)


def commission_live(directory: Path, resolved: ResolvedCampaign) -> None:
    """Keep one in the campaign's *directory*, where the bench of *resolved* is a real one."""
    if resolved.beamline.twin is None and resolved.envelope is not None:
        envelope = envelope_of(resolved, words_of(resolved).space)
        commission(directory / IN_CAMPAIGN, envelope, resolved.beamline.name)
