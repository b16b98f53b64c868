"""A peer in its own environment: lines of JSON in, lines of JSON out.

python -m benchmarks.decisions.peers.serve optuna_gp

{"do": "start", "question": ...} sets it up, {"do": "tell", "points": ..., "outcomes": ...} and
{"do": "ask", "count": 1} are answered with {"points": ..., "seconds": CPU seconds since start},
or with {"error": ...}, which is "unsupported" where the library has no such thing. It ends with
its input.
"""

import importlib
import json
import os
import sys
import time
from typing import Any, TextIO

from benchmarks.decisions.peers.adapter import Adapter
from benchmarks.decisions.peers.question import read_question

ADAPTERS = {
    "optuna_gp": ("with_optuna", "OptunaGP"),
    "optuna_tpe": ("with_optuna", "OptunaTPE"),
    "botorch": ("with_botorch", "Botorch"),
    "ax": ("with_ax", "Ax"),
    "baybe": ("with_baybe", "Baybe"),
    "gpcam_ei": ("with_gpcam", "GpcamEI"),
    "gpcam_lcb": ("with_gpcam", "GpcamLCB"),
    "blop": ("with_blop", "Blop"),
}


class Server:
    """One peer; its library is imported once, and set up anew for every question."""

    def __init__(self, peer: str) -> None:
        module, name = ADAPTERS[peer]
        self._make = getattr(importlib.import_module(f"benchmarks.decisions.peers.{module}"), name)
        self._adapter: Adapter | None = None
        self._began = 0.0

    def answer(self, message: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to *message*."""
        points = []
        if message["do"] == "start":
            self._began = time.process_time()
            self._adapter = self._make(read_question(message["question"]))
        elif self._adapter is None:
            raise RuntimeError("asked before it was set up")
        elif message["do"] == "tell":
            self._adapter.tell(message["points"], message["outcomes"])
        else:
            points = [list(point) for point in self._adapter.ask(int(message["count"]))]
        return {"points": points, "seconds": time.process_time() - self._began}


def main() -> None:
    replies: TextIO = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints must not look like an answer
    server = Server(sys.argv[1])
    for line in sys.stdin:
        try:
            reply = server.answer(json.loads(line))
        except NotImplementedError as error:
            reply = {"error": str(error), "unsupported": True}
        except Exception as error:  # the outermost loop: the other side decides
            reply = {"error": f"{type(error).__name__}: {error}"}
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
