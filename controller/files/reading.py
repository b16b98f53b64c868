"""Reads YAML files so that every value still knows its line.

The plain core of YAML 1.2: true and false are the only booleans (``no`` and ``NO`` are text),
1e-3 is a number, 12:30 and dates are text. Tags, merge keys, twice the same key, recursive
aliases and numbers beyond doubles are problems. Whatever the bytes, what comes out is plain
values and problems, never another error.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from controller.errors import Problem

Way = tuple[str | int, ...]

LARGEST_BYTES = 1_000_000
_DEEPEST = 60
_MOST_VALUES = 200_000
_NULL = ("", "~", "null", "Null", "NULL")
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?\d+", re.ASCII)
_DIGITS = 18
"""Whole numbers of more digits than this become floats, as everywhere outside Python."""
_FLOAT = re.compile(r"[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Source:
    """The values of a file, the line of each by the way to it, and what can't be read."""

    file: str
    data: Any = None
    lines: Mapping[Way, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()

    def line(self, way: Way) -> int | None:
        """Return the line of the value at *way*, or of what it would stand in."""
        for length in range(len(way), -1, -1):
            if way[:length] in self.lines:
                return self.lines[way[:length]]
        return None

    def problem(self, way: Way, message: str, accepted: str = "", value: Any = None) -> Problem:
        """Return a problem with what stands at *way*."""
        shown = "" if value is None else _shown(value)
        key = ".".join(str(part) for part in way)
        return Problem(self.file, message, self.line(way), key, shown, accepted)


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= 80 else text[:77] + "..."


def read_yaml(path: Path) -> Source:
    """Return what the file at *path* holds; a missing or unreadable file is a problem too."""
    try:
        if not path.is_file():
            what = "is a folder, not a file" if path.is_dir() else "there is no such file"
            return Source(str(path), problems=(Problem(str(path), what),))
        with path.open("rb") as stream:
            content = stream.read(LARGEST_BYTES + 1)
    except (OSError, ValueError) as error:
        return Source(str(path), problems=(Problem(str(path), f"can't be read: {error}"),))
    return parse_yaml(content, str(path))


def parse_yaml(content: bytes, file: str) -> Source:
    """Return what the YAML in *content* holds; *file* is its name in problems."""
    if len(content) > LARGEST_BYTES:
        return Source(file, problems=(Problem(file, f"is larger than {LARGEST_BYTES} bytes"),))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        return Source(file, problems=(Problem(file, "isn't UTF-8 text; save it as UTF-8", line),))
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line_number = None if mark is None else mark.line + 1
        message = f"isn't YAML: {error.problem or error.context}"
        return Source(file, problems=(Problem(file, message, line_number),))
    except (yaml.YAMLError, RecursionError, ValueError, IndexError) as error:
        message = f"isn't YAML: {str(error)[:200] or 'nested too deeply'}"
        return Source(file, problems=(Problem(file, message),))
    if node is None:
        return Source(file, problems=(Problem(file, "is empty", 1),))
    builder = _Builder(file)
    data = builder.build(node, ())
    return Source(file, data, builder.lines, tuple(builder.problems))


class _Builder:
    """Turns nodes into plain values, noting lines and problems on the way."""

    def __init__(self, file: str):
        self.lines: dict[Way, int] = {}
        self.problems: list[Problem] = []
        self._file = file
        self._open: set[int] = set()
        self._count = 0

    def build(self, node: yaml.Node, way: Way) -> Any:
        """Return the value of *node*, which stands at *way*."""
        self._count += 1
        self.lines.setdefault(way, node.start_mark.line + 1)
        if id(node) in self._open or len(way) > _DEEPEST or self._count > _MOST_VALUES:
            if self._count <= _MOST_VALUES + 1:
                self._wrong(node, way, "nested or repeated without end; write it out plainly")
            return None
        self._open.add(id(node))
        try:
            if isinstance(node, yaml.MappingNode):
                return self._mapping(node, way)
            if isinstance(node, yaml.SequenceNode):
                return self._sequence(node, way)
            return self._scalar(node, way)
        finally:
            self._open.discard(id(node))

    def _wrong(self, node: yaml.Node, way: Way, message: str) -> None:
        key = ".".join(str(part) for part in way)
        self.problems.append(Problem(self._file, message, node.start_mark.line + 1, key))

    def _sequence(self, node: yaml.SequenceNode, way: Way) -> list[Any]:
        if node.tag != "tag:yaml.org,2002:seq":
            self._wrong(node, way, f"the tag {node.tag} is not accepted; remove it")
        return [self.build(item, (*way, i)) for i, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, way: Way) -> dict[str, Any]:
        if node.tag != "tag:yaml.org,2002:map":
            self._wrong(node, way, f"the tag {node.tag} is not accepted; remove it")
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self._wrong(key_node, way, "a key must be a name")
                continue
            key = self._text(key_node, way)
            if key == "<<" and not key_node.style:
                self._wrong(key_node, way, "merge keys (<<) are not accepted; write it out")
                continue
            if key in found:
                self._wrong(key_node, (*way, key), "stands here for the second time; keep one")
                continue
            self.lines[(*way, key)] = key_node.start_mark.line + 1
            found[key] = self.build(value_node, (*way, key))
        return found

    def _text(self, node: yaml.ScalarNode, way: Way) -> str:
        text: str = node.value
        if _SURROGATE.search(text):
            self._wrong(node, way, "has half of a character (a lone surrogate); mend the text")
            return _SURROGATE.sub("?", text)
        return text

    def _scalar(self, node: yaml.Node, way: Way) -> Any:
        if not isinstance(node, yaml.ScalarNode):
            self._wrong(node, way, "is no value")
            return None
        text = self._text(node, way)
        if node.tag != "tag:yaml.org,2002:str":
            self._wrong(node, way, f"the tag {node.tag} is not accepted; remove it")
        if node.style is not None:
            return text
        return self._plain(node, way, text)

    def _plain(self, node: yaml.Node, way: Way, text: str) -> Any:
        """Return what an unquoted *text* stands for: nothing, true, false, a number, or itself."""
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if not _FLOAT.fullmatch(text):
            return text
        if _INT.fullmatch(text) and len(text) <= _DIGITS:
            return int(text)
        number = float(text)
        if not math.isfinite(number):
            self._wrong(node, way, f"{text[:40]} is too large a number")
            return None
        return number
