import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.catalogue import build_agent
from agents.errors import SpaceError
from agents.protocols import Goal, Measured, Objective, Observation
from agents.space import Categorical, Continuous, Space
from controller.bus.consulting import SpaceSaid
from controller.files.campaign import CategoricalOptions

SOLVENTS = tuple(f"s{number}" for number in range(12))
POLAR = tuple((float(n**2), 7.0, float(n % 3)) for n in range(12))
SOLVENT = Categorical("solvent", SOLVENTS, descriptors=POLAR)
SPACE = Space((SOLVENT, Continuous("x", 0, 1)))
YIELD = Objective("yield", Goal.MAXIMIZE)


@given(st.lists(st.sampled_from(SOLVENTS), min_size=1, max_size=20))
def test_every_option_comes_back_from_its_descriptors(options):
    assert SOLVENT.decode(SOLVENT.encode(options)) == options


def test_descriptors_are_columns_of_the_unit_cube_with_a_lengthscale_each():
    places = SOLVENT.encode(list(SOLVENTS))

    assert SPACE.dimension == 3  # one of three descriptors is the same for all
    assert SPACE.groups.tolist() == [0, 1, 2]
    assert SPACE.scales == ("solvent.1", "solvent.2", "x")
    assert places.min(axis=0).tolist() == [0, 0]
    assert places.max(axis=0).tolist() == [1, 1]
    assert places[3, 0] == pytest.approx(9 / 121)


def test_without_descriptors_options_share_a_lengthscale():
    space = Space((Categorical("solvent", SOLVENTS), Continuous("x", 0, 1)))

    assert space.dimension == 13
    assert space.groups.tolist() == [0] * 12 + [1]
    assert space.scales == ("solvent", "x")


def test_an_untried_option_is_foretold_from_what_it_has_in_common_with_others():
    agent = build_agent("bayesian", {}, SPACE, (YIELD,), 1)
    points = [{"solvent": name, "x": x} for name in SOLVENTS if name != "s8" for x in (0.2, 0.7)]
    agent.tell(
        [
            Observation(
                str(n), p, {"yield": Measured(50 - 4 * int(p["solvent"][1:]) + p["x"], 0.0)}
            )
            for n, p in enumerate(points)
        ]
    )

    [expected] = agent.predict([{"solvent": "s8", "x": 0.5}])

    assert expected["yield"].mean == pytest.approx(18.5, abs=2.0)
    assert SPACE.check(agent.ask(1)[0].parameters) == ()


def test_a_space_with_descriptors_travels_as_it_is():
    said = SpaceSaid.of(SPACE).model_dump_json()

    assert SpaceSaid.model_validate_json(said).space() == SPACE


def test_a_single_option_with_descriptors_is_a_column_that_doesnt_vary():
    single = Categorical("k", ("a",), descriptors=((3.0, 4.0),))

    assert np.array_equal(single.encode(["a"]), [[0.0]])


@pytest.mark.parametrize(
    ("descriptors", "words"),
    [
        (((1.0,), (2.0,)), ["'k'", "3 options", "equally many"]),
        (((1.0,), (2.0,), (3.0, 4.0)), ["equally many", "1, 1, 2"]),
        (((1.0,), (2.0,), (1.0,)), ["'c'", "same descriptors as 'a'"]),
        (((1.0,), (2.0,), (float("nan"),)), ["'k'", "finite"]),
        (((), (), ()), ["equally many"]),
    ],
)
def test_descriptors_that_dont_tell_options_apart_are_refused(descriptors, words):
    with pytest.raises(SpaceError) as caught:
        Categorical("k", ("a", "b", "c"), descriptors=descriptors)

    assert all(word in str(caught.value) for word in words), str(caught.value)


@pytest.mark.parametrize(
    ("descriptors", "words"),
    [
        ({"a": [1.0]}, "b: every option needs them"),
        ({"a": [1.0], "b": [2.0], "c": [3.0]}, "c: every option needs them"),
        ({"a": [1.0], "b": [2.0, 3.0]}, "equally many; got a 1, b 2"),
        ({"a": [1.0], "b": [1.0]}, "two options have the same"),
        ({"a": [1.0], "b": [float("inf")]}, "finite"),
    ],
)
def test_a_campaign_file_with_wrong_descriptors_is_refused(descriptors, words):
    written = {"type": "categorical", "options": ["a", "b"], "descriptors": descriptors}

    with pytest.raises(ValidationError, match=words):
        CategoricalOptions.model_validate(written)
