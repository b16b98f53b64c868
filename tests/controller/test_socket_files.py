"""Files at which processes listen: gone with who listened, and never somebody else's."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.bus.delivery import Answerer
from controller.bus.documents_feed import DocumentFeed
from controller.bus.live import Publisher
from controller.bus.messages import Done


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder whose path is short enough for a socket."""
    with tempfile.TemporaryDirectory() as place:
        yield Path(place)


def test_who_listens_no_more_leaves_no_file_behind(folder: Path) -> None:
    listening = [
        Answerer(f"ipc://{folder}/agent.sock", lambda _message, answer, _id: answer(Done())),
        Publisher(f"ipc://{folder}/live"),
        DocumentFeed(f"ipc://{folder}/documents"),
    ]
    assert len(list(folder.iterdir())) == 3

    for one in listening:
        one.close()

    assert list(folder.iterdir()) == []


def test_the_file_of_who_listens_there_since_is_left_to_it(folder: Path) -> None:
    first = Publisher(f"ipc://{folder}/live")
    (folder / "live").rename(folder / "before")
    second = Publisher(f"ipc://{folder}/live")

    first.close()

    assert (folder / "live").exists()
    second.close()
