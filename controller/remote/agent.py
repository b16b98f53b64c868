"""The agent in the worker process, as the loop knows it: it decides while the bench measures.

Nothing that happens to the worker stops a campaign. One that died is told everything and asked
again; one that hangs or answers nonsense is started anew, and a space-filling suggestion takes
the place of its answer.
"""

import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass

from agents.catalogue import SAFE
from agents.fallback import space_filling
from agents.protocols import Observation, Suggestion
from agents.space import Space
from controller.bus.delivery import Caller
from controller.bus.errors import BusClosed
from controller.bus.messages import Ask, Begin, Message, Suggested, Tell
from controller.remote.asking import Asking
from controller.remote.vetting import Nonsense, still_good, suggestions_in

RENEWED_EVERY_S = 20.0
"""A worker that is late is started anew so often at most: one that dies too often is given up."""
MOST_NONSENSE = 3
"""So many nonsensical answers in a row, and starting the worker anew isn't tried any more."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a decision is waited for, in real seconds.

    ``decision_timeout_s`` where there is nothing else to go on with; a worker is started anew
    then, unless it is starting and has not been at it for ``start_timeout_s``. Where a suggestion
    was foreseen, a fresh one is waited for ``least_s`` or ``share`` of the last experiment's
    duration, whichever is longer; not at all where the foreseen one took longer to compute.
    """

    decision_timeout_s: float = 60.0
    start_timeout_s: float = 180.0
    least_s: float = 0.02
    share: float = 0.005


@dataclass(frozen=True, slots=True)
class Decider:
    """What decides: the agent's name in the campaign, where it may look, and with which seed."""

    name: str
    space: Space
    seed: int


