"""Figure: signals to a campaign's command and to each of its processes.

    python -m benchmarks.signals [--stop 60]

SIGTERM, SIGHUP and SIGINT once, twice and three times to the command; each of them to each
process; each process stopped for a second and for a minute. After each the campaign goes on; the
bench must have been made safe where all was to stop at once, by the gate's own record. In the end
the campaign is compared with one that nobody disturbed. Exit status 1 if anything is wrong.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.besieged import campaign_file, strokes
from tests.support.sieges import ROLES, Siege
from tests.support.signalling import ENDING, stopped, to_child, to_command
from tests.support.verdicts import events_of, unmeasured, wrongs

EXPERIMENTS = 500
"""Enough for those who stand still while the others go on."""
Case = tuple[str, Callable[[Siege], list[str]]]


def cases(stops_s: list[float]) -> Iterator[Case]:
    """Yield what is sent, and what sends it."""
    for number in ENDING:
        for times in (1, 2, 3):
            name = f"{number.name} to the command, {times} times"
            yield name, lambda s, n=number, t=times: to_command(s, n, t)  # type: ignore[misc]
    for role in ROLES:
        for number in ENDING:
            yield f"{number.name} to {role}", lambda s, r=role, n=number: to_child(s, r, n)  # type: ignore[misc]
    for seconds in stops_s:
        for role in (*ROLES, "supervisor"):
            name = f"{role} stopped for {seconds:g} s"
            yield name, lambda s, r=role, t=seconds: stopped(s, r, t)  # type: ignore[misc]


def main() -> None:
    """Send every signal, and say what was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--stop", type=float, nargs="+", default=[1.0, 60.0], help="seconds")
    parser.add_argument("--only", default="", help="only cases whose name holds this")
    options = parser.parse_args()
    wrong, began = 0, time.monotonic()
    folder = Path(tempfile.mkdtemp(prefix="signals-"))
    undisturbed = campaign_file(folder / "whole", "irreversible", EXPERIMENTS)
    whole = Siege(folder / "whole-run", undisturbed, ("--inline",))
    whole.start()
    assert whole.wait() == 0, whole.story()
    file = campaign_file(folder / "one", "irreversible", EXPERIMENTS)
    chosen = [(name, send) for name, send in cases(options.stop) if options.only in name]
    with Siege(folder / "one-run", file, ("--speed", "2")) as siege:
        for name, send in chosen:
            found = send(siege)
            wrong += bool(found)
            said = "as it should be" if not found else "\n    ".join(["WRONG", *found])
            print(f"{time.monotonic() - began:5.0f} s  {name}: {said}", flush=True)
        siege.until(lambda: siege.ended() is not None, timeout_s=1200.0)
        siege.finish()
        found = wrongs(siege.directory, whole.directory)
        found += [f"pressed {n} times at {at}" for at, n in strokes(file.parent).items() if n > 1]
        for why in unmeasured(events_of(siege.directory)):
            print(f"unmeasured: {why}")
    print(
        f"{len(chosen)} signals, {wrong} wrong; the campaign in the end: {found or 'as the other'}"
    )
    print(f"the campaign: {siege.directory}")
    sys.exit(1 if wrong or found else 0)


if __name__ == "__main__":
    main()
