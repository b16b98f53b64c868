"""What stands in an envelope file becomes what the gate enforces, or is told, all at once."""

import json
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.envelope_fuzz import one, valid_files, verdict
from controller.checks.envelope_reading import read_envelope
from controller.files.reading import parse_yaml, read_yaml
from controller.safety.envelope import specs
from controller.safety.envelope.envelope import Envelope, Limit
from controller.safety.envelope.file import EnvelopeFile
from controller.safety.envelope.file_values import amount, difference, parse_rate, per_second
from controller.safety.envelope.supposing import exactly
from controller.safety.envelope.together import never_together
from controller.safety.language.binding import bind
from controller.safety.language.values import Term, Truth

SAFETY = Path(__file__).parents[2] / "config" / "safety"
OVEN = """
name: oven
limits:
  oven.setpoint: 20..850 degC
  oven.ramp: 1..20 K/min
  h2.setpoint: 0..20 mL/min
  he.setpoint: 0..200 mL/min
  shutter.command: [Open, Closed]
  dispenser.volume: 1..50 uL
safe:
  - {stage: stop, write: {oven.setpoint: 40, h2.setpoint: 0, shutter.command: Closed}}
  - {stage: purge, within: 10 s, write: {he.setpoint: 100}}
hold: {shutter.command: Closed}
signals:
  oven.readback: {unit: degC, max_age: 4 s}
  h2.readback: {unit: mL/min, updates_every: 1 s, changes_every: 2 min}
  exhaust.flow: {unit: L/min}
  hutch.door: {words: [Open, Closed]}
  beam.ready: {}
  dose.counter: {unit: kGy}
quantities:
  share: hydrogen / (hydrogen + he.setpoint)
  hydrogen: {setpoint: h2.setpoint, readback: h2.readback}
  temperature: {setpoint: oven.setpoint, readback: oven.readback}
rules:
  - {kind: requires, name: exhaust, when: hydrogen > 0.1 mL/min,
     requires: exhaust.flow > 2000 mL/min}
  - {kind: permit, name: door, requires: hutch.door == Closed, reaction: hold}
  - {kind: permit, name: somebody, role: operator, for: 2 h}
  - kind: rate
    name: ramp
    of: oven.readback
    at_most: 30 K/min
    target: oven.setpoint
    ramp_rate: oven.ramp
    ramp_at_most: 0.25 K/s
  - {kind: arrival, name: arrives, setpoint: oven.setpoint, readback: oven.readback,
     tolerance: 2 K, within: 1 h, ramp: 5 K/min}
  - {kind: ownership, name: ours, signals: [oven.setpoint]}
  - {kind: sequence, name: purge, before: hydrogen > 1 mL/min, after: temperature > 300 degC,
     needs: he.setpoint > 50 mL/min, for: 2 min}
  - {kind: budget, name: gas, integral: hydrogen, at_most: 2 L}
  - {kind: budget, name: dose, increase: dose.counter, at_most: 20000 Gy, per: sample}
  - {kind: budget, name: drops, amounts: dispenser.volume, at_most: 1 mL, hold_at: 0.5}
  - {kind: budget, name: moves, writes: [shutter.command], at_most: 100, per: hour}
  - {kind: budget, name: days, wall_time: true, at_most: 2 d}
  - {kind: dwell, name: hot, when: temperature > 973.15 K, at_most: 2 h, in_all: true}
  - {kind: approval, name: very hot, when: temperature > 800 degC, role: safety officer, persons: 2}
  - {kind: approval, name: once, effect: irreversible, persons: 2}
release: {at_most_per_h: 4}
dead_man: {lease: 2 s, record: "{prefix}GATE:LEASE"}
"""


def data(**changes):
    found = yaml.safe_load(OVEN)
    for way, value in changes.items():
        inside, *steps, last = (found, *way.split("__"))
        for step in steps:
            inside = inside[int(step) if step.isdigit() else step]
        if steps and steps[-1] in ("limits", "signals", "hold", "write", "quantities"):
            last = last.replace("_", ".")
        inside[last] = value
    return found


