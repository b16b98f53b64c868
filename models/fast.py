"""Inference through ONNX Runtime, where it is installed (``pip install heliostat[fast]``).

A network is exported once for its weights and kept in the user's cache; asked for one item at a
time it then answers several times quicker than through torch. Where ONNX Runtime isn't installed,
or the network can't be exported, the network itself goes on to be used.
"""

import contextlib
import hashlib
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

NEEDED = ("onnxruntime", "onnx", "onnxscript")
FORMAT = "1"
"""Raised whenever the same weights would be exported to something else."""

LARGEST_DIFFERENCE = 1e-4
"""An export that answers the example otherwise than the network is not used."""

Outputs = tuple[torch.Tensor, ...]


class FastNetwork:
    """A network as ONNX Runtime runs it, in one thread; called as the network is."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        providers = ["CPUExecutionProvider"]
        self._session = onnxruntime.InferenceSession(str(path), options, providers=providers)
        self._names = [entry.name for entry in self._session.get_inputs()]

    def __call__(self, *inputs: torch.Tensor) -> Outputs:
        """Return what the network returns for *inputs*."""
        arrays = [np.ascontiguousarray(tensor.detach().numpy()) for tensor in inputs]
        found = self._session.run(None, dict(zip(self._names, arrays, strict=True)))
        return tuple(torch.from_numpy(array) for array in found)


def missing() -> tuple[str, ...]:
    """Return which of the packages that it takes aren't installed."""
    from importlib.util import find_spec

    return tuple(name for name in NEEDED if find_spec(name) is None)


def faster(
    network: torch.nn.Module,
    example: Sequence[torch.Tensor],
    batch: Sequence[int],
    cache: Path,
) -> "Callable[..., Outputs]":
    """Return what answers as *network* does, quicker where that can be had; else *network*.

    *example* are inputs of two items or more, *batch* the dimension of each along which items
    lie. Exports are kept in *cache*.
    """
    if missing():
        return network
    path = cache / f"{_key(network, example)}.onnx"
    try:
        if not path.is_file():
            _export(network, example, batch, path)
        fast = FastNetwork(path)
        return fast if _alike(fast, network, example) else network
    except Exception as error:  # an exporter may fail in any way
        path.unlink(missing_ok=True)
        logging.getLogger(__name__).warning("no ONNX of the network, torch is used: %s", error)
        return network


def _key(network: torch.nn.Module, example: Sequence[torch.Tensor]) -> str:
    digest = hashlib.sha256(f"{FORMAT} {torch.__version__} {network}".encode())
    for name, value in network.state_dict().items():
        digest.update(f"{name} {tuple(value.shape)}\0".encode())
        digest.update(value.contiguous().numpy().tobytes())
    digest.update(repr([tuple(tensor.shape) for tensor in example]).encode())
    return digest.hexdigest()[:40]


def _export(
    network: torch.nn.Module, example: Sequence[torch.Tensor], batch: Sequence[int], path: Path
) -> None:
    """Write *network* as ONNX, whole or not at all; silent."""
    items = torch.export.Dim("items", min=1, max=1 << 16)
    shapes = tuple({dimension: items} for dimension in batch)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
    os.close(handle)
    try:
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network.eval(),
                tuple(tensor.contiguous() for tensor in example),
                dynamo=True,
                dynamic_shapes=shapes,
                verbose=False,
            )
        if program is None:
            raise RuntimeError("the exporter gave nothing")
        Path(part).write_bytes(program.model_proto.SerializeToString())
        Path(part).replace(path)
    finally:
        Path(part).unlink(missing_ok=True)


def _alike(fast: FastNetwork, network: torch.nn.Module, example: Sequence[torch.Tensor]) -> bool:
    with torch.no_grad():
        wanted: Mapping[Any, Any] | Outputs = network(*example)
    return all(
        bool(torch.allclose(a, b, atol=LARGEST_DIFFERENCE, rtol=LARGEST_DIFFERENCE))
        for a, b in zip(fast(*example), wanted, strict=True)
    )
