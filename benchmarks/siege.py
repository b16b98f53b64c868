"""Figure: kill -9 of every process at random instants, and what becomes of the campaigns.

    python -m benchmarks.siege --kills 500 [--jobs 2] [--seed 0] [--kinds recorded irreversible]

Campaigns run by ``heliostat run`` have engine, gate, worker, twin, archive, controller, supervisor
or everything at once killed, in start-up, in measuring and in recovery, again and again until each
is over; the command is called again (``resume``) whenever it was killed itself. What a plan must
not do twice is counted at the press that does it, a person (this program) says truthfully what
became of what was cut off. Each campaign is then compared with one that nobody disturbed. Exit
status 1 if anything is wrong. Run it with nothing else on the computer for the recovery times.
"""

import argparse
import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.besieged import KINDS, Kind, campaign_file, strokes
from tests.support.besieging import TARGETS, Kill, besiege
from tests.support.sieges import Siege
from tests.support.verdicts import events_of, resolved, uncatalogued, unmeasured, wrongs

EXPERIMENTS = 40
SPEED = {"recorded": "2", "repeatable": "2", "irreversible": "2"}
LONGEST_S = 8.0
KILLS_EACH = 25


@dataclass
class Account:
    """What the siege came to so far."""

    wanted: int
    seed: int
    begun: int = 0
    kills: list[Kill] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, list[str]] = field(default_factory=dict)
    unmeasured: int = 0
    words: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def next(self) -> int:
        """Return how many kills the next campaign is for, 0 when there are enough."""
        with self.lock:
            allotted = min(KILLS_EACH, self.wanted - self.begun)
            self.begun += allotted
            return allotted

    def give_back(self, left: int) -> None:
        """Take back kills for which the campaign was over too early."""
        with self.lock:
            self.begun -= left


def whole(folder: Path, kind: Kind) -> Path:
    """Run the campaign of *kind* undisturbed in one process; return its directory."""
    file = campaign_file(folder / f"whole-{kind}", kind, EXPERIMENTS)
    siege = Siege(folder / f"whole-{kind}-run", file, ("--inline",))
    siege.start()
    assert siege.wait() == 0, siege.story()
    return siege.directory


def one(folder: Path, number: int, kind: Kind, most: int, account: Account) -> None:
    """Besiege one campaign, judge it, and note what came of it."""
    name = f"{number:03d}-{kind}"
    file = campaign_file(folder / name, kind, EXPERIMENTS)
    rng = random.Random(f"{account.seed}/{number}")
    began = time.monotonic()
    with Siege(folder / f"{name}-run", file, ("--speed", SPEED[kind])) as siege:
        try:
            tale = besiege(siege, rng, most, LONGEST_S)
            kills = tale.kills
            found = wrongs(siege.directory, folder / f"whole-{kind}-run")
            if siege.command("catalog", str(siege.directory), "--no-serve") != 0:
                found.append("the catalog could not be brought up to date")
            found += uncatalogued(siege.directory)
            found += repeated(file.parent, kind)
            found += [f"the command gave up with {code}" for code in tale.exits if code != 130]
            events = events_of(siege.directory)
        except AssertionError as error:
            found, kills, events = [str(error)], [], []
    with account.lock:
        account.kills += kills
        account.kinds[kind] += 1
        account.unmeasured += len(unmeasured(events))
        account.words += resolved(events)
        if found:
            account.wrong[name] = found
    account.give_back(most - len(kills))
    took = time.monotonic() - began
    print(f"{name}: {len(kills)} kills, {took:.0f} s, {len(found)} wrong", flush=True)
    for line in [*found, *(f"unmeasured: {why}" for why in unmeasured(events))]:
        print(f"    {line[:3000]}", flush=True)


def repeated(folder: Path, kind: Kind) -> list[str]:
    """Return where the press went down twice although that must not be."""
    if kind != "irreversible":
        return []
    return [f"pressed {n} times at {at}" for at, n in strokes(folder).items() if n > 1]


def table(account: Account) -> str:
    """Return the account as text."""
    recovered = defaultdict(list)
    for kill in account.kills:
        if kill.recovered_s is not None:
            recovered[kill.target].append(kill.recovered_s)
    by_target = Counter(kill.target for kill in account.kills)
    lines = [f"{'killed':12} {'times':>5}  measuring again after (s): median, worst, of how many"]
    for target in TARGETS:
        times = recovered[target]
        figures = (
            f"{statistics.median(times):6.1f} {max(times):6.1f} {len(times):4d}" if times else ""
        )
        lines.append(f"{target:12} {by_target[target]:5d}  {figures}")
    lines.append(f"{'all':12} {len(account.kills):5d}")
    kinds = ", ".join(f"{n} {kind}" for kind, n in account.kinds.items())
    lines.append(f"campaigns: {sum(account.kinds.values())} ({kinds}); wrong: {len(account.wrong)}")
    lines.append(f"experiments that failed and say why: {account.unmeasured}")
    lines.append(f"a person's words on what was cut off: {account.words}")
    return "\n".join(lines)


def main() -> None:
    """Besiege until there were enough kills, and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=500)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    parser.add_argument("--keep", action="store_true", help="leave the campaigns on disk")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="siege-"))
    account, numbers = Account(options.kills, options.seed), iter(range(10_000))
    for kind in options.kinds:
        whole(folder, kind)

    def besieger() -> None:
        while most := account.next():
            number = next(numbers)
            one(folder, number, options.kinds[number % len(options.kinds)], most, account)

    with ThreadPoolExecutor(options.jobs) as pool:
        for done in [pool.submit(besieger) for _ in range(options.jobs)]:
            done.result()
    print(table(account))
    if options.keep or account.wrong:
        print(f"the campaigns: {folder}")
    else:
        shutil.rmtree(folder)
    sys.exit(1 if account.wrong else 0)


if __name__ == "__main__":
    main()
