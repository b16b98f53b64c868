"""A pump on a serial line: its driver as somebody might write it, and the pump at the other end."""

import os
import select
import threading
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

STEP_S = 0.005
"""How long the pump takes for each 0.1 mL/min."""


class SerialPump:
    """Speaks to a pump over the serial *port*; one question at a time."""

    readings: ClassVar = {"setpoint": "mL/min", "flow": "mL/min", "state": str}

    def __init__(self, port: str, journal: str = "") -> None:
        self._line = os.open(port, os.O_RDWR | os.O_NOCTTY)
        tty.setraw(self._line)
        self._lock = threading.Lock()
        if journal:
            with Path(journal).open("a") as file:
                file.write(f"{os.getpid()}\n")

    def set(self, value: float) -> None:
        """Pump *value* mL/min; return when it does, or was stopped."""
        self._ask(f"SET {value!r}")
        while self._ask("STATE") == "ramping":
            time.sleep(STEP_S)

    def configure(self, gain: float) -> None:
        """Set the *gain* of its controller."""
        self._ask(f"GAIN {gain!r}")

    def trigger(self) -> None:
        """Do nothing: it always measures."""
        self._ask("TRIGGER")

    def stop(self) -> None:
        """Stop at once."""
        self._ask("STOP")

    def read(self) -> dict[str, float | str]:
        """Return what it does."""
        setpoint, flow, state = self._ask("READ").split()
        return {"setpoint": float(setpoint), "flow": float(flow), "state": state}

    def _ask(self, question: str) -> str:
        with self._lock:
            os.write(self._line, question.encode() + b"\n")
            answer = b""
            while not answer.endswith(b"\n"):
                if not select.select([self._line], [], [], 2.0)[0]:
                    raise OSError(f"no answer to {question!r}")
                answer += os.read(self._line, 100)
        said = answer.decode().strip()
        if said.startswith("?"):
            raise ValueError(said)
        return said


class Pump:
    """The pump itself, at the other end of a pseudo-terminal; keeps what it was told."""

    def __init__(self) -> None:
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.port = os.ttyname(self._slave)
        self.told: list[str] = []
        self.setpoint = self.flow = 0.0
        self.step = 0.1
        self._ends, self._end = os.pipe()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Be gone."""
        os.write(self._end, b"x")
        self._thread.join()
        for each in (self._master, self._slave, self._ends, self._end):
            os.close(each)

    def _serve(self) -> None:
        asked = b""
        while True:
            ready, _, _ = select.select([self._master, self._ends], [], [])
            if self._ends in ready:
                return
            asked += os.read(self._master, 1000)
            while b"\n" in asked:
                line, _, asked = asked.partition(b"\n")
                os.write(self._master, self._answer(line.decode()).encode() + b"\n")

    def _answer(self, asked: str) -> str:
        verb, _, value = asked.partition(" ")
        if verb not in ("READ", "STATE"):
            self.told.append(asked)
        if verb == "SET":
            if float(value) > 9.0:
                return "?too fast"
            self.setpoint = float(value)
        elif verb == "STOP":
            self.setpoint = self.flow
        elif verb == "STATE":
            way = self.setpoint - self.flow
            self.flow += max(-self.step, min(self.step, way))
            return "ramping" if self.flow != self.setpoint else "there"
        elif verb == "READ":
            state = "ramping" if self.flow != self.setpoint else "there"
            return f"{self.setpoint!r} {self.flow!r} {state}"
        return "ok"


@contextmanager
def pump_at_a_port() -> Iterator[Pump]:
    """Yield a pump on a serial node of its own."""
    pump = Pump()
    try:
        yield pump
    finally:
        pump.close()
