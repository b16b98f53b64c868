import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from controller.errors import Problem
from controller.files.beamline import Beamline, recorded_beamline
from controller.files.campaign import Campaign
from controller.files.reading import parse_yaml, read_yaml
from controller.files.validation import validated
from controller.resolving import ResolvedCampaign, recorded_campaign
from controller.safety.envelope.file import EnvelopeFile
from controller.schemas import schema

CONFIG = Path(__file__).parents[2] / "config"
SMALLEST = {"name": "x", "beamline": "b.yaml", "budget": {"experiments": 1}}

TEXT = st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)
FLOATS = st.floats(-1e6, 1e6, allow_nan=False)
BOUNDS = st.tuples(FLOATS, FLOATS).filter(lambda b: b[0] < b[1])
RANGES = st.one_of(
    st.builds(
        lambda b, u: {"type": "continuous", "low": b[0], "high": b[1], "unit": u}, BOUNDS, TEXT
    ),
    st.builds(
        lambda low, more: {"type": "integer", "low": low, "high": low + more},
        st.integers(-99, 99),
        st.integers(1, 99),
    ),
    st.builds(
        lambda v: {"type": "discrete", "values": v},
        st.lists(FLOATS, min_size=1, max_size=5, unique=True),
    ),
    st.builds(
        lambda o: {"type": "categorical", "options": o},
        st.lists(TEXT, min_size=1, max_size=5, unique=True),
    ),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**15), 10**15) | FLOATS | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OPTIONS = st.dictionaries(TEXT, JSON, max_size=3)
TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
CAMPAIGNS = st.fixed_dictionaries(
    {
        "name": TEXT,
        "beamline": TEXT,
        "budget": st.builds(
            lambda n: {"experiments": n, "duration": f"{n} h"}, st.integers(1, 999)
        ),
    },
    optional={
        "description": TEXT,
        "metadata": st.dictionaries(TEXT, JSON, max_size=3),
        "space": st.dictionaries(TEXT, RANGES, min_size=1, max_size=4),
        "constraints": st.lists(
            st.just({"expression": "a + 2 * b <= 3", "tolerance": 0.1}), max_size=2
        ),
        "forbidden": st.just([{"when": ["a > 1", "b > 2"], "reason": "r"}]),
        "objectives": st.just([{"name": "y", "goal": "target", "target": 2.5}]),
        "goal": st.just({"objective": "y", "at_least": 1}),
        "agent": st.builds(
            lambda n, o: {"name": n, "options": o}, TEXT, st.dictionaries(TEXT, JSON)
        ),
        "plan": st.builds(
            lambda n, a: {"name": n, "arguments": a}, TEXT, st.dictionaries(TEXT, JSON)
        ),
        "finally": st.builds(lambda n: {"name": n}, TEXT),
        "until": TIMES.map(lambda t: t.isoformat()),
        "autonomy": st.sampled_from(["advise", "approve_each", "autonomous"]),
        "seed": st.integers(0, 2**32 - 1),
    },
)


class Quoting(yaml.SafeDumper):
    """Puts all text in quotes: without them 0E0 is a number to some readers and none to others."""


Quoting.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


@settings(max_examples=80, deadline=None)
@given(CAMPAIGNS)
def test_a_campaign_written_as_yaml_is_read_as_it_was(data):
    content = yaml.dump(data, Dumper=Quoting, allow_unicode=True).encode()

    campaign, problems = validated(Campaign, parse_yaml(content, "f.yaml"))

    assert problems == []
    assert campaign == Campaign.model_validate(data)


@settings(max_examples=80, deadline=None)
@given(CAMPAIGNS)
def test_a_campaign_is_rebuilt_from_its_json(data):
    campaign = Campaign.model_validate(data)

    dumped = json.loads(json.dumps(campaign.model_dump(mode="json")))

    assert Campaign.model_validate(dumped) == campaign
    assert Campaign.model_validate(dumped).model_dump(mode="json") == dumped


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_values_or_problems(content):
    _one_or_the_other(content)


