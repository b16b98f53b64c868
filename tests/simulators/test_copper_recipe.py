"""The campaign's recipe on the twin: what it gives, and how hard it is to find a good one."""

from pathlib import Path

import numpy as np
import pytest
import yaml
from scipy.stats import qmc

from controller.files.campaign import Campaign
from controller.spaces import space_of
from simulators.copper.grid import Recipes, fractions_after
from simulators.copper.options import CopperOptions, FurnaceOptions
from simulators.copper.recipe import Recipe, Routine, oxidise
from simulators.copper.twin import CopperTwin
from simulators.errors import SimulatorError

CAMPAIGN = Path(__file__).parents[2] / "config" / "campaigns" / "copper_oxidation.yaml"


@pytest.fixture(scope="module")
def truth_map():
    """10⁵ allowed recipes of the campaign, in units of its ranges and as they are; their Cu(I)."""
    space = space_of(Campaign.model_validate(yaml.safe_load(CAMPAIGN.read_text("utf-8"))))
    low = np.array([one.low for one in space.parameters])
    high = np.array([one.high for one in space.parameters])
    engine, kept = qmc.Sobol(len(low), seed=0), []
    while len(kept) < 100_000:
        units = engine.random(1 << 14)
        points = (low + units * (high - low)).tolist()
        kept += [
            unit
            for unit, point in zip(units, points, strict=True)
            if not space.check(dict(zip(space.names, point, strict=True)))
        ]
    units = np.array(kept[:100_000])
    columns = dict(zip(space.names, (low + units * (high - low)).T, strict=True))
    return units, columns, fractions_after(Recipes(**columns), CopperOptions())[:, 1]


def test_between_1_and_5_percent_of_the_allowed_space_is_copper_one(truth_map):
    _, _, cu1 = truth_map

    assert 0.01 <= (cu1 >= 0.9).mean() <= 0.05


def test_the_optimum_lies_neither_in_the_centre_nor_in_a_corner(truth_map):
    units, _, cu1 = truth_map
    best = units[np.argsort(cu1)[-20:]].mean(axis=0)

    assert np.abs(best - 0.5).max() > 0.15
    assert np.minimum(best, 1.0 - best).max() > 0.2


def test_elsewhere_than_at_the_best_is_worse_whatever_is_changed():
    best = Recipe(245.0, 7.0, 2.9, 29.0)
    recipes = [best, Recipe(400, 7, 2.9, 29), Recipe(150, 7, 2.9, 29), Recipe(245, 7, 0.1, 29)]
    recipes += [Recipe(245, 0.3, 2.9, 29), Recipe(245, 7, 2.9, 2)]
    table = Recipes(*np.array([[r.temperature, r.o2, r.h2, r.dwell] for r in recipes]).T)

    cu1 = fractions_after(table, CopperOptions())[:, 1]

    assert cu1[0] > 0.9
    assert (cu1[1:] < cu1[0] - 0.02).all()


def test_the_map_agrees_with_the_recipe_played_on_the_twin():
    recipes = np.array(
        [
            [245.0, 7.0, 2.9, 29.0],
            [257.0, 10.0, 6.8, 4.6],
            [420.0, 4.0, 3.9, 12.0],
            [150.0, 18.0, 0.0, 20.0],
            [480.0, 9.0, 1.5, 2.0],
        ]
    )
    mapped = fractions_after(Recipes(*recipes.T), CopperOptions())
    twin = CopperTwin(0)

    played = [oxidise(twin, Recipe(*row)) for row in recipes]

    assert mapped == pytest.approx(np.array([[t.cu0, t.cu1, t.cu2] for t in played]), abs=0.01)


def test_an_experiment_is_not_changed_by_the_one_before():
    fresh, used = CopperTwin(0), CopperTwin(0)
    oxidise(used, Recipe(450.0, 18.0, 0.0, 30.0))

    first = oxidise(fresh, Recipe(245.0, 7.0, 2.9, 20.0))
    second = oxidise(used, Recipe(245.0, 7.0, 2.9, 20.0))

    assert second.cu1 == pytest.approx(first.cu1, abs=0.005)


def test_a_furnace_that_never_arrives_is_said_to():
    weak = CopperOptions(furnace=FurnaceOptions(maximum_w=50.0))

    with pytest.raises(SimulatorError, match="asked for 350 degC"):
        oxidise(CopperTwin(0, weak), Recipe(245.0, 7.0, 2.9, 20.0), Routine(patience_s=3600.0))
