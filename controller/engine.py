"""Hosts the RunEngine: runs one plan at a time, writes its documents, says how it ended."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Generator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from bluesky import RunEngine
from bluesky.utils import DuringTask, Msg, RunEngineInterrupted

from controller.clock import Clock
from controller.documents import DocumentWriter
from controller.errors import JournalError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class PlanOutcome:
    """How a plan ended; *reason* is empty when it succeeded."""

    runs: tuple[str, ...]
    succeeded: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class BenchHooks:
    """Called in the devices' loop when a plan begins and when it has ended."""

    start: Callable[[], None]
    stop: Callable[[], None]


class Engine:
    """A RunEngine in a thread of its own, on the campaign's clock."""

    def __init__(self, clock: Clock, writer: DocumentWriter, metadata: Mapping[str, Any]) -> None:
        self._writer = writer
        self._patience = _InterruptiblePatience()
        self._run_engine = RunEngine(
            dict(metadata),
            loop=clock.loop,
            context_managers=[],
            during_task=self._patience,
            scan_id_source=lambda _metadata: writer.next_scan_id(),
        )
        self._patience.interrupt = self._pause
        self._run_engine.subscribe(writer)

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Return what *coroutine* returns in the devices' loop; called from outside of it."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._run_engine.loop).result()

    def run(
        self, plan: Generator[Msg, Any, Any], metadata: Mapping[str, Any], hooks: BenchHooks
    ) -> PlanOutcome:
        """Run *plan* to its end and return how it ended; a plan that fails is an outcome.

        Raises JournalError when a record or document could not be written, and
        KeyboardInterrupt when the operator interrupted (the plan's own clean-up has run).
        """
        self._writer.begin()
        reason = ""
        try:
            self._run_engine(_during(plan, hooks), **metadata)
        except RunEngineInterrupted:
            self._run_engine.abort("interrupted by the operator")
            raise KeyboardInterrupt from None
        except Exception as error:  # whatever a plan or device raises is how the plan ended
            chain = causes(error)
            for cause in chain:
                if isinstance(cause, JournalError):
                    raise cause from error
            reason = f"{type(chain[-1]).__name__}: {chain[-1]}"
        return PlanOutcome(self._writer.finish(), not reason, reason)

    def close(self) -> None:
        """Stop the loop and its thread."""
        loop = self._run_engine.loop
        thread: threading.Thread = self._run_engine._th
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()

    def _pause(self) -> None:
        self._run_engine.request_pause(defer=False)


class _InterruptiblePatience(DuringTask):
    """Waits for the plan; the operator's interrupt becomes an immediate pause, never a panic."""

    def __init__(self) -> None:
        self.interrupt: Callable[[], None] = _nothing

    def block(self, blocking_event: threading.Event) -> None:
        while True:
            try:
                blocking_event.wait()
            except KeyboardInterrupt:
                self.interrupt()
            else:
                return


def _nothing() -> None:
    """Do nothing: there is no plan to interrupt yet."""


def _during(plan: Generator[Msg, Any, Any], hooks: BenchHooks) -> Generator[Msg, Any, Any]:
    hooks.start()
    try:
        return (yield from plan)
    finally:
        hooks.stop()


def causes(error: BaseException) -> list[BaseException]:
    """Return *error* and what led to it; the last is what a device or the gate said."""
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    return chain
