"""Files and expressions that want to be run, or to reach where nobody meant: all are only read."""

import pickle
from pathlib import Path

import pytest

from controller.anchors import GATE_FILE
from controller.errors import ConfigurationError, ControllerError
from controller.files.reading import parse_yaml
from controller.journal import require_campaign
from controller.safety.envelope.file import EnvelopeFile
from controller.safety.hands.safe_file import read_safe_file

RUN = [
    "__import__('os').system('true') > 0",
    "().__class__.__bases__[0] > 0",
    "eval('1') > 0",
    "lambda: 0",
    "heater.setpoint.__class__ > 0",
    "heater.setpoint > 0; import os",
    "heater.setpoint > `id`",
    "heater.setpoint > ${HOME}",
    "[x for x in heater] > 0",
    "heater.setpoint := 3",
    "exec(open('/etc/passwd').read()) > 0",
    "{{7*7}} > 0",
]


@pytest.mark.parametrize("text", RUN, ids=range(len(RUN)))
def test_an_expression_of_a_rule_is_never_run(text):
    file = {
        "name": "n",
        "limits": {"heater.setpoint": "0..100 degC"},
        "signals": {"heater.setpoint": {"unit": "degC", "max_age": "5 s"}},
        "rules": [{"name": "r", "kind": "requires", "requires": text}],
    }

    with pytest.raises((ValueError, ControllerError)):
        EnvelopeFile.model_validate(file).envelope()


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system ['touch here']",
        "a: !!python/name:os.system",
        "a: !!python/object/new:os.system ['true']",
        "!!python/module:os",
        "a: !include /etc/passwd",
        "a: &x [*x, *x]",
        "a: {<<: {b: 1}}",
    ],
    ids=range(7),
)
def test_a_tag_of_yaml_makes_nothing(tmp_path, text, monkeypatch):
    monkeypatch.chdir(tmp_path)

    source = parse_yaml(text.encode(), "f.yaml")

    assert source.problems
    assert list(tmp_path.iterdir()) == []


class _Touches:
    def __reduce__(self):
        return (Path("was-here").touch, ())


@pytest.mark.parametrize("name", ["gate.safe", "gate.safe.json", "safe.json"])
def test_a_pickle_in_the_place_of_a_file_of_ours_is_not_loaded(tmp_path, name, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(pickle.dumps(_Touches()))

    read_safe_file(tmp_path)

    assert not (tmp_path / "was-here").exists()


@pytest.mark.parametrize("place", ["../../../etc", "/etc/passwd", "x/../../..", "\u202etxt"])
def test_a_path_to_elsewhere_is_no_campaign(tmp_path, place):
    with pytest.raises(ConfigurationError, match="give the directory of a campaign"):
        require_campaign(tmp_path / place)


def test_a_record_that_is_no_database_is_said_to_be_none(tmp_path, capsys):
    from controller.cli import main

    (tmp_path / GATE_FILE).write_bytes(pickle.dumps(_Touches()))

    assert main(["safety", "log", str(tmp_path)]) == 1
    assert "not readable as a journal" in capsys.readouterr().err
