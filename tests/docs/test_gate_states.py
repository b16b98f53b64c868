"""The figure of the gate's states shows the table: all of it, and nothing else."""

from controller.safety.states.machine import State
from tests.support.gate_states import FILE, drawing, made_up, uncovered


def test_every_line_of_the_table_is_an_arrow_and_no_arrow_is_made_up():
    assert uncovered() == []
    assert made_up() == []


def test_the_figure_is_the_one_that_is_drawn_and_names_every_state():
    text = FILE.read_text(encoding="utf-8")

    assert text == drawing(), "run: python -m tests.support.gate_states"
    for state in State:
        assert f">{state.value}</text>" in text


def test_the_manual_says_what_each_state_means():
    text = (FILE.parent / "how-to" / "safety-operation.md").read_text(encoding="utf-8")

    for state in State:
        assert f"`{state.value}`" in text