def problems_of(content):
    text = content if isinstance(content, bytes) else yaml.safe_dump(content).encode()
    source = parse_yaml(text, "oven.yaml")
    file, problems = read_envelope(source)
    assert file is None or not problems
    return [(p.key, f"{p.message}; {p.accepted}") for p in (*source.problems, *problems)]


@pytest.fixture(scope="module")
def envelope():
    return EnvelopeFile.model_validate(yaml.safe_load(OVEN)).envelope("BL:")


def rule(envelope, name):
    return next(one for one in envelope.rules if one.name == name)


@pytest.mark.parametrize("path", sorted(SAFETY.rglob("*.yaml")), ids=lambda path: path.stem)
def test_the_envelopes_that_come_along_are_sound(path):
    file, problems = read_envelope(read_yaml(path))

    assert problems == []
    again = EnvelopeFile.model_validate(json.loads(json.dumps(file.model_dump(mode="json"))))
    assert again == file
    assert again.envelope().digest() == file.envelope().digest()


def test_every_part_of_a_file_stands_in_the_envelope(envelope):
    assert [stage.name for stage in envelope.stages] == ["stop", "purge"]
    assert [stage.within_s for stage in envelope.stages] == [1.0, 10.0]
    assert envelope.safe_values()["he.setpoint"] == 100.0
    assert envelope.hold == {"shutter.command": "Closed"}
    assert envelope.release.at_most_per_h == 4
    assert (envelope.dead_man.lease_s, envelope.dead_man.record) == (2.0, "BL:GATE:LEASE")
    assert len(envelope.rules) == 15


def test_signals_say_what_they_are_and_how_long_that_counts(envelope):
    signals = envelope.signals

    assert signals["oven.readback"].max_age_s == 4.0
    assert signals["h2.readback"].updates_every_s == 1.0
    assert signals["h2.readback"].changes_every_s == 120.0
    assert signals["oven.readback"].changes_every_s is None
    assert signals["hutch.door"].term == Term(words=("Open", "Closed"))
    assert signals["beam.ready"].term == Term()
    assert signals["h2.setpoint"].term == Term("mL/min")  # limited, and named by a quantity


def test_quantities_are_bound_in_whatever_order_they_stand(envelope):
    assert envelope.quantities["share"].expression.names == {"hydrogen", "he.setpoint"}
    assert envelope.quantities["temperature"].unit == "degC"


def test_amounts_of_a_rule_are_in_the_unit_of_its_signal(envelope):
    ramp, arrives = rule(envelope, "ramp"), rule(envelope, "arrives")

    assert ramp.per_s == pytest.approx(0.5)
    assert ramp.ramp_at_most == pytest.approx(15.0)
    assert (arrives.tolerance, arrives.within_s) == (2.0, 3600.0)
    assert arrives.per_s == pytest.approx(5 / 60)
    assert rule(envelope, "purge").for_s == 120.0
    assert rule(envelope, "dose").at_most == pytest.approx(20.0)
    assert rule(envelope, "drops").at_most == pytest.approx(1000.0)
    assert rule(envelope, "moves").at_most == 100.0
    assert rule(envelope, "days").at_most == 172800.0


def test_a_budget_over_time_is_counted_in_the_unit_of_its_file(envelope):
    gas = rule(envelope, "gas")

    assert (gas.at_most, gas.unit, gas.integral.unit) == (2.0, "L", "L/s")
    assert gas.integral.factor == pytest.approx(1 / 60_000)
    assert gas.integral.text == "hydrogen"


def test_rules_have_the_reaction_that_is_theirs(envelope):
    assert rule(envelope, "exhaust").reaction is specs.Reaction.TRIP
    assert rule(envelope, "door").reaction is specs.Reaction.HOLD
    assert rule(envelope, "very hot").reaction is specs.Reaction.REFUSE


def test_a_flat_map_of_safe_values_is_no_sequence():
    file = EnvelopeFile.model_validate({"name": "x", "limits": {"a.b": "0..5"}, "safe": {"a.b": 0}})

    assert file.envelope().stages == ()
    assert file.envelope().is_safe("a.b", 0)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("2 K", "degC", 2.0),
        ("3.6 degF", "degC", 2.0),
        ("2 degC", "degC", 2.0),
        ("50 um", "mm", 0.05),
        ("3 struts", "struts", 3.0),
    ],
)
def test_a_difference_is_no_temperature(text, unit, value):
    assert difference(text, unit) == pytest.approx(value)


