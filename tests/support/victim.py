"""A process that runs or resumes a campaign in a directory, to be killed.

    python -m tests.support.victim run|resume DIRECTORY [FILE]

It is the short copper campaign where there is no campaign file. It prints a line after every
event, so that whoever kills it knows where it was.
"""

import sys
from pathlib import Path
from typing import Any

from controller.benches import installed
from controller.checks.checking import load
from controller.errors import ControllerError
from controller.journal import Record
from controller.wiring import open_session, resume_session
from tests.support.campaigns import copper_campaign


def say(record: Record, _state: Any) -> None:
    print(record.sequence, record.event.kind, flush=True)


def main() -> None:
    what, directory, *file = sys.argv[1:]
    if what == "resume":
        session = resume_session(Path(directory), say)
    else:
        resolved = load(Path(file[0]), installed()) if file else copper_campaign()
        session = open_session(resolved, Path(directory), say)
    try:
        with session as opened:
            print("ready", flush=True)
            opened.loop.run()
    except ControllerError as error:
        sys.exit(f"{type(error).__name__}: {error}")


if __name__ == "__main__":
    main()
