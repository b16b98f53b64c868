"""What people are asked about suggestions while a campaign runs, and what they answer.

A chained record beside that of the notices: whoever asks and whoever answers append to it in turn.
"""

import time
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from controller.chain import Chain, tables
from controller.errors import JournalBroken, JournalRefused
from controller.journal import in_order
from controller.notify.ledger import FOLDER

FILE = "asked.sqlite"
TABLE = "asked"
TRIES = 20
"""So often is it tried to append where somebody else does at the same moment."""
AGAIN_S = 0.05


class _Entry(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Asked(_Entry):
    """Whether *suggestion* may run; *text* says what it is.

    With *period_s* it runs so long (s) after people were told, unless somebody objects; without,
    somebody must say yes.
    """

    kind: Literal["asked"] = "asked"
    suggestion: str
    text: str
    period_s: float | None = None


class Answered(_Entry):
    """*person* says of *question* whether it may run; nobody is the period that has passed."""

    kind: Literal["answered"] = "answered"
    question: int
    yes: bool
    person: str = ""
    reason: str


Said = Annotated[Asked | Answered, Field(discriminator="kind")]
SAID: TypeAdapter[Asked | Answered] = TypeAdapter(Said)


@dataclass(frozen=True, slots=True)
class Question:
    """One question and its answer, None while nobody has given one; *number* is its record's."""

    number: int
    asked: Asked
    answer: Answered | None = None

    @property
    def notice(self) -> str:
        """The id of the notice that tells of it."""
        return f"approval {self.number}"


def append(directory: Path, said: Asked | Answered) -> int:
    """Put *said* on record for the campaign in *directory*, and return the record's number.

    Raises JournalUnwritable, JournalBroken.
    """
    folder = directory / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for _ in range(TRIES):
        try:
            with closing(Chain.open(folder / FILE, TABLE)) as chain:
                return chain.append(time.time(), in_order(said.model_dump(mode="json"))).sequence
        except JournalRefused:
            time.sleep(AGAIN_S)
    raise JournalRefused(f"{folder / FILE}: others write all the time; call again")


def questions(directory: Path) -> list[Question]:
    """Return all that was asked in the campaign in *directory*, in its order.

    The first answer to a question counts. Raises JournalBroken.
    """
    path = directory / FOLDER / FILE
    if not path.is_file() or TABLE not in tables(path):
        return []
    found: dict[int, Question] = {}
    with closing(Chain.read(path, TABLE)) as chain:
        for link in chain.links():
            try:
                said = SAID.validate_json(link.payload)
            except ValidationError as error:
                raise JournalBroken(f"{chain.name}: record {link.sequence}: {error}") from error
            if isinstance(said, Asked):
                found[link.sequence] = Question(link.sequence, said)
            elif (asked := found.get(said.question)) is not None and asked.answer is None:
                found[said.question] = Question(asked.number, asked.asked, said)
    return list(found.values())


def question(directory: Path, number: int) -> Question | None:
    """Return question *number* of the campaign in *directory*."""
    return next((one for one in questions(directory) if one.number == number), None)


def open_question(directory: Path) -> Question | None:
    """Return what is asked now: the last question, while it has no answer."""
    asked = questions(directory)
    return asked[-1] if asked and asked[-1].answer is None else None
