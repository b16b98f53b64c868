"""How a person's terminal speaks to the gate: over a socket of this machine, or with a key."""

import json
import socket
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Annotated, Protocol, Self

from pydantic import Field

from controller.bus.errors import MessageRefused
from controller.errors import ConfigurationError, GateLost, SafetyError
from controller.files.beamline import FilePart
from controller.files.reading import read_yaml
from controller.files.validation import validated
from controller.safety.cleaning import for_the_campaign
from controller.safety.desk.commands import (
    Accepted,
    Act,
    Command,
    Greeting,
    Hello,
    Refused,
    response_of,
)

GOOD_FOR_S = 20.0
"""How long a command may still be taken after it was sent."""
ANSWER_S = 10.0
LONGEST_ANSWER_S = 150.0
"""How long a release is waited for: it looks whether every device is there. A device is taken when
the bench holds."""
LARGEST_ANSWER = 16 * 2**20
_SLOW = frozenset({"reset", "give_back", "take"})
_AGAIN = 3


class ActRefused(SafetyError):
    """The gate didn't do what a person asked: says why, and who may."""


class Line(Protocol):
    """A way to a gate's desk, on which a question is asked and answered; then the next."""

    def ask(self, data: bytes, timeout_s: float) -> bytes:
        """Return the answer to *data*; raises GateLost when there is none in time."""
        ...

    def close(self) -> None:
        """End it."""
        ...


class Way(FilePart):
    """A file that says where a gate on another machine is reached, and with which keys."""

    address: Annotated[str, Field(pattern=r"^tcp://[^/\s:]+:\d{1,5}$")]
    secret: Annotated[str, Field(min_length=1, description="the file of your secret key")]
    server: Annotated[str, Field(min_length=1, description="the file of the gate's public key")]


class Clerk:
    """Asks a gate for what a person wants."""

    def __init__(self, line: Line, place: object = "DIR") -> None:
        """*place* is how a person names the gate in commands: a directory, or a way file."""
        self._line = line
        self._place = place

    def __enter__(self) -> Self:
        """Return itself; the line is closed at the end."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        """Close the line."""
        self.close()

    def close(self) -> None:
        """Close the line."""
        self._line.close()

    def greet(self) -> Greeting:
        """Return which gate it is and whom it takes us for; raises ActRefused, GateLost."""
        answer = self._answer(Hello().model_dump_json().encode(), ANSWER_S)
        if not isinstance(answer, Greeting):
            raise self._refusal(answer)
        return answer

    def ask(self, act: Act) -> Accepted:
        """Have *act* done and return what came of it; raises ActRefused, GateLost."""
        wait_s = LONGEST_ANSWER_S if act.verb in _SLOW else ANSWER_S
        for turn in range(_AGAIN):
            answer = self._answer(_sealed(self.greet(), act), wait_s)
            if isinstance(answer, Accepted):
                return answer
            again = isinstance(answer, Refused) and answer.error in ("Replayed", "OtherBoot")
            if not again or turn == _AGAIN - 1:  # another terminal of ours was faster
                raise self._refusal(answer)
        raise AssertionError

    def _refusal(self, answer: Greeting | Accepted | Refused) -> SafetyError:
        if isinstance(answer, Refused):
            return ActRefused(for_the_campaign(answer.reason, self._place))
        return GateLost(f"the gate answered {answer.kind!r} to something else")

    def _answer(self, data: bytes, timeout_s: float) -> Greeting | Accepted | Refused:
        try:
            return response_of(self._line.ask(data, timeout_s))
        except MessageRefused as error:
            raise GateLost(f"what answers there is no gate of this version: {error}") from error


class LocalLine:
    """A line over the socket file *path* of this machine; raises GateLost when nobody is there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(ANSWER_S)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            raise GateLost(f"{path}: no gate answers there ({error.strerror or error})") from error
        self._file = self._socket.makefile("rb")

    def ask(self, data: bytes, timeout_s: float) -> bytes:
        """Return the answer to *data*."""
        self._socket.settimeout(timeout_s)
        try:
            self._socket.sendall(data + b"\n")
            line = self._file.readline(LARGEST_ANSWER)
        except OSError as error:
            raise GateLost(
                f"{self._path}: no answer in {timeout_s:g} s ({error}); it may have been done: "
                "look at `heliostat safety status`"
            ) from error
        if not line.endswith(b"\n"):
            raise GateLost(f"{self._path}: the gate has ended the talk without an answer")
        return line

    def close(self) -> None:
        """End it."""
        self._file.close()
        self._socket.close()


@dataclass(frozen=True, slots=True)
class Reached:
    """Where a gate on another machine is, and the files of our secret and its public key."""

    address: str
    secret: Path
    server: Path

    @classmethod
    def of(cls, file: Path) -> Self:
        """Return what the way file *file* says; ConfigurationError with every problem of it."""
        source = read_yaml(file)
        way, problems = (None, list(source.problems))
        if not problems:
            way, problems = validated(Way, source)
        if way is None:
            raise ConfigurationError(problems=problems)
        return cls(way.address, file.parent / way.secret, file.parent / way.server)


class KeyLine:
    """A line to a gate on another machine, under our key."""

    def __init__(self, where: Reached) -> None:
        import zmq

        from controller.bus.keys import ClientKeys

        self._where = where
        self._context = zmq.Context()
        self._socket = self._context.socket(zmq.DEALER)
        self._socket.set(zmq.LINGER, 0)
        self._socket.set(zmq.MAXMSGSIZE, LARGEST_ANSWER)
        try:
            ClientKeys(where.secret, where.server).apply(self._socket)
            self._socket.connect(where.address)
        except BaseException:
            self.close()
            raise

    def ask(self, data: bytes, timeout_s: float) -> bytes:
        """Return the answer to *data*."""
        import zmq

        with suppress(zmq.ZMQError):
            self._socket.send(data, zmq.NOBLOCK)
        if not self._socket.poll(round(timeout_s * 1000)):
            raise GateLost(
                f"{self._where.address}: no answer in {timeout_s:g} s: nobody is there, or our key "
                f"({self._where.secret}) isn't one that it knows"
            )
        return bytes(self._socket.recv())

    def close(self) -> None:
        """End it."""
        self._socket.close(0)
        self._context.term()


def _sealed(greeting: Greeting, act: Act) -> bytes:
    command = Command(
        boot=greeting.boot,
        sequence=greeting.sequence + 1,
        not_after=greeting.clock + GOOD_FOR_S,
        act=act,
    )
    return json.dumps(command.model_dump(mode="json")).encode()