def test_an_amount_is_converted_as_it_stands():
    assert amount("300 K", "degC") == pytest.approx(26.85)
    assert per_second("1.2 L/min/h", "mL/min") == pytest.approx(1200 / 3600)
    assert parse_rate("5 K/h") == (5.0, "K", 3600.0)


@pytest.mark.parametrize(
    ("changes", "key", "told"),
    [
        ({"limits__oven_setpoint": "850..20 degC"}, "limits.oven.setpoint", "low below high"),
        ({"limits__oven_setpoint": "20..20 degC"}, "limits.oven.setpoint", "low below high"),
        ({"limits__oven_setpoint": 5}, "limits.oven.setpoint", "is no limit"),
        ({"limits__oven_setpoint": "0..1e400 K"}, "limits.oven.setpoint", "finite numbers"),
        ({"limits__oven_setpoint": ["On", "On"]}, "limits.oven.setpoint", "each once"),
        ({"safe__0__write__oven_setpoint": 900}, "safe.0.write.oven.setpoint", "20 to 850 degC"),
        ({"safe__0__write__oven_setpoint": "Off"}, "safe.0.write.oven.setpoint", "a number is"),
        ({"safe__0__write__shutter_command": "Shut"}, "safe.0.write.shutter.command", "Open or"),
        ({"safe__1__write__h2_setpoint": 0}, "safe.1.write.h2.setpoint", "an earlier stage"),
        ({"safe__1__write__o2_setpoint": 0}, "safe.1.write.o2.setpoint", "has no limit"),
        ({"safe__1__stage": "stop"}, "safe.1.stage", "another stage"),
        ({"hold__oven_setpoint": float("nan")}, "hold.oven.setpoint", "a number is needed"),
        ({"hold__he_setpoint": 500}, "hold.he.setpoint", "0 to 200"),
        ({"signals__oven_setpoint": {"unit": "K"}}, "signals.oven.setpoint", "'degC'"),
        ({"signals__oven_readback": {"unit": "K"}}, "quantities.temperature.readback", "in 'K'"),
        ({"signals__oven_readback": {}}, "signals.oven.readback", "neither a unit nor words"),
        ({"limits__oven_setpoint": "20..850"}, "limits.oven.setpoint", "is in 'degC'"),
        (
            {"signals__hutch_door": {"unit": "1", "words": ["a", "b"]}},
            "signals.hutch.door",
            "not both",
        ),
        ({"signals__x_y": {"unit": "K", "max_age": "0 s"}}, "signals.x.y.max_age", "more than 0"),
        ({"signals__x_y": {"unit": "K", "max_age": 3}}, "signals.x.y.max_age", "write it with one"),
        ({"rules__4__tolerance": 2}, "rules.4.tolerance", "2 has no unit; write it with one: 2 K"),
        ({"rules__3__at_most": 30.0}, "rules.3.at_most", "30.0 has no unit"),
        (
            {"signals__x_y": {"words": ["a", "b"], "changes_every": "9 s"}},
            "signals.x.y",
            "give its `unit` too",
        ),
        ({"dead_man__lease": 3}, "dead_man.lease", "3 s, 10 min"),
        ({"signals__x_y": {"unit": "K", "age": "1 s"}}, "signals.x.y.age", "max_age"),
        ({"quantities__share": "nothing.here + 1"}, "quantities.share", "nothing.here"),
        ({"quantities__share": "share + 1"}, "quantities.share", "share"),
        ({"quantities__hydrogen": "share * 1 mL/min"}, "quantities.share", "hydrogen"),
        ({"quantities__oven_ramp": "1"}, "quantities.oven.ramp", "the name of a signal"),
        ({"quantities__share": "hydrogen > 3 mL/min"}, "quantities.share", "true or false"),
        (
            {"rules__0__requires": "exhaust.flow > 2 K"},
            "rules.0.requires",
            "exhaust.flow in 'L/min'",
        ),
        ({"rules__0__requires": "exhaust.flow"}, "rules.0.requires", "compare it"),
        ({"rules__0__requires": "exaust.flow > 2 L/min"}, "rules.0.requires", "exhaust.flow"),
        ({"rules__0__requires": "exhaust.flow >"}, "rules.0.requires", "exhaust.flow >"),
        ({"rules__0__name": "door"}, "rules.1.name", "another rule"),
        ({"rules__0__kind": "interlock"}, "rules.0.kind", "'requires'"),
        ({"rules__0__recation": "trip"}, "rules.0.recation", "reaction"),
        ({"rules__0__reaction": "stop"}, "rules.0.reaction", "'trip'"),
        ({"rules__1__role": "operator"}, "rules.1", "either"),
        ({"rules__2__for": "soon"}, "rules.2.for", "no duration"),
        ({"rules__3__at_most": "30 degC"}, "rules.3.at_most", "no rate"),
        ({"rules__3__at_most": "30 mm/min"}, "rules.3.at_most", "no change of something in degC"),
        ({"rules__3__at_most": "10 K/min"}, "rules.3.ramp_at_most", "which '10 K/min' trips"),
        ({"rules__3__ramp_at_most": "0.5 K/min"}, "rules.3.ramp_at_most", "as low"),
        ({"rules__4__tolerance": "0 K"}, "rules.4.tolerance", "more than 0"),
        ({"rules__4__readback": "h2.readback"}, "rules.4.readback", "in 'mL/min', its"),
        ({"rules__5__signals": ["oven.readback"]}, "rules.5.signals.0", "can't be written"),
        ({"rules__6__before": "hydrogen > 900 mL/min"}, "rules.6.before", "never be so"),
        ({"rules__7__at_most": "2 kg"}, "rules.7.at_most", "over time is in mL/min*s"),
        ({"rules__7__writes": ["h2.setpoint"]}, "rules.7", "give one of"),
        ({"rules__8__increase": "hutch.door"}, "rules.8.increase", "isn't a number"),
        ({"rules__9__amounts": "exhaust.flow"}, "rules.9.amounts", "can't be written"),
        ({"rules__10__at_most": "100 K"}, "rules.10.at_most", "a number alone"),
        ({"rules__12__when": "temperature > 20 K"}, "rules.12.when", "always so"),
        ({"rules__13__persons": 0}, "rules.13.persons", "greater than or equal to 1"),
        ({"rules__13__role": "boss"}, "rules.13.role", "safety officer"),
        ({"rules__14__effect": "explosive"}, "rules.14.effect", "irreversible"),
        ({"free": ["oven.*"]}, "free.0", "can't be free as well"),
        ({"free": ["spectrometer.*"], "maintenance": ["spectrometer.*"]}, "maintenance.0", "free"),
        ({"free": ["oven.offset"], "maintenance": ["*.offset"]}, "maintenance.0", "free"),
        ({"release__at_most_per_h": 0}, "release.at_most_per_h", "greater than or equal to 1"),
        ({"dead_man__record": "no spaces here"}, "dead_man.record", "pattern"),
        ({"limit": {}}, "limit", "mean 'limits'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_told_where_it_stands_with_what_is_accepted(changes, key, told):
    found = problems_of(data(**changes))

    assert any(where == key and told in text for where, text in found), found


@pytest.mark.parametrize(
    ("rule", "told"),
    [
        ("exhaust.flow > 2 L/min and hydrogen > 1 mL/min", "the safe state breaks|safe stage"),
        ("he.setpoint < 50 mL/min", "safe stage 'purge' breaks it"),
        ("shutter.command == Open", "safe stage 'stop' breaks it"),
        ("temperature > 100 degC", "safe stage"),
        ("oven.setpoint > 900 degC", "never be kept"),
    ],
)
def test_a_safe_state_that_breaks_a_rule_is_told(rule, told):
    content = data()
    content["rules"] = [{"kind": "requires", "name": "r", "requires": rule}]

    found = problems_of(content)

    assert [key for key, _ in found] == ["rules.0.requires"]
    assert any(part in found[0][1] for part in told.split("|"))


@pytest.mark.parametrize(
    ("hold", "rule", "key"),
    [
        ({"he.setpoint": 150}, "he.setpoint <= 120 mL/min", "hold.he.setpoint"),
        ({"he.setpoint": 150}, "he.setpoint + h2.setpoint <= 120 mL/min", "hold.he.setpoint"),
        ({"h2.setpoint": 5}, "h2.readback < 1 mL/min", "hold.h2.setpoint"),
        (
            {"he.setpoint": 50, "h2.setpoint": 5},
            "h2.setpoint <= 0.05 * he.setpoint",
            "hold",
        ),
    ],
)
def test_a_hold_value_that_surely_breaks_a_rule_is_told(hold, rule, key):
    content = data()
    content["hold"] = {"shutter.command": "Closed", **hold}
    content["rules"] = [
        {"kind": "requires", "name": "r", "requires": rule},
        {
            "kind": "follows",
            "name": "h2 follows",
            "setpoint": "h2.setpoint",
            "readback": "h2.readback",
            "tolerance": "1 mL/min",
        },
    ]

    (found,) = problems_of(content)

    assert found[0] == key
    assert "breaks rule 'r'" in found[1]


def test_a_hold_value_that_may_keep_the_rules_or_is_safe_passes():
    content = data()
    content["hold"] = {"shutter.command": "Closed", "he.setpoint": 150, "oven.setpoint": 40}
    content["rules"] = [
        {"kind": "requires", "name": "r", "requires": "he.setpoint + h2.setpoint <= 160 mL/min"},
        {
            "kind": "requires",
            "name": "beam",
            "when": "he.setpoint < 120 mL/min",
            "requires": "he.setpoint < 110 mL/min",
        },
    ]

    assert problems_of(content) == []


def requires(name, statement, **more):
    return {"kind": "requires", "name": name, "requires": statement, **more}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("exhaust.flow > 2 L/min", "exhaust.flow < 1 L/min"),
        ("exhaust.flow >= 2 L/min", "exhaust.flow < 2000 mL/min"),
        ("hutch.door == Closed", "hutch.door == Open or not hutch.door == Closed"),
        ("exhaust.flow - h2.readback > 2 L/min", "h2.readback >= 0 and exhaust.flow < 1 L/min"),
        ("exhaust.flow > 9 L/min or beam.ready", "exhaust.flow < 8 L/min and not beam.ready"),
    ],
)
def test_rules_that_can_never_be_kept_together_are_told_at_the_later_one(first, second):
    content = data()
    content["rules"] = [
        requires("one", first),
        requires("door", "hutch.door == Closed or exhaust.flow < 900 L/min"),
        {"kind": "permit", "name": "other", "requires": second},
    ]

    assert problems_of(content) == [
        (
            "rules.2.requires",
            "can never be kept together with rule 'one'; rules that can be kept at once",
        )
    ]


def test_a_rule_that_contradicts_itself_is_told_whatever_its_signal_may_say():
    content = data()
    content["rules"] = [requires("r", "exhaust.flow > 2 L/min and exhaust.flow < 1 L/min")]

    assert [(key, text[:40]) for key, text in problems_of(content)] == [
        ("rules.0.requires", "'exhaust.flow > 2 L/min and exhaust.flow"),
    ]


@pytest.mark.parametrize(
    "clears_when",
    [
        "oven.setpoint > 900 degC",  # beyond its limits
        "exhaust.flow > 3 L/min and exhaust.flow < 2 L/min",
        "exhaust.flow < 1.9 L/min",  # which breaks the rule itself
    ],
)
def test_what_a_rule_needs_to_clear_and_can_never_be_is_told(clears_when):
    content = data()
    content["rules"] = [requires("r", "exhaust.flow > 2 L/min", clears_when=clears_when)]

    ((key, text),) = problems_of(content)
    assert key == "rules.0.clears_when"
    assert "can never be so while 'exhaust.flow > 2 L/min' is: once broken it never clears" in text


def test_a_rule_about_a_readback_that_overshoots_what_may_be_written_is_no_mistake():
    content = data()
    content["rules"] = [requires("r", "oven.readback < 0 degC", when="oven.readback > 2000 degC")]

    assert problems_of(content) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("exhaust.flow >= 2 L/min", "exhaust.flow <= 2000 mL/min"),  # at one point alone
        ("exhaust.flow > 2 L/min", "exhaust.flow < 2.0000000001 L/min"),
        ("exhaust.flow == h2.readback", "exhaust.flow > 3 L/min"),
        ("exhaust.flow > 2 L/min", "h2.readback < 1 mL/min"),
    ],
)
def test_rules_that_can_just_be_kept_together_pass(first, second):
    content = data()
    content["rules"] = [requires("one", first), requires("two", second)]
    assert problems_of(content) == []

    content["rules"] = [requires("one", first, clears_when=second)]
    assert problems_of(content) == []


