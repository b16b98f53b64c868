"""The report: whole for every campaign there can be, honest about what is missing."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from agents.protocols import Measured, Observation, Quality, Verdict
from controller.events import CampaignStopped, Event, ObservationMade, SuggestionMade
from controller.journal import Record
from controller.outcome.wording import duration, with_sigma
from controller.recorded.recording import recording
from controller.reporting.calibration import Check, coverage, words
from controller.reporting.figures import drawing, new_figure, plain_axes, svg
from controller.reporting.page import build_report
from controller.reporting.story import tell
from controller.resolving import ResolvedCampaign, recorded_campaign
from controller.wiring import open_session
from tests.support.campaigns import barrel_campaign, copper_campaign, modelled
from tests.support.journals import retold

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Interrupted(BaseException):
    """Stands for the end of the process."""


def run(
    resolved: ResolvedCampaign, directory: Path, until: Callable[[Record], bool] | None = None
) -> Path:
    """Run *resolved* in *directory*, up to the first record for which *until* holds."""

    def listen(record: Record, _state: Any) -> None:
        if until is not None and until(record):
            raise Interrupted

    try:
        with open_session(resolved, directory, listen) as session:
            session.loop.run()
    except Interrupted:
        pass
    return directory


class Page(HTMLParser):
    """Text and images of a page; every element that is opened must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.words: list[str] = []
        self.labels: list[str] = []
        self.rows = 0
        self.feed(text)
        self.close()
        assert self.open == []
        self.text = re.sub(r"\s+", " ", " ".join(self.words))

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in VOID:
            self.open.append(tag)
        self.rows += tag == "tr" and "id" in dict(attrs)
        if tag == "svg":
            self.labels.append(str(dict(attrs)["aria-label"]))

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        """Nothing is opened."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in ("style", "script"):
            self.words.append(data)


def page_of(directory: Path) -> Page:
    return Page(build_report(directory).read_text(encoding="utf-8"))


def with_observations(change: Callable[[Observation], Observation | None]) -> Any:
    """Return a change of events: each observation as *change* returns it, nothing for None."""

    def changed(event: Event) -> Event | None:
        if not isinstance(event, ObservationMade):
            return event
        observation = change(event.observation)
        return None if observation is None else ObservationMade(observation=observation)

    return changed


@pytest.fixture(scope="module")
def barrels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    resolved = modelled(barrel_campaign(budget={"experiments": 5}))
    return run(resolved, tmp_path_factory.mktemp("barrels") / "campaign")


@pytest.fixture(scope="module")
def copper(tmp_path_factory: pytest.TempPathFactory) -> Path:
    goal = {"objective": "cu1", "at_least": 0.99}
    return run(copper_campaign(goal=goal), tmp_path_factory.mktemp("copper") / "campaign")


def test_the_page_needs_no_network_and_no_other_file(barrels):
    text = build_report(barrels).read_text(encoding="utf-8")

    links = re.findall(r'(?:src|href|url)\s*[=(]\s*"?([^")\s>]+)', text)
    assert [link for link in links if not link.startswith("#")] == []
    assert "<script" not in text
    assert "@import" not in text


def test_a_campaign_with_a_model_has_every_figure(barrels):
    page = page_of(barrels)

    assert page.rows == 5
    assert len(page.labels) == 1 + 4 + 1 + 1
    assert "Prediction along theta through the best point" in page.labels
    for said in ("Asked", "maximize toughness", "It ranks", "of 600 points", "Budget:"):
        assert said in page.text
    assert "in the 90% interval" in page.text
    assert "This bench records numbers, no spectra." in page.text


def test_the_page_says_what_it_stands_on(barrels):
    page = page_of(barrels)

    story = tell(recording(barrels))
    assert story.head in page.text
    assert story.recording.started.campaign_id in page.text
    assert "torch 2.13.0" in page.text
    assert "proposal" in page.text


def test_a_campaign_with_spectra_shows_the_best_and_the_worst(copper):
    page = page_of(copper)

    assert "Spectra of the best and of rejected or worst experiments" in page.labels
    assert "best: decision" in page.text
    assert "worst: decision" in page.text
    assert "furnace.setpoint" in page.text
    assert "The agent sobol/1 has no model to look at." in page.text
    assert "No decision carried a prediction" in page.text
    assert "final plan" in page.text
    assert "with 80% confidence" in page.text


def test_rejected_spectra_are_shown_with_their_reasons(copper, tmp_path):
    def reject(observation: Observation) -> Observation:
        quality = Quality(Verdict.REJECTED, ("novel: <no> mixture & nothing like it",))
        return replace(observation, quality=quality)

    page = page_of(retold(copper, tmp_path / "rejected", with_observations(reject)))

    assert "no usable value" in page.text
    assert "rejected: decision 3" in page.text
    assert "novel: <no> mixture & nothing like it" in page.text
    assert "3 measured and rejected" in page.text
    assert "There is nothing to be sure of." in page.text


def test_a_campaign_that_never_began_has_a_page(tmp_path):
    cut = run(barrel_campaign(), tmp_path / "a", lambda _record: True)

    page = page_of(cut)

    assert page.rows == 0
    assert page.labels == []
    assert "0 experiments, no usable value" in page.text
    assert "No decision was made." in page.text
    assert "heliostat resume" in page.text


def test_a_campaign_cut_off_in_an_experiment_has_a_page(tmp_path):
    kinds = ("experiment_started",)
    cut = run(barrel_campaign(), tmp_path / "a", lambda record: record.event.kind in kinds)

    page = page_of(cut)

    assert page.rows == 1
    assert "1 without an outcome" in page.text


@pytest.mark.parametrize("kept", [0, 1, 2])
def test_few_observations_are_enough_for_a_page(barrels, tmp_path, kept):
    count = 0

    def first(observation: Observation) -> Observation | None:
        nonlocal count
        count += 1
        return observation if count <= kept else None

    page = page_of(retold(barrels, tmp_path / "few", with_observations(first)))

    assert page.rows == 5
    assert ("no usable value" in page.text) == (kept == 0)


def test_failed_experiments_are_counted_and_drawn_without_a_value(barrels, tmp_path):
    def failed(observation: Observation) -> Observation:
        quality = Quality(Verdict.REJECTED, ("furnace: did not arrive",))
        return replace(observation, values={}, feasible=False, quality=quality)

    page = page_of(retold(barrels, tmp_path / "failed", with_observations(failed)))

    assert "5 failed" in page.text
    assert "No experiment gave a value of toughness." in page.text
    assert "furnace: did not arrive" in page.text


def test_equal_outcomes_and_stated_sigmas_are_drawn(barrels, tmp_path):
    def equal(observation: Observation) -> Observation:
        return replace(observation, values={"toughness": Measured(1.0, 0.25)})

    page = page_of(retold(barrels, tmp_path / "equal", with_observations(equal)))

    assert "toughness 1.00 ± 0.25 J" in page.text
    assert "best so far ± σ" in page.text


def test_a_space_of_categories_only_has_a_page(tmp_path):
    resolved = recorded_campaign(categories(tmp_path / "table"), "bayesian", 1, 6)

    page = page_of(run(modelled(resolved), tmp_path / "a"))

    assert "Prediction along solvent through the best point" in page.labels
    assert "water" in page.text


def categories(folder: Path) -> Path:
    folder.mkdir()
    solvents, bases = ("water", "ethanol", "DMSO"), ("none", "K <2>")
    rows = [
        f"{solvent},{base},{3 * i + j}"
        for i, solvent in enumerate(solvents)
        for j, base in enumerate(bases)
    ]
    (folder / "data.csv").write_text("\n".join(["solvent,base,yield", *rows]) + "\n")
    parameters = [
        {"name": "solvent", "type": "categorical", "unit": "", "options": list(solvents)},
        {"name": "base", "type": "categorical", "unit": "", "options": list(bases)},
    ]
    objectives = [{"name": "yield", "goal": "maximize", "unit": "%"}]
    meta = {"name": "categories", "parameters": parameters, "objectives": objectives}
    (folder / "meta.json").write_text(json.dumps(meta))
    return folder


def test_names_are_never_markup(tmp_path):
    resolved = barrel_campaign(name="<b>bold</b> & co", budget={"experiments": 1})

    text = build_report(run(resolved, tmp_path / "a")).read_text(encoding="utf-8")

    assert "<b>bold</b>" not in text
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; co" in text


def test_refused_suggestions_and_fallbacks_are_told(barrels, tmp_path):
    def change(event: Event) -> Event:
        if isinstance(event, SuggestionMade):
            fallen = replace(event.suggestion, model="sobol (fallback)")
            return event.model_copy(update={"suggestion": fallen})
        if isinstance(event, CampaignStopped):
            return event.model_copy(update={"reason": "because"})
        return event

    page = page_of(retold(barrels, tmp_path / "fallen", change))

    assert "5 space-filling because no model could be fitted" in page.text
    assert "Because (after" in page.text


def test_building_it_twice_gives_the_same_page(barrels):
    first = build_report(barrels).read_bytes()

    assert build_report(barrels).read_bytes() == first


def test_coverage_counts_what_lies_inside():
    checks = [Check(n, 0.0, 1.0, z, 0.1) for n, z in enumerate((0.1, -0.5, 1.0, 1.7, -3.0))]

    inside = [coverage(checks, level).inside for level in (0.5, 0.9)]

    assert inside == [2, 3]
    assert "2 of 5 (40%) in the 50% interval" in words(checks)
    assert "says little" in words(checks)
    assert words([]) == ""


@pytest.mark.parametrize(
    ("mean", "sigma", "said"),
    [
        (0.8312, 0.0859, "0.831 ± 0.086"),
        (1234.5, 120.0, "1230 ± 120"),
        (5.0, 0.0, "5"),
        (0.0, 1e-9, "0 ± 1e-09"),
        (1.0, float("inf"), "1"),
        (9.99, 0.0996, "9.99 ± 0.10"),
    ],
)
def test_a_value_is_rounded_by_its_uncertainty(mean, sigma, said):
    assert with_sigma(mean, sigma) == said


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.25, "0.25 s"), (75, "1 min 15 s"), (3720, "1 h 2 min"), (100000, "1 d 3 h")],
)
def test_a_time_is_told_in_the_units_that_fit(seconds, said):
    assert duration(seconds) == said


def test_names_in_any_script_stand_in_figures():
    with drawing():
        figure = new_figure(3, 2)
        plain_axes(figure).set_xlabel("温度 (°C)")
        picture = svg(figure, "a figure")

    assert "温度" in picture
