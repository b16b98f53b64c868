"""Long arrays of documents: one append-only binary file per run, named by the documents.

A document holds in place of the array ``{"array_in_file": {file, offset, dtype, shape}}``; the
numbers stand from *offset* (bytes) on, little-endian, in C order.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np

from controller.errors import JournalBroken

FOLDER = "arrays"
KEY = "array_in_file"
"""What a document holds in place of a long array, and nothing else beside it."""

LONG = 256
"""So many elements at least make an array long; shorter ones stand in the document."""

KINDS = "biuf"
"""The kinds of numbers (numpy's letters) that go to files."""


def is_long(value: Any) -> bool:
    """Whether *value* is an array that goes to the file."""
    return isinstance(value, np.ndarray) and value.size >= LONG and value.dtype.kind in KINDS


class ArrayFile:
    """The arrays of one run; the file is made with the first of them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def append(self, array: np.ndarray) -> dict[str, Any]:
        """Write *array*, and return what stands for it in a document.

        The file must be flushed before the document is written. Raises OSError.
        """
        if self._file is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._path.open("wb")
        offset = self._file.tell()
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        self._file.write(little.tobytes())
        place = {"file": self._path.name, "offset": offset}
        return {KEY: place | {"dtype": little.dtype.str, "shape": list(array.shape)}}

    def flush(self) -> None:
        """Hand what was written to the system."""
        if self._file is not None:
            self._file.flush()

    def sync(self) -> None:
        """Return once everything that was written is on disk."""
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


class Arrays:
    """Reads arrays back; files are looked for in *folder* alone."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def given_back(self, value: dict[str, Any]) -> Any:
        """Return the array that *value* stands for, or *value*; a hook for ``json.loads``.

        Raises JournalBroken when the file doesn't hold it.
        """
        return self._read(value[KEY]) if value.keys() == {KEY} else value

    def _read(self, place: Mapping[str, Any]) -> np.ndarray:
        try:
            dtype = np.dtype(str(place["dtype"]))
            shape = tuple(int(n) for n in place["shape"])
            offset = int(place["offset"])
            path = self._folder / Path(str(place["file"])).name
            if dtype.kind not in KINDS:
                raise ValueError(f"{dtype} is no kind of number")
            count = int(np.prod(shape, dtype=np.int64))
            flat = np.fromfile(path, dtype=dtype, count=count, offset=offset)
            return flat.reshape(shape)
        except (OSError, TypeError, ValueError, KeyError, AttributeError) as error:
            raise JournalBroken(
                f"{self._folder}: an array that a document names can't be read ({error}): {place!r}"
            ) from error
