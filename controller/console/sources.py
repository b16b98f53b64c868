"""Where the stream's messages come from: chains that others append to, in numbers of their own."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from controller.chain import Link, peek
from controller.console.numbering import Numbered, Numbering
from controller.errors import JournalBroken

AT_ONCE = 500
"""Records that are taken of one source at a time."""


def no_words(_entry: Mapping[str, Any]) -> str:
    """Return nothing: the record has no words of its own."""
    return ""


def everything(_record: Mapping[str, Any]) -> bool:
    """Keep each record."""
    return True


@dataclass(frozen=True, slots=True)
class Source:
    """One chain: *table* of *file*; *keeps* says what viewers are told of, *words* says it."""

    name: str
    file: Path
    table: str
    keeps: Callable[[Mapping[str, Any]], bool] = everything
    words: Callable[[Mapping[str, Any]], str] = no_words

    def after(self, number: int, count: int = AT_ONCE) -> list[Link]:
        """Return up to *count* records past *number*; none where there is no file yet."""
        if not self.file.is_file():
            return []
        try:
            return peek(self.file, self.table, number, count)
        except JournalBroken:
            return []  # it is being begun, or damaged: `verify` says so, viewers see no more of it


@dataclass(frozen=True, slots=True)
class Message:
    """One numbered message of the stream, as JSON text."""

    seq: int
    text: str


class Merged:
    """All *sources* in the one order of *numbering*; used by one thread."""

    def __init__(self, sources: Sequence[Source], numbering: Numbering) -> None:
        self._sources = {source.name: source for source in sources}
        self._numbering = numbering
        self._seen = {source.name: numbering.last(source.name) for source in sources}

    def fresh(self) -> Iterator[Message]:
        """Yield what has come since the last call, numbered."""
        for source in self._sources.values():
            while links := source.after(self._seen[source.name]):
                self._seen[source.name] = links[-1].sequence
                records = {link.sequence: (link, json.loads(link.payload)) for link in links}
                told = [n for n, (_, record) in records.items() if source.keeps(record)]
                for numbered in self._numbering.add(source.name, told):
                    yield _message(source, numbered, *records[numbered.number])

    def latest(self, count: int) -> list[Message]:
        """Return the last *count* messages as they were numbered before."""
        found: dict[int, Message] = {}
        wanted = sorted(self._numbering.latest(count), key=lambda one: (one.source, one.number))
        for name, group in groupby(wanted, key=lambda one: one.source):
            source = self._sources.get(name)
            if source is not None:
                found |= {message.seq: message for message in _read(source, list(group))}
        return [found[seq] for seq in sorted(found)]


def _read(source: Source, wanted: list[Numbered]) -> Iterator[Message]:
    by_number = {one.number: one for one in wanted}
    at, last = wanted[0].number - 1, wanted[-1].number
    while at < last and (links := source.after(at)):
        at = links[-1].sequence
        for link in links:
            if link.sequence in by_number:
                yield _message(source, by_number[link.sequence], link, json.loads(link.payload))


def entry_of(source: Source, link: Link, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return one record as programs are given it."""
    entry = {"number": link.sequence, "at": link.stamp, "record": record}
    return {"source": source.name, **entry, "text": source.words(entry)}


def _message(source: Source, numbered: Numbered, link: Link, record: Any) -> Message:
    told = {"type": "record", "seq": numbered.seq, **entry_of(source, link, record)}
    return Message(numbered.seq, json.dumps(told, ensure_ascii=False))