def test_rules_of_different_conditions_exclude_nothing():
    content = data()
    content["rules"] = [
        requires("one", "exhaust.flow > 2 L/min", when="hydrogen > 1 mL/min"),
        requires("two", "exhaust.flow < 1 L/min", when="hydrogen < 0.5 mL/min"),
    ]

    assert problems_of(content) == []


COMPARISONS = st.builds(
    "{} {} {}".format,
    st.sampled_from(["x", "y", "x + y", "x - y", "x * y"]),
    st.sampled_from(["<", "<=", ">", ">=", "=="]),
    st.integers(-3, 3),
)


@given(st.lists(COMPARISONS, min_size=1, max_size=4), st.booleans())
def test_nothing_that_some_point_keeps_is_ever_called_impossible(parts, joined):
    terms = {"x": Term(""), "y": Term("")}
    statements = [bind(part, terms) for part in parts]
    if joined:
        statements = [bind(" and ".join(parts), terms)]
    envelope = Envelope("e", {name: Limit(-3.0, 3.0) for name in terms})

    never = never_together([s.truth for s in statements], ["x", "y"], envelope)

    grid = [step / 2 for step in range(-6, 7)]
    points = [{"x": exactly(x), "y": exactly(y)} for x in grid for y in grid]
    kept = any(all(s.truth(point.get) is Truth.TRUE for s in statements) for point in points)
    assert not (never and kept)
    if len(parts) == 1 and parts[0][:2] in ("x ", "y "):
        assert never is not kept


