"""Builds the report: one HTML file that needs no network and no other file."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from controller.recorded.recording import recording
from controller.reporting import calibration, convergence, slices, spectra, timeline
from controller.reporting.account import account_of
from controller.reporting.rows import rows_of
from controller.reporting.standings import standings_of
from controller.reporting.story import Story, tell

TEMPLATE = "report.html.j2"
FOLDER, FILE = "report", "index.html"
PICTURES = (
    convergence.picture,
    spectra.picture,
    slices.picture,
    calibration.picture,
    timeline.picture,
)


def build_report(directory: Path) -> Path:
    """Write the report of the campaign in *directory* and return its path.

    Works for a campaign at any stage. Raises JournalBroken for a journal that can't be trusted.
    """
    story = tell(recording(directory))
    path = directory / FOLDER / FILE
    path.parent.mkdir(exist_ok=True)
    draft = path.with_suffix(".new")
    draft.write_text(render(story), encoding="utf-8")
    draft.replace(path)
    return path


def render(story: Story) -> str:
    """Return the page of *story*."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(TEMPLATE).render(
        name=story.recording.resolved.campaign.name,
        account=account_of(story, slices.belief_at_best(story)),
        pictures=[picture(story) for picture in PICTURES],
        rows=rows_of(story),
        standings=standings_of(story),
        objective=story.state.terms.objectives[0].name,
    )
