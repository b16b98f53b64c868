"""Asks people who aren't there: by a notice, and by a period in which they may object.

The period begins when a channel took the notice. Where none does, it never begins, and the
suggestion waits for somebody's yes: what nobody could hear of, nobody has let pass.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from agents.protocols import Suggestion
from controller.approval import Approver
from controller.files.campaign import Autonomy, Campaign, OnAlarm
from controller.notify.asked import Answered, Asked, append, question
from controller.notify.ledger import Told, read
from controller.outcome.wording import point, with_sigma

POLL_S = 0.25
"""How often it is looked whether somebody has answered (real seconds)."""


@dataclass(frozen=True, slots=True)
class ByNotice:
    """Asks by a notice, in the campaign in *directory*; *note* hears what is asked and answered.

    *period_s* is how long people may object (real seconds), None where they must say yes.
    """

    directory: Path
    period_s: float | None
    note: Callable[[str], None]
    now: Callable[[], float] = time.time

    def __call__(self, suggestion: Suggestion) -> bool:
        """Return whether *suggestion* may run, once that is known."""
        text = _told(suggestion)
        asked = Asked(suggestion=suggestion.id, text=text, period_s=self.period_s)
        number = append(self.directory, asked)
        self.note(f"{text}: waiting for `heliostat answer {self.directory} yes|no --reason ...`")
        while True:
            known = question(self.directory, number)
            if known is not None and known.answer is not None:
                self.note(_heard(known.answer))
                return known.answer.yes
            if known is not None and self._passed(known.notice):
                silence = "nobody has objected in time"
                append(self.directory, Answered(question=number, yes=True, reason=silence))
                continue  # what was answered meanwhile came first, and counts
            time.sleep(POLL_S)

    def _passed(self, notice: str) -> bool:
        """Whether the period is over, which begins when somebody was told."""
        if self.period_s is None:
            return False
        told = Told()
        for entry in read(self.directory):
            told.take(entry)
        reached = told.reached.get(notice)
        return reached is not None and self.now() >= reached + self.period_s


def _told(suggestion: Suggestion) -> str:
    expected = "".join(
        f", {name} {with_sigma(p.mean, p.epistemic)} expected"
        for name, p in suggestion.predictions.items()
    )
    return f"{suggestion.agent} suggests {point(suggestion.parameters)}{expected}"


def _heard(answer: Answered) -> str:
    what = "it runs" if answer.yes else "it doesn't run"
    return f"{f'{answer.person}: ' if answer.person else ''}{answer.reason}: {what}"


def asker(
    campaign: Campaign,
    directory: Path,
    terminal: Approver | None,
    note: Callable[[str], None],
) -> Approver | None:
    """Return who is asked about suggestions of *campaign*; None where nobody can be.

    By notices where the campaign has somebody told and is to ask, else in the *terminal*.
    """
    asks = campaign.autonomy in ASKING or campaign.on_alarm is OnAlarm.ASK
    if campaign.notify is None or not asks:
        return terminal
    by_exception = campaign.autonomy is Autonomy.APPROVE_BY_EXCEPTION
    period_s = campaign.notify.object_within_s if by_exception else None
    return ByNotice(directory.resolve(), period_s, note)


ASKING = (Autonomy.APPROVE_EACH, Autonomy.APPROVE_BY_EXCEPTION)
"""Where people are asked about each suggestion."""
