"""What counts as wider than the envelope before: everything that isn't surely narrower."""

import copy

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.recorded.widening import wider
from controller.safety.envelope.envelope import Envelope, Limit
from controller.safety.envelope.file import EnvelopeFile
from tests.support.campaigns import ROOT

DATA = yaml.safe_load((ROOT / "config" / "safety" / "copper.yaml").read_text())


def envelope(*changes):
    """Return the copper envelope after each of *changes*: a way of keys, and a value or None."""
    data = copy.deepcopy(DATA)
    for way, value in changes:
        *above, last = way
        part = data
        for key in above:
            part = part[key]
        if value is None:
            del part[last]
        elif last == "+":
            part.append(value)
        else:
            part[last] = value
    return EnvelopeFile.model_validate(data).envelope("X:")


def told(*changes):
    return list(wider(envelope(), envelope(*changes)))


MORE = {"kind": "requires", "name": "one more", "requires": "furnace.readback < 860 degC"}
FURNACE = ("signals", "furnace.readback")


@pytest.mark.parametrize(
    "change",
    [
        (("description",), "other words"),
        (("limits", "furnace.ramp_rate"), "6..19 K/min"),
        (("limits", "foil.position"), ["In"]),
        (("rules", "+"), MORE),
        (("signals", "furnace.readback", "max_age"), "4 s"),
        (("signals", "furnace.readback", "changes_every"), "10 min"),
        (("dead_man", "lease"), "2 s"),
        (("free", 0), None),
        (("quantities", "gas.reactive"), "gas.o2 + gas.h2"),
        (("rules", 0, "source"), "another reason"),
    ],
    ids=lambda change: ".".join(map(str, change[0])),
)
def test_what_is_surely_narrower_is_not_named(change):
    assert told(change) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        ((("limits", "furnace.setpoint"), "20..851 degC"), "furnace.setpoint: 20 to 851 degC; bef"),
        ((("limits", "stage.x"), "0..1 mm"), "stage.x: 0 to 1 mm; nothing before"),
        ((("safe", 0, "write", "furnace.setpoint"), 699), "safe furnace.setpoint: 699.0; before 4"),
        ((("safe", 0, "write", "furnace.setpoint"), None), "safe furnace.setpoint: gone; before 4"),
        ((("safe", 0, "within"), "5 s"), "safe stage 'stop what reacts': within 5 s; before 1 s"),
        ((("safe", 0, "within"), "0.1 s"), "safe stage 'stop what reacts': within 0.1 s; before"),
        ((("safe", 1), None), "safe stage 'purge': gone"),
        ((("hold", "furnace.setpoint"), 690), "hold furnace.setpoint: 690.0; nothing before"),
        ((("hold", "shutter.command"), None), "hold shutter.command: gone; before Closed"),
        (((*FURNACE, "max_age"), "1 d"), "signal furnace.readback: max_age 86400 s; before 5 s"),
        ((("dead_man", "lease"), "1 d"), "lease: 86400 s; before 3 s"),
        ((("dead_man", "record"), None), "lease record of the IOC: none; before X:GATE:LEASE"),
        ((("maintenance", "+"), "*.setpoint"), "maintenance: *.setpoint"),
        ((("free", "+"), "sample.*"), "free: sample.*"),
        ((("release",), {"at_most_per_h": 9}), "release: 9 per hour; before none"),
        (
            (("quantities", "gas.h2", "readback"), "he.readback"),
            "quantity gas.h2: h2.setpoint and he.readback; before h2.setpoint and h2.readback",
        ),
        (
            (("quantities", "gas.total"), "gas.o2 + gas.h2 + gas.he + 0.1 mL/min"),
            "quantity gas.total: gas.o2 + gas.h2 + gas.he + 0.1 mL/min; before gas.o2 + gas.h2",
        ),
        ((("rules", 0, "mandatory"), None), "rule 'furnace in its range': changed"),
        ((("rules", 0), None), "rule 'furnace in its range': gone"),
    ],
    ids=lambda value: ".".join(map(str, value[0])) if isinstance(value, tuple) else "",
)
def test_whatever_else_differs_is_named(change, line):
    found = told(change)

    assert [said for said in found if said.startswith(line)], found


def test_signals_that_say_less_and_stages_in_another_order_are_named():
    noisy = envelope(((*FURNACE, "changes_every"), "10 min"))
    stages = DATA["safe"]

    assert list(wider(noisy, envelope())) == [
        "signal furnace.readback: no changes_every; before 600 s"
    ]
    assert told((("safe",), stages[::-1])) == [
        "safe stages: in another order, purge, stop what reacts; before stop what reacts, purge"
    ]


def test_a_name_that_a_pattern_had_before_is_no_wider_and_a_pattern_of_people_alone_may_be():
    limits = {"stage.offset": Limit(0.0, 1.0)}
    patterns = Envelope("e", limits, free=("camera.*",), maintenance=("*.offset",))

    assert list(
        wider(patterns, Envelope("e", {}, ("camera.acquire",), maintenance=("stage.offset",)))
    ) == ["stage.offset: no limit; before 0 to 1"]
    assert list(wider(patterns, Envelope("e", limits, ("camera.*",)))) == [
        "maintenance: no longer *.offset, which plans may write now"
    ]
    assert list(wider(patterns, Envelope("e", limits, ("camera.acquire",)))) == [
        "maintenance: no longer *.offset, which plans may write now"
    ]
    assert (
        list(wider(patterns, Envelope("e", limits, ("camera.acquire",), maintenance=("*.offset",))))
        == []
    )


def test_a_part_of_the_envelope_that_nothing_looks_at_counts_as_wider(monkeypatch):
    monkeypatch.setattr("controller.recorded.widening._LOOKED_AT", {"name"})
    old, new = envelope(), envelope((("dead_man", "lease"), "2 s"))

    assert list(wider(old, new)) == ["dead_man: changed"]


NUMBERS = st.floats(-10.0, 10.0, allow_nan=False)
BOUNDS = st.tuples(NUMBERS, NUMBERS).filter(lambda b: b[0] < b[1]).map(lambda b: Limit(*b, "K"))


@settings(max_examples=100)
@given(
    st.dictionaries(st.sampled_from("abc"), BOUNDS), st.dictionaries(st.sampled_from("abc"), BOUNDS)
)
def test_limits_are_wider_exactly_where_more_may_be_written(old, new):
    before, now = Envelope("e", old), Envelope("e", new)
    ends = {name: (limit.low, limit.high) for name, limit in new.items()}
    more = {
        name
        for name, values in ends.items()
        if any(before.reason_against(name, value) for value in values)
    }

    assert {line.split(":")[0] for line in wider(before, now)} == more
