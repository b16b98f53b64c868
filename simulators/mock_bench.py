"""A bench behind devices in mock mode: what is put moves it, what it feels is read back.

A bench runs in the devices' event loop and only while a plan runs (``start`` to ``stop``):
between plans nothing moves, so that a virtual campaign is the same however long the
controller thinks. Its state can be taken and given back between plans.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

Listener = Callable[[Mapping[str, float]], Any]
"""Called with all readbacks, by signal path, at every tick."""

TICK_S = 1.0


class MockBench(Protocol):
    """A simulated bench. All but ``snapshot`` and ``restore`` are called in the devices' loop."""

    tick_s: float
    """How often readbacks are shown, in seconds of the loop."""

    def attach(self, listener: Listener) -> None:
        """Listen to the station's connected mock signals and show the first readbacks."""
        ...

    def start(self) -> None:
        """Let time pass at the bench."""
        ...

    def stop(self) -> None:
        """Stand still."""
        ...

    def pass_time(self, seconds: float) -> None:
        """Let *seconds* pass at once, while standing still."""
        ...

    def dump_beam(self, seconds: float) -> bool:
        """Lose the beam for *seconds* (0: have it back); returns whether there is one to lose."""
        ...

    def stop_exhaust(self, seconds: float) -> bool:
        """Let the exhaust stand for *seconds* (0: run again); returns whether there is one."""
        ...

    def snapshot(self) -> dict[str, Any]:
        """Return the bench's whole state as JSON-able values."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Be as ``snapshot`` found it."""
        ...


class SelfAnswering:
    """Devices in mock mode that answer for themselves, by their ``default_mock_class``.

    What they do is theirs alone: nothing is watched, and nothing can be taken up again later.
    """

    tick_s = TICK_S

    def attach(self, listener: Listener) -> None:
        """Listen to nothing."""
        del listener

    def start(self) -> None:
        """Nothing moves by itself."""

    def stop(self) -> None:
        """Nothing moves by itself."""

    def pass_time(self, seconds: float) -> None:
        """Stay as it is."""
        del seconds

    def dump_beam(self, seconds: float) -> bool:
        """Return that there is no beam here to lose."""
        del seconds
        return False

    def stop_exhaust(self, seconds: float) -> bool:
        """Return that there is no exhaust here to stop."""
        del seconds
        return False

    def snapshot(self) -> dict[str, Any]:
        """Return that there is nothing to know, but that it is simulated."""
        return {"mock": True}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Stay as it is."""
        del state
