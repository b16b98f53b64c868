"""A process that runs or resumes the short copper campaign in a directory, to be killed.

    python -m tests.support.victim run|resume DIRECTORY

It prints a line after every event, so that whoever kills it knows where it was.
"""

import sys
from pathlib import Path
from typing import Any

from controller.journal import Record
from controller.wiring import open_session, resume_session
from tests.support.campaigns import copper_campaign


def say(record: Record, _state: Any) -> None:
    print(record.sequence, record.event.kind, flush=True)


def main() -> None:
    what, directory = sys.argv[1], Path(sys.argv[2])
    session = (
        open_session(copper_campaign(), directory, say)
        if what == "run"
        else resume_session(directory, say)
    )
    with session as opened:
        print("ready", flush=True)
        opened.loop.run()


if __name__ == "__main__":
    main()
