import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.errors import UnitError
from controller.files.units import compatible, convert, seconds


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("degC", "K"),
        ("°C", "degF"),
        ("mL/min", "uL/min"),
        ("ml/min", "L/h"),
        ("%", "1"),
        ("", "1"),
        ("struts", "struts"),
        ("% (mass)", " % (mass) "),
    ],
)
def test_units_of_one_dimension_fit(first, second):
    assert compatible(first, second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("degC", "mL/min"),
        ("struts", "mm"),
        ("struts", "threads"),
        ("not stated", "s"),
        ("", "degC"),
        ("J (per the paper)", "J"),
        ("9**9**9**9**9", "1"),
        ("m^99999999", "m"),
    ],
)
def test_units_of_other_dimensions_or_unknown_ones_do_not_fit(first, second):
    assert not compatible(first, second)


def test_temperatures_convert_with_their_offset():
    assert convert(300.0, "K", "degC") == pytest.approx(26.85)
    assert convert(100.0, "degC", "degF") == pytest.approx(212.0)


def test_a_unit_spelled_alike_leaves_the_number_untouched():
    assert convert(0.1 + 0.2, "struts", "struts") == 0.1 + 0.2


def test_a_conversion_that_makes_no_sense_names_both_units():
    with pytest.raises(UnitError, match=r"5 degC: can't be given in 'mL/min'"):
        convert(5.0, "degC", "mL/min")


@pytest.mark.parametrize(
    ("text", "value"), [("48 h", 172800.0), ("90min", 5400.0), ("1.5 d", 129600.0), (" 3 s ", 3.0)]
)
def test_durations_are_read_in_seconds(text, value):
    assert seconds(text) == value


@pytest.mark.parametrize(
    "text", ["48", "h", "-3 h", "0 s", "5 parsec", "1e3 s", "nan h", "9" * 99 + " d"]
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(UnitError, match="is no duration"):
        seconds(text)


@settings(max_examples=150, deadline=None)
@given(st.text(max_size=12), st.text(max_size=12))
def test_any_two_texts_fit_both_ways_or_neither(first, second):
    assert compatible(first, second) == compatible(second, first)
    assert compatible(first, first)