def test_a_stage_on_the_way_that_breaks_a_rule_is_told():
    content = data()
    content["safe"] = [
        {"stage": "first", "write": {"he.setpoint": 0}},
        {"stage": "then", "write": {"shutter.command": "Closed"}},
    ]
    content["rules"] = [{"kind": "requires", "name": "r", "requires": "he.setpoint > 5 mL/min"}]

    assert "safe stage 'first' breaks it" in problems_of(content)[0][1]


def test_all_that_is_wrong_is_told_at_once():
    content = data(
        limits__h2_setpoint="20..0 mL/min",
        rules__0__requires="exhaust.flow > 2 K",
        rules__4__tolerance="2 mm",
        rules__1__kind="permission",
        hold__oven_setpoint=1000,
        nonsense=1,
    )

    keys = {key for key, _ in problems_of(content)}

    assert keys == {
        "limits.h2.setpoint",
        "rules.0.requires",
        "rules.4.tolerance",
        "rules.1.kind",
        "hold.oven.setpoint",
        "nonsense",
    }


def test_what_names_something_refused_is_not_told_again():
    found = problems_of(data(signals__exhaust_flow={"unit": "L/min", "words": ["a", "b"]}))

    assert [key for key, _ in found] == ["signals.exhaust.flow"]


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"limits__oven_setpoint": "20..850"}, "limits.oven.setpoint"),
        ({"signals__oven_readback": {"unit": "1"}}, "signals.oven.readback"),
        ({"signals__oven_readback": {}}, "signals.oven.readback"),
        ({"quantities__hydrogen": "h3.setpoint + 1"}, "quantities.hydrogen"),
        ({"quantities__temperature": {"setpoint": "o", "readback": "oven.readback"}}, "quantities"),
    ],
    ids=str,
)
def test_what_only_follows_from_a_declaration_is_not_told(changes, key):
    found = problems_of(data(**changes))

    assert {where for where, _ in found if not where.startswith(key)} == set(), found
    assert len(found) == 1, found


