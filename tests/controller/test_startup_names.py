"""The user's code is called as it likes; what heliostat itself has loaded stays as it is."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import agents.space
from controller.devices.startup import StartupFailed, code_of, function_of

MAKES = "def make():\n    return {!r}\n"


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    path, modules = list(sys.path), dict(sys.modules)
    yield
    sys.path[:] = path
    for name in sys.modules.keys() - modules.keys():
        del sys.modules[name]
    sys.modules.update(modules)


@pytest.mark.parametrize("name", ["agents", "controller", "json", "numpy"])
def test_code_called_like_what_is_in_use_is_refused_and_nothing_is_unloaded(
    tmp_path: Path, name: str
) -> None:
    __import__(name)
    (tmp_path / f"{name}.py").write_text(MAKES.format("mine"))
    before = {key: id(module) for key, module in sys.modules.items()}

    with pytest.raises(StartupFailed, match="is called like a module") as caught, code_of(tmp_path):
        function_of(f"{name}:make", tmp_path)

    assert str(tmp_path / f"{name}.py") in str(caught.value)
    assert f"another name than {name!r}" in caught.value.accepted
    assert {key: id(module) for key, module in sys.modules.items()} == before
    assert sys.modules["agents.space"] is agents.space


def test_code_of_another_folder_under_the_same_name_gives_way(tmp_path: Path) -> None:
    made = []
    for place in ("first", "second"):
        folder = tmp_path / place
        folder.mkdir()
        (folder / "our_devices.py").write_text(MAKES.format(place))
        with code_of(folder):
            made.append(function_of("our_devices:make", folder)())

    assert made == ["first", "second"]
