import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from agents.space import Categorical, Continuous, Discrete, Integer, Space
from controller.safety.envelope.envelope import Envelope, Limit, Members, envelope_of_space
from controller.safety.envelope.file import EnvelopeFile
from controller.safety.envelope.file_values import parse_limit

ANYTHING = st.one_of(
    st.floats(), st.integers(), st.booleans(), st.none(), st.text(max_size=5), st.binary(max_size=3)
)


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("20..850 degC", Limit(20.0, 850.0, "degC")),
        (" -1.5 .. 2e3 ", Limit(-1.5, 2000.0, "")),
        ("0..10 mL/min", Limit(0.0, 10.0, "mL/min")),
        ("0...5", Limit(0.0, 0.5, "")),
        ("-5..-1 V", Limit(-5.0, -1.0, "V")),
    ],
)
def test_bounds_are_read_with_their_unit(text, limit):
    assert parse_limit(text) == limit


@pytest.mark.parametrize(
    "text",
    [
        "850..20 degC",
        "5..5",
        "nan..3",
        "0..inf",
        "0..1e999",
        "..3",
        "3..",
        "20-30 degC",
        "",
        "a..b",
    ],
)
def test_what_would_be_no_limit_is_an_error(text):
    with pytest.raises(ValueError, match=r"low..high|low below high"):
        parse_limit(text)


@pytest.mark.parametrize("value", [20, 850.0, 20.0, np.float64(300), np.int64(20)])
def test_values_up_to_both_bounds_may_be_written(value):
    assert Limit(20.0, 850.0, "degC").refuses(value) == ""


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, None, True, "300", b"3", [300]])
def test_what_is_no_finite_number_is_refused_whatever_the_bounds(value):
    said = Limit(-1e300, 1e300).refuses(value)
    assert "not a finite number" in said
    assert "give a number of these, and look at what it was worked out from" in said


@settings(max_examples=200, deadline=None)
@given(ANYTHING)
def test_a_limit_lets_nothing_through_but_numbers_inside(value):
    refused = Limit(-1.0, 2.0).refuses(value)

    if not refused:
        assert not isinstance(value, bool)
        assert -1.0 <= value <= 2.0


@settings(max_examples=100, deadline=None)
@given(ANYTHING)
def test_members_let_nothing_through_but_members(value):
    assert (Members(("Open", "Closed")).refuses(value) == "") == (value in ("Open", "Closed"))


def test_only_the_safe_value_is_safe():
    limit = Limit(0.0, 20.0, "mL/min", safe_value=0.0)
    shutter = Members(("Open", "Closed"), "Closed")

    assert [limit.safe(0), limit.safe(1.0), limit.safe(math.nan), limit.safe(False)] == [
        True,
        False,
        False,
        False,
    ]
    assert [shutter.safe("Closed"), shutter.safe("Open")] == [True, False]
    assert not Limit(0.0, 1.0).safe(0.0)


def test_free_patterns_match_signals_and_nothing_else():
    envelope = Envelope("e", {}, ("detector.*", "spectrometer.acquire"))

    assert envelope.is_free("detector.acquire")
    assert envelope.is_free("spectrometer.acquire")
    assert not envelope.is_free("spectrometer.exposure")
    assert not envelope.is_free("furnace.setpoint")


def test_what_people_alone_write_is_free_for_nobody():
    envelope = Envelope("e", {}, ("detector.*",), maintenance=("*.offset",))

    assert not envelope.is_free("detector.offset")
    assert "in maintenance alone" in envelope.reason_against("detector.offset", 1e9)
    assert envelope.reason_against("detector.acquire", 1) == ""
    assert envelope.reason_against_hand("detector.offset", 0.5) == ""


def test_the_digest_changes_with_what_is_allowed_and_not_with_the_name():
    one = Envelope("one", {"a.b": Limit(0.0, 1.0)})

    assert one.digest() == Envelope("two", {"a.b": Limit(0.0, 1.0)}).digest()
    assert one.digest() != Envelope("one", {"a.b": Limit(0.0, 1.5)}).digest()
    assert one.digest() != Envelope("one", {"a.b": Limit(0.0, 1.0)}, ("c.d",)).digest()


def test_a_file_becomes_the_envelope_it_describes():
    file = EnvelopeFile.model_validate(
        {
            "name": "x",
            "limits": {"furnace.setpoint": "20..850 degC", "shutter.command": ["Open", "Closed"]},
            "safe": {"furnace.setpoint": 20, "shutter.command": "Closed"},
            "free": ["detector.*"],
        }
    )

    assert file.envelope() == Envelope(
        "x",
        {
            "furnace.setpoint": Limit(20.0, 850.0, "degC", 20.0),
            "shutter.command": Members(("Open", "Closed"), "Closed"),
        },
        ("detector.*",),
    )


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"limits": {"a.b": "5..1"}}, "low below high"),
        ({"limits": {"a b": "1..5"}}, "pattern"),
        ({"limits": {"a.b": []}}, "at least one"),
        ({"limits": {"a.b": ["x", "x"]}}, "each once"),
        ({"safe": {"q.r": 1}}, "has no limit"),
        ({"safe": {"a.b": 9}}, "outside"),
        ({"safe": {"a.b": "Closed"}}, "a number is needed"),
        ({"free": ["*"]}, "pattern"),
        ({"free": ["a.*"]}, "can't be free as well"),
        ({"bypass": True}, "Extra inputs"),
    ],
)
def test_an_envelope_that_contradicts_itself_is_refused(change, reason):
    with pytest.raises(ValidationError, match=reason):
        EnvelopeFile.model_validate({"name": "x", "limits": {"a.b": "0..5"}, **change})


def test_a_recorded_bench_is_limited_to_what_was_recorded():
    space = Space(
        (
            Continuous("t", 0.0, 5.0, "s"),
            Integer("n", 1, 3),
            Discrete("once", (7.0,)),
            Categorical("acid", ("HCl", "HBr")),
        )
    )
    envelope = envelope_of_space("table", space)

    assert envelope.limits["bench.point.t"] == Limit(0.0, 5.0, "s")
    assert envelope.limits["bench.point.acid"] == Members(("HCl", "HBr"))
    assert envelope.limits["bench.point.once"].refuses(7.0) == ""
    assert envelope.limits["bench.point.once"].refuses(7.1)
    assert envelope.is_free("bench.measure")
    assert "bench.point.other" not in envelope.limits
