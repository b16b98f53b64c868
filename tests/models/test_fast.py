"""Through ONNX Runtime the same is answered; without it, torch goes on."""

import pytest
import torch

from models import fast
from models.phases.network import Ensemble


@pytest.fixture
def network():
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Ensemble(200, 3, 2, 16).eval()


EXAMPLE = (torch.linspace(-1, 1, 800).reshape(2, 2, 200),)


def test_without_onnx_runtime_the_network_itself_is_used(network, tmp_path, monkeypatch):
    monkeypatch.setattr(fast, "missing", lambda: ("onnxruntime",))

    assert fast.faster(network, EXAMPLE, (0,), tmp_path) is network
    assert not list(tmp_path.iterdir())


def test_what_cannot_be_exported_goes_on_through_torch(network, tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise RuntimeError("no such operator")

    monkeypatch.setattr(fast, "missing", tuple)
    monkeypatch.setattr(fast, "_export", refuse)

    assert fast.faster(network, EXAMPLE, (0,), tmp_path) is network
    assert "no such operator" in caplog.text


@pytest.mark.skipif(bool(fast.missing()), reason="heliostat[fast] isn't installed")
@pytest.mark.filterwarnings("ignore")
def test_onnx_runtime_answers_as_torch_for_any_number_of_items(network, tmp_path):
    quick = fast.faster(network, EXAMPLE, (0,), tmp_path)

    assert isinstance(quick, fast.FastNetwork)
    for count in (1, 7):
        x = torch.sin(torch.arange(count * 400.0)).reshape(count, 2, 200)
        with torch.no_grad():
            for one, other in zip(quick(x), network(x), strict=True):
                torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)


@pytest.mark.skipif(bool(fast.missing()), reason="heliostat[fast] isn't installed")
@pytest.mark.filterwarnings("ignore")
def test_a_spoilt_export_is_not_used_and_made_again(network, tmp_path):
    fast.faster(network, EXAMPLE, (0,), tmp_path)
    (export,) = tmp_path.glob("*.onnx")
    export.write_bytes(b"nothing")

    assert fast.faster(network, EXAMPLE, (0,), tmp_path) is network
    assert isinstance(fast.faster(network, EXAMPLE, (0,), tmp_path), fast.FastNetwork)
