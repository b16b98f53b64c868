"""Catalogs to archive into: a server that stands for a facility's, and who archives."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from controller.archive.archiver import Archiver, Pass, connected
from controller.archive.server import Catalog
from controller.resolving import ResolvedCampaign
from controller.wiring import open_session


def run_in(directory: Path, resolved: ResolvedCampaign) -> Path:
    """Run the campaign *resolved* to its end in *directory*, and return that."""
    with open_session(resolved, directory, lambda _record, _state: None) as session:
        session.loop.run()
    return directory


def archived(catalog: Catalog, directory: Path, **how: Any) -> Pass:
    """Bring *catalog* up to date with the campaign in *directory*."""
    with connected(catalog) as client, archiving(client, directory) as archiver:
        return archiver.bring_up_to_date(**how)


@contextmanager
def archiving(client: Any, directory: Path) -> Iterator[Archiver]:
    """Give an archiver, and close it."""
    archiver = Archiver(client, directory)
    try:
        yield archiver
    finally:
        archiver.close()


def sent_to(resolved: ResolvedCampaign, catalog: Catalog) -> ResolvedCampaign:
    """Return *resolved* on a beamline whose runs go to *catalog*."""
    beamline = resolved.beamline.model_copy(update={"catalog": catalog.uri})
    return resolved.model_copy(update={"beamline": beamline})
