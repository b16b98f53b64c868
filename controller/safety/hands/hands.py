"""What the gate acts with: the connections that write, and the sequence that makes safe."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from controller.safety.envelope.declared import Stage
from controller.safety.hands.puts import Still, always
from controller.safety.hands.safing import Safed, StageSafed

Reached = Callable[[Safed], None]


class Hands(Protocol):
    """Everything but ``stopped`` and ``start_safing`` is called in the gate's loop."""

    @property
    def stopped(self) -> bool:
        """Whether nothing may be put but safe values, since it is being made safe.

        True from the very beginning of a safe sequence, whoever began it in whatever thread,
        until ``allow``. The gate looks at it right before each put.
        """
        ...

    def allow(self) -> None:
        """Let puts pass again: the gate was armed."""
        ...

    def start_safing(self, stages: Sequence[Stage], why: str, done: Reached) -> None:
        """Begin to make the bench safe, at once; return without waiting for it.

        *done* is called in the gate's loop when it has ended, however that was, with all
        stages taken together. Called again meanwhile it begins nothing: *done* hears of the
        sequence in progress.
        """
        ...

    async def unready(self) -> Mapping[str, str]:
        """Wait for servers that don't answer yet, and return what stands against arming, by name.

        What can't be reached; an IOC whose own limits are narrower than the envelope's.
        """
        ...

    async def put(self, signal: str, value: Any, still: Still = always) -> None:
        """Write *value*, without waiting for what the device does with it.

        For hold values, and what people write by hand. *still* is asked in the last moment. Raises
        EngineError.
        """
        ...

    async def keep_safe(self, stages: Sequence[Stage]) -> StageSafed:
        """Look once whether what *stages* wrote is still there, and write again what isn't.

        Says what was written again and reached, and what isn't there: that is left to the next
        time. What it doesn't speak of is as it should be.
        """
        ...

    async def positions(self, devices: Sequence[str]) -> Mapping[str, Any]:
        """Return what each signal of *devices* (their names) reads, for those that can be read."""
        ...
