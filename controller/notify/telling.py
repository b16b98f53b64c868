"""Tells people: what goes to whom and when, again where it wasn't taken, further where nobody
answers.

``Teller`` is called by one thread; each channel delivers in one of its own, so that a server that
hangs holds up nobody else.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from controller.files.notifying import Notify, Severity
from controller.notify.channels import Deliver, deliver_by
from controller.notify.errors import Undelivered
from controller.notify.ledger import HOUR_S, Ledger, Told
from controller.notify.message import Sender, message_of
from controller.notify.notices import (
    Begun,
    Dropped,
    Escalated,
    Failed,
    Message,
    Notice,
    Over,
    Sent,
    carries,
)
from controller.outcome.wording import duration

PAUSE_S = 30.0
"""Between two messages of a channel, so that what comes together goes as one; alarms don't wait."""
ALARM_PAUSE_S = 5.0
"""Between two messages with alarms."""
FIRST_S, LONGEST_S = 5.0, 600.0
"""How long after a failure it is tried again: twice as long each time."""
LONGEST_ASKED_S = 3600.0
"""A channel that wants to be left alone is for this long at most."""
GIVE_UP_S = 86_400.0
"""What no channel took for a day is news no more."""

Change = Notice | Over


@dataclass(frozen=True, slots=True)
class Attempt:
    """A message that a channel has been handed."""

    message: Message
    future: "Future[str]"


