"""What the gate says of itself, in the words of people."""

import pytest

from controller.bus.gate_status import CauseTold, Status
from controller.commands.safety_words import MOST_CONSEQUENCES, causes

STATUS = Status(boot="b", state="latched", limits="l", occurrence=3)
FIRST = CauseTold(kind="rule", rule="not too hot", reason="451 degC", at=0.0)


def tripped(count: int) -> list[str]:
    """Return what is said of a trip with *count* consequences."""
    later = tuple(
        CauseTold(kind="rule", rule=f"rule {number}", reason="broken", at=1.0)
        for number in range(count)
    )
    return list(causes(STATUS.model_copy(update={"cause": FIRST, "consequences": later})))


@pytest.mark.parametrize("count", [0, 1, MOST_CONSEQUENCES])
def test_few_consequences_are_all_told(count: int) -> None:
    said = tripped(count)

    assert len(said) == 1 + count
    assert not any("more" in line for line in said)


def test_of_many_consequences_the_first_are_told_and_where_the_others_are() -> None:
    said = tripped(38)

    assert "first cause" in said[0]
    assert len(said) == 1 + MOST_CONSEQUENCES + 1
    assert said[-1] == f"  and {38 - MOST_CONSEQUENCES} more; `heliostat safety log` lists them"
