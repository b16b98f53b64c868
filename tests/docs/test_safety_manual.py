"""The manual page of the envelope: every example in it is one, and together they are a file."""

import re

import yaml

from controller.checks.envelope_reading import read_envelope
from controller.files.reading import parse_yaml
from controller.safety.envelope.form import EnvelopeForm
from controller.safety.envelope.rules_file import RulePart
from tests.support.campaigns import ROOT

PAGE = ROOT / "docs" / "how-to" / "safety-envelope.md"


def examples():
    return re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)


def whole():
    """Return the page's examples as one file: its rules come to those that stand in it."""
    found = {}
    for text in examples():
        data = yaml.safe_load(text)
        if isinstance(data, list):
            found["rules"] = [*found["rules"], *data]
        else:
            assert not found.keys() & data.keys()
            found |= data
    return found


def test_the_examples_of_the_manual_are_together_a_sound_envelope():
    file, problems = read_envelope(parse_yaml(yaml.safe_dump(whole()).encode(), "manual.yaml"))

    assert [str(problem) for problem in problems] == []
    assert len(file.envelope().rules) == len(whole()["rules"])


def test_the_manual_has_an_example_of_every_kind_of_rule_and_of_every_key():
    text = PAGE.read_text(encoding="utf-8")
    kinds = {rule["kind"] for rule in whole()["rules"]}
    parts = RulePart.__subclasses__()
    models = [model for part in parts for model in (part, *part.__subclasses__())]
    fields = [m.model_fields["kind"] for m in models if "kind" in m.model_fields]
    known = {field.annotation.__args__[0] for field in fields}

    assert kinds == known
    assert EnvelopeForm.model_fields.keys() - {"description", "sources"} <= whole().keys()
    assert all(f"**{kind}**" in text for kind in kinds)