PIECES = """
name: |beamline: b\n|space:\n|  x: |{|}|[|]|- |&a |*a|!!|!t |, |\n|  |? |: |'|"|>\n|1|1e999
.nan|<<: |null|2026-01-01|type: continuous|budget: {experiments: 1}\n|%|\\ud800|#|\t"""
YAML = st.lists(st.sampled_from(PIECES.strip().split("|")), max_size=25).map("".join)


@settings(max_examples=300, deadline=None)
@given(YAML)
def test_any_yaml_is_values_or_problems(text):
    _one_or_the_other(text.encode())


def _one_or_the_other(content):
    for model in (Campaign, Beamline, EnvelopeFile):
        source = parse_yaml(content, "f.yaml")
        found, problems = validated(model, source)
        problems = [*source.problems, *problems]

        assert found is not None or problems
        assert all(isinstance(problem, Problem) and problem.message for problem in problems)
        json.dumps(source.data, allow_nan=False).encode()


@pytest.mark.parametrize("path", sorted(CONFIG.glob("campaigns/**/*.yaml")), ids=lambda p: p.stem)
def test_the_campaigns_that_come_along_are_campaigns(path):
    campaign, problems = validated(Campaign, read_yaml(path))

    assert problems == []
    assert (path.parent / campaign.beamline).is_file()


def test_values_are_those_of_yaml_1_2_and_none_is_guessed():
    source = parse_yaml(
        b"a: no\nb: 1e-3\nc: 12:30\nd: 2026-01-01\ne: 'true'\nf: true\ng: 010\nh:", "f"
    )

    assert source.data == {
        "a": "no",
        "b": 0.001,
        "c": "12:30",
        "d": "2026-01-01",
        "e": "true",
        "f": True,
        "g": 10,
        "h": None,
    }


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        (b"a: 1\nb: 2\na: 3", 3, "for the second time"),
        (b"a: &x [1, *x]", 1, "without end"),
        (b"a: !!python/name:os.system", 1, "tag"),
        (b"a: 1e999", 1, "too large"),
        (b"a: [1, 2", 1, "isn't YAML"),
        (b"x: 1\n\t- a", 2, "isn't YAML"),
        (b"", 1, "is empty"),
        (b"a: 1\nb: \xff", 2, "UTF-8"),
        (b"base: &b {x: 1}\nc:\n  <<: *b", 3, "merge keys"),
        (b'a: "\\ud800"', 1, "surrogate"),
        (b"? [1]\n: 2", 1, "a key must be a name"),
    ],
)
def test_what_can_not_be_read_is_told_with_its_line(content, line, message):
    source = parse_yaml(content, "f.yaml")

    assert any(p.line == line and message in p.message for p in source.problems)


def test_endless_nesting_and_size_are_refused():
    assert parse_yaml(b"[" * 5_000, "f").problems
    assert parse_yaml(b"{a: " * 200 + b"1" + b"}" * 200, "f").problems
    assert "larger than" in parse_yaml(b"#" * 2_000_000, "f").problems[0].message


def test_repeated_aliases_do_not_multiply_without_end():
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 12)]

    source = parse_yaml("\n".join(lines).encode(), "f")

    assert "without end" in source.problems[0].message


@pytest.mark.parametrize(
    "text", ["2026-07-01T08:00+02:00", "2026-07-01T06:00:00Z", "2026-07-01 08:00 Europe/Berlin"]
)
def test_until_is_a_time_with_its_zone(text):
    campaign = Campaign.model_validate({**SMALLEST, "until": text})

    assert campaign.until == datetime(2026, 7, 1, 6, tzinfo=UTC)
    assert campaign.until.utcoffset() in (timedelta(0), timedelta(hours=2))


@pytest.mark.parametrize(
    "text", ["2026-07-01T08:00", "08:00", "1780000000", 1780000000, True, "2026-07-01 08:00 Mars/X"]
)
def test_until_without_a_zone_is_refused(text):
    with pytest.raises(ValidationError):
        Campaign.model_validate({**SMALLEST, "until": text})