def test_the_same_key_twice_and_a_bomb_of_aliases_are_refused():
    twice = OVEN.replace("hold: {", "name: again\nhold: {").encode()
    bomb = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
        b"%c: &%c [%s]\n" % (c, c, b", ".join([b"*%c" % (c - 1)] * 9)) for c in range(98, 108)
    )

    begun = time.monotonic()
    assert problems_of(twice)
    assert problems_of(bomb)
    assert time.monotonic() - begun < 60.0  # it would take for ever


def test_the_digest_is_of_everything_that_is_asked_for():
    before = EnvelopeFile.model_validate(data()).envelope().digest()

    for change in (
        {"rules__0__requires": "exhaust.flow > 3 L/min"},
        {"rules__12__at_most": "3 h"},
        {"rules__7__at_most": "3 L"},
        {"safe__1__within": "20 s"},
        {"hold__he_setpoint": 50},
        {"signals__oven_readback": {"unit": "degC", "max_age": "9 s"}},
        {"release": {"at_most_per_h": 5}},
        {"maintenance": ["oven.offset"]},
    ):
        changed = EnvelopeFile.model_validate(data(**change))
        assert changed.envelope().digest() != before, change
    same = {**data(), "name": "another", "description": "words", "sources": {"a": "b"}}
    assert EnvelopeFile.model_validate(same).envelope().digest() == before


