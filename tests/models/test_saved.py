"""A trained model is a folder that can't hold code and says what it may be trusted with."""

import json

import pytest
import torch

from models.errors import ModelFileError
from models.saved import CARD, WEIGHTS, Card, load, save

A_CARD = Card(
    kind="phases", seed=3, ranges={"size_nm": (8.0, 80.0)}, calibration={"0.9": 0.91}, figures={}
)


@pytest.fixture
def weights():
    return {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(4, 2).T}


def test_a_model_comes_back_as_it_was_saved(tmp_path, weights):
    save(tmp_path / "model", A_CARD, weights)

    card, back = load(tmp_path / "model", "phases")

    assert card.ranges == {"size_nm": (8.0, 80.0)}
    assert card.seed == 3
    assert all(torch.equal(back[name], weights[name]) for name in weights)


def test_a_model_of_another_kind_is_refused(tmp_path, weights):
    save(tmp_path / "model", A_CARD, weights)

    with pytest.raises(ModelFileError, match="kind 'phases', wanted is 'absorption'"):
        load(tmp_path / "model", "absorption")


@pytest.mark.parametrize("spoil", [b"", b"\x80\x04K\x01.", b"x" * 100])
def test_weights_that_were_changed_are_refused(tmp_path, weights, spoil):
    save(tmp_path / "model", A_CARD, weights)
    (tmp_path / "model" / WEIGHTS).write_bytes(spoil)

    with pytest.raises(ModelFileError, match="train the model again"):
        load(tmp_path / "model", "phases")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 1, "kind": "phases"}', "\x00"])
def test_a_card_that_is_none_is_refused(tmp_path, weights, text):
    save(tmp_path / "model", A_CARD, weights)
    (tmp_path / "model" / CARD).write_text(text)

    with pytest.raises(ModelFileError):
        load(tmp_path / "model", "phases")


@pytest.mark.parametrize("ranges", [None, [1, 2], {"size_nm": 3}, {"size_nm": ["a", "b"]}])
def test_a_card_whose_ranges_are_none_is_refused(tmp_path, weights, ranges):
    save(tmp_path / "model", A_CARD, weights)
    card = json.loads((tmp_path / "model" / CARD).read_text())
    (tmp_path / "model" / CARD).write_text(json.dumps({**card, "ranges": ranges}))

    with pytest.raises(ModelFileError, match="pairs of numbers"):
        load(tmp_path / "model", "phases")


def test_a_folder_without_a_model_says_how_to_make_one(tmp_path):
    with pytest.raises(ModelFileError, match="heliostat train"):
        load(tmp_path, "phases")


def test_nothing_is_overwritten_unless_it_is_a_model_and_that_is_wanted(tmp_path, weights):
    save(tmp_path / "model", A_CARD, weights)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("kept")

    with pytest.raises(ModelFileError, match="--force"):
        save(tmp_path / "model", A_CARD, weights)
    save(tmp_path / "model", A_CARD, {"a": torch.zeros(1)}, force=True)
    with pytest.raises(ModelFileError, match="holds no model"):
        save(tmp_path / "notes", A_CARD, weights, force=True)

    assert load(tmp_path / "model", "phases")[1]["a"].tolist() == [0.0]
    assert (tmp_path / "notes" / "mine.txt").read_text() == "kept"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_the_card_is_plain_json_for_people(tmp_path, weights):
    save(tmp_path / "model", A_CARD, weights)

    assert json.loads((tmp_path / "model" / CARD).read_text())["calibration"] == {"0.9": 0.91}