class Teller:
    """Tells what it is given by *notify*'s channels; *now* is wall time (seconds since 1970).

    *deliver* has what hands messages to each channel, by its name; left out: as *notify* says.
    """

    def __init__(
        self,
        notify: Notify,
        ledger: Ledger,
        sender: Sender,
        now: Callable[[], float] = time.time,
        deliver: Mapping[str, Deliver] | None = None,
    ) -> None:
        self._notify = notify
        self._ledger = ledger
        self._sender = sender
        self._now = now
        self._deliver = deliver or {n: deliver_by(c) for n, c in notify.channels.items()}
        self._under_way: dict[str, Attempt] = {}
        self._threads = {
            name: ThreadPoolExecutor(1, thread_name_prefix=f"notify {name}")
            for name in self._deliver
        }

    @property
    def told(self) -> Told:
        """What was told so far."""
        return self._ledger.told

    @property
    def idle(self) -> bool:
        """Whether no channel has anything in hand."""
        return not self._under_way

    def begin(self, begun: Begun) -> None:
        """Take note, once for a campaign, after which records notices begin."""
        if self.told.begun is None:
            self._ledger.write(begun, self._now())

    def take(self, changes: Iterable[Change]) -> None:
        """Put on record what is new of *changes*."""
        for change in changes:
            match change:
                case Notice(id=name) if name not in self.told.notices:
                    self._ledger.write(self._addressed(change), self._now())
                case Over(id=name) if name in self.told.notices and name not in self.told.over:
                    over = change.model_copy(update={"at": self._now()})
                    self._ledger.write(over, self._now())

    def step(self) -> None:
        """Take in what channels have said, escalate what is due, and hand on what may go now."""
        self._collect()
        self._escalate()
        for channel in self._deliver:
            if channel not in self._under_way:
                self._drop(channel)
                if names := self._due(channel):
                    self._hand(channel, names)

    def finish(self, within_s: float) -> tuple[str, ...]:
        """Try once to deliver all that waits, whatever it waits for; return what isn't delivered.

        It takes *within_s* real seconds at most.
        """
        deadline = time.monotonic() + within_s
        self._settle(deadline)
        for channel in self._deliver:
            if channel not in self._under_way:
                self._drop(channel)
                if names := self.told.waiting[channel]:
                    self._hand(channel, tuple(names))
        self._settle(deadline)
        return tuple(
            f"{channel}: {len(names)} not told: {self.told.reasons.get(channel, 'no time left')}"
            for channel, names in self.told.waiting.items()
            if names
        )

    def close(self) -> None:
        """Part from the channels; what is under way is left to its end."""
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)

    # --- what goes when -------------------------------------------------------------------------

    def _addressed(self, notice: Notice) -> Notice:
        to = tuple(n for n, channel in self._notify.channels.items() if carries(channel, notice))
        return notice.model_copy(update={"at": self._now(), "to": to})

    def _due(self, channel: str) -> tuple[str, ...]:
        """Return the ids of the notices that *channel* is to be handed now."""
        told, now = self.told, self._now()
        ripe = [name for name in told.waiting[channel] if self._ripe(channel, name, now)]
        if not ripe or now < told.not_before[channel]:
            return ()
        alarm = any(told.notices[name].severity is Severity.ALARM for name in ripe)
        pause = ALARM_PAUSE_S if alarm else PAUSE_S
        if told.sent_since(channel, now - pause):
            return ()
        most = self._notify.channels[channel].most_per_hour
        full = told.sent_since(channel, now - HOUR_S) >= most
        return () if full and not alarm else tuple(ripe)

    def _ripe(self, channel: str, name: str, now: float) -> bool:
        """Whether *name* has lasted for as long as *channel* wants."""
        lasting = self._notify.channels[channel].lasting_s
        return name in self.told.escalated or now >= self.told.notices[name].at + lasting

    def _drop(self, channel: str) -> None:
        """Let go of what was over in time, and of what nobody took for a day."""
        told, now = self.told, self._now()
        lasting = self._notify.channels[channel].lasting_s
        short = [
            name
            for name in told.waiting[channel]
            if name in told.over and told.over[name].at < told.notices[name].at + lasting
        ]
        old = [n for n in told.waiting[channel] if now > told.notices[n].at + GIVE_UP_S]
        for names, reason in (
            (short, "over before it was told"),
            (old, "nobody took it for a day"),
        ):
            if names:
                entry = Dropped(channel=channel, notices=tuple(names), reason=reason, at=now)
                self._ledger.write(entry, now)

    def _escalate(self) -> None:
        """Take further what wants an answer and has none in time."""
        escalate = self._notify.escalate
        if escalate is None:
            return
        now = self._now()
        for name, notice in list(self.told.notices.items()):
            open_ = name not in self.told.over and name not in self.told.escalated
            if open_ and notice.wants and now >= notice.at + escalate.after_s:
                self._ledger.write(Escalated(id=name, to=escalate.to, at=now), now)

    # --- the channels ---------------------------------------------------------------------------

    def _hand(self, channel: str, names: tuple[str, ...]) -> None:
        told = self.told
        over = {name: told.over[name].how for name in names if name in told.over}
        escalated = {
            name: f"NOT ANSWERED for {duration(told.escalated[name].at - told.notices[name].at)}: "
            for name in names
            if name in told.escalated and channel in told.escalated[name].to
        }
        notices = [told.notices[name] for name in names]
        message = message_of(notices, channel, self._sender, over, escalated)
        future = self._threads[channel].submit(self._deliver[channel], message)
        self._under_way[channel] = Attempt(message, future)

    def _settle(self, deadline: float) -> None:
        """Wait for what is under way, until *deadline* (monotonic s), and take it in."""
        futures = [attempt.future for attempt in self._under_way.values()]
        wait(futures, timeout=max(0.0, deadline - time.monotonic()))
        self._collect()

    def _collect(self) -> None:
        for channel, attempt in list(self._under_way.items()):
            if attempt.future.done():
                del self._under_way[channel]
                self._ended(channel, attempt)

    def _ended(self, channel: str, attempt: Attempt) -> None:
        now, message = self._now(), attempt.message
        names = tuple(notice.id for notice in message.notices)
        try:
            remark = attempt.future.result()
        except Undelivered as error:
            until = now + self._patience_s(channel, error.wait_s)
            failed = Failed(
                channel=channel,
                message=message.id,
                notices=names,
                reason=str(error),
                at=now,
                until=until,
            )
            self._ledger.write(failed, now)
            return
        sent = Sent(channel=channel, message=message.id, notices=names, at=now, remark=remark)
        self._ledger.write(sent, now)

    def _patience_s(self, channel: str, asked_s: float | None) -> float:
        """Return how long *channel* is left alone after one more failure (s)."""
        doubled = FIRST_S * 2.0 ** min(self.told.failures[channel], 20)
        return max(min(doubled, LONGEST_S), min(asked_s or 0.0, LONGEST_ASKED_S))