FILES = valid_files()


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_files_that_were_spoilt_are_refused_with_a_word_or_sound(number):
    _, wrong = one(number, 99, FILES)

    assert wrong == ""


JUNK = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text(max_size=6) | st.sampled_from(["kind", "name"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(sorted(yaml.safe_load(OVEN))), JUNK)
def test_junk_in_the_place_of_any_part_is_told(key, junk):
    file, problems = verdict(yaml.safe_dump({**data(), key: junk}, allow_unicode=True).encode())

    assert file is not None or problems
    assert all(problem.message for problem in problems)


ARRIVES = {
    "kind": "arrival",
    "name": "arrives",
    "setpoint": "oven.setpoint",
    "readback": "oven.readback",
    "tolerance": "2 K",
    "within": "60 s",
}


@pytest.mark.parametrize("begins", ["2 h", "60 s", "1 min"])
def test_what_must_begin_only_after_the_deadline_is_told(begins):
    problems = problems_of(data(rules=[{**ARRIVES, "begins_within": begins}]))

    told = f"'{begins}' isn't over before the deadline `within`; less than 60 s"
    assert problems == [("rules.0.begins_within", told)]


def test_what_must_begin_before_the_deadline_is_sound():
    assert problems_of(data(rules=[{**ARRIVES, "begins_within": "59 s"}])) == []


@pytest.mark.parametrize("kind", ["arrival", "follows"])
def test_a_setpoint_that_is_its_own_readback_is_told(kind):
    rule = {**ARRIVES, "kind": kind, "readback": "oven.setpoint"}
    if kind == "follows":
        del rule["within"]

    told = "oven.setpoint is the setpoint itself: it would be there whatever happens"
    assert problems_of(data(rules=[rule])) == [
        ("rules.0.readback", f"{told}; a signal that is measured")
    ]


@pytest.mark.parametrize(
    ("lowest", "told"),
    [
        ("30 degC", ""),
        ("-20 degC", ""),
        ("303.15 K", ""),
        ("900 degC", "'900 degC' is no lower than all that may be written: all has arrived; less"),
        ("30 mL", "'30 mL'"),
    ],
)
def test_how_low_it_goes_by_itself_is_a_temperature_below_the_highest_setpoint(lowest, told):
    problems = problems_of(data(rules=[{**ARRIVES, "lowest": lowest}]))

    assert [key for key, _ in problems] == (["rules.0.lowest"] if told else [])
    assert all(text.startswith(told) or told in text for _, text in problems)
