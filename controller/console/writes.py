"""The log of what was asked of the console: who, from where, what, why, and what came of it.

A chain of its own beside the journal (``console.sqlite``): a request stands there before it is
carried out, so that one with the same ``client_key`` is never carried out twice, not even by the
console that is started after this one was killed.
"""

import json
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.digest import canonical, digest_of
from controller.chain import Chain
from controller.console.errors import Refusal
from controller.safety.people.people import Principal

FILE, TABLE = "console.sqlite", "writes"


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: *said* is its body without the reason; *address* where it came from."""

    by: Principal
    address: str
    act: str
    said: dict[str, Any]
    reason: str = ""
    client_key: str = ""

    @property
    def digest(self) -> str:
        """Of what was asked; the same request has the same."""
        return digest_of({"act": self.act, "said": self.said, "reason": self.reason})


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a request: an HTTP status and the body of the answer."""

    status: int
    body: dict[str, Any]


class WriteLog:
    """The log in *directory*; usable from any thread, one console at a time writes it."""

    def __init__(self, directory: Path) -> None:
        self._chain = Chain.open(directory / FILE, TABLE)
        self._lock = threading.Lock()
        self._asked: dict[tuple[str, str], tuple[int, str]] = {}
        """Record and digest of the request by holder and client key."""
        self._answers: dict[int, Answered] = {}
        for link in self._chain.links():
            self._remember(link.sequence, json.loads(link.payload))

    def ask(self, asked: Asked) -> int | Answered:
        """Record *asked* and return its number; the answer, where the same was asked before.

        Raises Refusal for a client key that was used for something else, or whose outcome nobody
        knows, and JournalUnwritable.
        """
        with self._lock:
            before = self._asked.get((asked.by.name, asked.client_key))
            if asked.client_key and before is not None:
                return self._again(asked, *before)
            return self._append(
                {
                    "kind": "asked",
                    "by": asked.by.name,
                    "via": asked.by.via,
                    "address": asked.address,
                    "act": asked.act,
                    "said": asked.said,
                    "reason": asked.reason,
                    "client_key": asked.client_key,
                    "digest": asked.digest,
                }
            )

    def answer(self, number: int, answered: Answered) -> None:
        """Record what came of request *number*."""
        with self._lock:
            self._append(
                {
                    "kind": "answered",
                    "asked": number,
                    "status": answered.status,
                    "body": answered.body,
                }
            )

    def close(self) -> None:
        """Close the file."""
        self._chain.close()

    def _again(self, asked: Asked, number: int, digest: str) -> Answered:
        if digest != asked.digest:
            raise Refusal(
                409,
                "client_key_used",
                f"client_key {asked.client_key}: was used for something else (record {number}); "
                "nothing was done. Give each request a key of its own",
            )
        answered = self._answers.get(number)
        if answered is None:
            raise Refusal(
                409,
                "outcome_unknown",
                f"client_key {asked.client_key}: asked before (record {number}), and what came of "
                "it isn't known, or not yet; look at the status. Nothing was done again",
            )
        return answered

    def _append(self, record: dict[str, Any]) -> int:
        number = self._chain.append(time.time(), canonical(record)).sequence
        self._remember(number, record)
        return number

    def _remember(self, number: int, record: dict[str, Any]) -> None:
        if record["kind"] == "answered":
            if record["asked"] in {known for known, _ in self._asked.values()}:
                self._answers[record["asked"]] = Answered(record["status"], record["body"])
        elif record["client_key"]:
            self._asked[record["by"], record["client_key"]] = (number, record["digest"])
