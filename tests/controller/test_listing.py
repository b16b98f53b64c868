from hypothesis import given
from hypothesis import strategies as st

from controller.outcome.listing import MOST, joined


@given(st.lists(st.text("ab", min_size=1), max_size=MOST))
def test_a_short_list_is_told_whole(parts):
    assert joined(parts) == ", ".join(parts)


@given(st.integers(MOST + 1, 300))
def test_of_a_long_one_the_first_few_and_how_many_more(count):
    told = joined(f"p{k}" for k in range(count)).split(", ")

    assert told[0] == "p0"
    assert told[-1] == f"and {count - len(told) + 1} more"
    assert len(told) < MOST