@pytest.mark.parametrize(
    "change",
    [
        {"budget": {}},
        {"budget": {"experiments": 0}},
        {"budget": {"experiments": 2.5}},
        {"budget": {"duration": "2 parsec"}},
        {"goal": {"objective": "y"}},
        {"goal": {"objective": "y", "at_least": 1, "at_most": 2}},
        {"objectives": [{"name": "y", "goal": "target"}]},
        {"objectives": [{"name": "y", "goal": "maximize", "target": 1}]},
        {"objectives": [{"name": "y", "goal": "maximize"}] * 2},
        {"space": {}},
        {"space": {"x": {"type": "continuous", "low": 2, "high": 1}}},
        {"space": {"x": {"type": "continuous", "low": 1, "high": 1}}},
        {"space": {"x": {"type": "continuous", "low": 0, "high": 1, "log": True}}},
        {"space": {"x": {"type": "continuous", "low": "0", "high": 1}}},
        {"space": {"x": {"type": "continuous", "low": False, "high": 1}}},
        {"space": {"x": {"type": "continuous", "low": float("nan"), "high": 1}}},
        {"space": {"x": {"type": "discrete", "values": [1, 1]}}},
        {"space": {"x": {"type": "categorical", "options": ["a", "a"]}}},
        {"constraints": [{"expression": "a * b <= 1"}]},
        {"constraints": [{"expression": "a <= 1", "tolerance": -1}]},
        {"forbidden": [{"when": [], "reason": "r"}]},
        {"seed": -1},
        {"finaly": {"name": "x"}},
    ],
    ids=str,
)
def test_values_that_make_no_sense_by_themselves_are_refused(change):
    with pytest.raises(ValidationError):
        Campaign.model_validate({**SMALLEST, **change})


def test_a_live_beamline_has_no_metadata_defaults():
    data = {
        "name": "x",
        "station": "xas",
        "prefix": "X:",
        "metadata": {"defaults": {"sample": "a"}},
    }

    with pytest.raises(ValidationError, match="a live beamline has no metadata defaults"):
        Beamline.model_validate(data)
    assert Beamline.model_validate({**data, "twin": {"name": "copper"}}).metadata.defaults


@pytest.mark.parametrize(
    "change",
    [
        {"station": "recorded_table"},
        {"twin": {"name": "recorded", "table": "t"}},
        {"twin": {"name": "recorded"}},
        {"twin": {"name": "copper", "table": "t"}},
        {"prefix": ""},
    ],
    ids=str,
)
def test_a_beamline_that_contradicts_itself_is_refused(change):
    with pytest.raises(ValidationError):
        Beamline.model_validate({"name": "x", "station": "xas", "prefix": "X:", **change})


@pytest.mark.parametrize("blank", [None, "", "  ", [], {}])
def test_metadata_that_says_nothing_is_missing(blank):
    rules = recorded_beamline("/t", "t").metadata.model_copy(update={"defaults": {}})

    assert rules.missing({"proposal": "p", "sample": blank, "persons": ["a"]}) == ("sample",)


def test_a_recorded_campaign_needs_no_file_and_survives_the_journal(tmp_path):
    resolved = recorded_campaign(tmp_path, agent="sobol", seed=3, experiments=7)

    dumped = json.loads(json.dumps(resolved.model_dump(mode="json")))

    assert ResolvedCampaign.model_validate(dumped) == resolved
    assert resolved.beamline.table == str(tmp_path.resolve())
    assert resolved.campaign.budget.experiments == 7
    assert resolved.beamline.metadata.missing(resolved.campaign.metadata) == ()
    assert set(resolved.metadata) == {"proposal", "sample", "persons"}


@pytest.mark.parametrize("kind", ["campaign", "beamline", "safety"])
def test_every_key_of_a_file_is_explained_in_its_schema(kind):
    found = schema(kind)
    models = [found, *found.get("$defs", {}).values()]
    keys = [(m["title"], k, v) for m in models for k, v in m.get("properties", {}).items()]

    assert found["additionalProperties"] is False
    silent = [(t, k) for t, k, v in keys if "description" not in v and k != "type"]
    assert silent == []