class RemoteAgent:
    """Asks the worker. Used by the loop's thread alone.

    *restart* has the worker process ended and started again (for the reason given), and returns
    at once.
    """

    def __init__(
        self,
        caller: Caller,
        decider: Decider,
        restart: Callable[[str], None],
        patience: Patience | None = None,
    ) -> None:
        self._caller = caller
        self._decider = decider
        self._restart = restart
        self._patience = patience or Patience()
        self._told: tuple[Observation, ...] = ()
        self._telling: list[Future[Message]] = []
        self._foreseen: Asking | None = None
        self._measuring_since: float | None = None
        self._lasted_s = 0.0
        self._nonsense = 0
        self._renewed_at = -math.inf
        self._begin()

    @property
    def name(self) -> str:
        """The agent's name in the campaign file."""
        return self._decider.name

    def begin(self, observations: Sequence[Observation]) -> None:
        """Forget what was told, and take in *observations* instead: a person has corrected them."""
        for telling in self._telling:
            telling.cancel()
        self._told = tuple(observations)
        self._drop_foreseen()
        self._begin()

    def tell(self, observations: Sequence[Observation]) -> None:
        """Take in *observations*; the worker is told without waiting for it."""
        if self._measuring_since is not None:
            self._lasted_s = time.monotonic() - self._measuring_since
            self._measuring_since = None
        self._told += tuple(observations)
        tell = Tell(observations=tuple(observations), known=len(self._told))
        self._telling = [telling for telling in self._telling if not telling.done()]
        self._telling.append(self._caller.post(tell))

    def foresee(self, pending: Sequence[Suggestion]) -> None:
        """Have the next suggestion computed while those *pending* are measured; returns at once."""
        self._measuring_since = time.monotonic()
        self._drop_foreseen()
        self._foreseen = self._asking(1, pending)

    def ask(self, count: int, pending: Sequence[Suggestion] = ()) -> list[Suggestion]:
        """Return up to *count* suggestions: fresh ones, else the one foreseen, else space-filling.

        Which it was shows in ``known`` and ``model`` of the suggestion.
        """
        try:
            found = self._decided(count, pending)
            self._nonsense = 0
        except Nonsense as nonsense:
            found = self._instead(count, pending, f"the worker's answer made no sense ({nonsense})")
            self._distrust(str(nonsense))
        except TimeoutError as late:
            found = self._instead(count, pending, str(late))
            self._hurry(str(late))
        finally:
            self._drop_foreseen()
        return found

    def explain(self, suggestion: Suggestion) -> str:
        """Return why *suggestion* was made, from what it carries."""
        allowed = f", allowed for {len(suggestion.pending)} pending" if suggestion.pending else ""
        return f"{suggestion.note} It knew {suggestion.known} observations{allowed}."

    def close(self) -> None:
        """Ask no longer."""
        self._drop_foreseen()
        for waiting in (self._begun, *self._telling):
            waiting.cancel()

    def _asking(self, count: int, pending: Sequence[Suggestion]) -> Asking:
        ask = Ask(count=count, pending=tuple(pending), known=len(self._told))
        return Asking(self._caller, ask, self._told)

    def _decided(self, count: int, pending: Sequence[Suggestion]) -> list[Suggestion]:
        """Return the fresh suggestions, or the foreseen one where those are late.

        Raises Nonsense for a fresh answer that can't be used, TimeoutError when there is none.
        """
        limit_s = self._patience.decision_timeout_s
        deadline = time.monotonic() + limit_s
        patience_s = max(self._patience.least_s, self._patience.share * self._lasted_s)
        foreseen = self._ahead(pending, limit_s) if count == 1 else Suggested(suggestions=())
        if foreseen.suggestions and foreseen.cpu_s > patience_s:
            return list(foreseen.suggestions)  # a fresh one takes as long: too long
        fresh = self._asking(count, pending)
        try:
            left_s = max(0.0, deadline - time.monotonic())
            wait([fresh.answer], min(patience_s, left_s) if foreseen.suggestions else left_s)
            if fresh.answer.done():
                return self._checked(fresh, pending)
        finally:
            fresh.give_up()
        if not foreseen.suggestions:
            raise TimeoutError(f"the worker gave no decision within {limit_s:g} s")
        return list(foreseen.suggestions)

    def _ahead(self, pending: Sequence[Suggestion], limit_s: float) -> Suggested:
        """Return what was foreseen, without suggestions where it can't be used any more.

        It is waited for: the worker does one thing after the other, the fresh ones come later.
        """
        nothing, foreseen = Suggested(suggestions=()), self._foreseen
        if foreseen is None or not wait([foreseen.answer], limit_s).done:
            return nothing
        try:
            answer = _said(foreseen.answer)
            found = suggestions_in(answer, foreseen.ask, self._decider.space)
        except Nonsense:  # the fresh answer will be, too; that one counts
            return nothing
        good = still_good(found, self._told, pending, self._decider.space)
        return answer if good and isinstance(answer, Suggested) else nothing

    def _checked(self, fresh: Asking, pending: Sequence[Suggestion]) -> list[Suggestion]:
        found = suggestions_in(_said(fresh.answer), fresh.ask, self._decider.space)
        if not found and self._instead(1, pending, "nothing was suggested"):
            raise Nonsense("no suggestion, and there are points that weren't tried")
        return found

    def _instead(self, count: int, pending: Sequence[Suggestion], why: str) -> list[Suggestion]:
        decider = self._decider
        if decider.name == SAFE:  # where it would go is known to nobody else
            return []
        return space_filling(decider.space, decider.seed, self._told, pending, why, count)

    def _distrust(self, why: str) -> None:
        self._nonsense += 1
        if self._nonsense < MOST_NONSENSE:
            self._renew(f"it answers nonsense: {why}")

    def _hurry(self, why: str) -> None:
        now = time.monotonic()
        starting = not self._begun.done()
        if starting and now - self._begun_at <= self._patience.start_timeout_s:
            return
        if now - self._renewed_at > RENEWED_EVERY_S:
            self._renewed_at = now
            self._renew(why)

    def _renew(self, why: str) -> None:
        self._restart(why)
        self._begin()

    def _begin(self) -> None:
        self._begun_at = time.monotonic()
        self._begun: Future[Message] = self._caller.post(Begin(observations=self._told))

    def _drop_foreseen(self) -> None:
        if self._foreseen is not None:
            self._foreseen.give_up()
        self._foreseen = None


def _said(answer: "Future[Message]") -> Message:
    """Return the message that has come; raise Nonsense where it couldn't be read."""
    error = answer.exception()
    if isinstance(error, BusClosed):
        raise error
    if error is not None:
        raise Nonsense(f"an answer that can't be read: {error}") from error
    return answer.result()
