"""Kills whatever it finds, at random instants, until a campaign is over all the same."""

import random
import sqlite3
import time
from contextlib import closing
from dataclasses import dataclass, field

from tests.support.sieges import OK, ROLES, Siege

TARGETS = (*ROLES, "supervisor", "everything")
MOST_OF_A_ROLE, WITHIN_S = 4, 70.0
"""A supervisor gives up what dies more often, rightly."""


@dataclass
class Kill:
    """Who was killed when (seconds since 1970), and how long until it was measured again (s)."""

    target: str
    time: float
    recovered_s: float | None = None


@dataclass
class Tale:
    """What became of one campaign under siege."""

    kills: list[Kill] = field(default_factory=list)
    exits: list[int] = field(default_factory=list)
    """How the command ended by itself, when the campaign wasn't over."""


def besiege(siege: Siege, rng: random.Random, most: int, longest_s: float) -> Tale:
    """Kill *most* times at most, then let the campaign come to its end; return the tale."""
    tale = Tale()
    siege.start()
    while len(tale.kills) < most and not _over(siege, tale):
        _bide(siege, rng, longest_s)
        target = _chosen(tale, rng)
        if siege.ended() is None and _strike(siege, target):
            tale.kills.append(Kill(target, time.time()))
    if siege.ended() != OK or siege.say_what_became():
        siege.until(lambda: siege.ended() is not None)
        siege.finish()
    _note_recoveries(siege, tale)
    return tale


def _over(siege: Siege, tale: Tale) -> bool:
    """Whether the campaign is over; where only the command is, it is called again."""
    code = siege.ended()
    if code is None:
        return False
    said = siege.say_what_became()
    if code == OK and not said:
        return True
    if code > 0 and not said:
        tale.exits.append(code)
    siege.start()
    return False


def _bide(siege: Siege, rng: random.Random, longest_s: float) -> None:
    """Wait: any time at all, or until it is measured again and a little longer."""
    if rng.random() < 0.6:
        before = siege.count("experiment_started")
        siege.until(lambda: siege.count("experiment_started") > before)
        _sleep(siege, rng.uniform(0.0, longest_s / 5))
    else:
        _sleep(siege, rng.uniform(0.0, longest_s))


def _sleep(siege: Siege, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and siege.ended() is None:
        time.sleep(0.005)


def _chosen(tale: Tale, rng: random.Random) -> str:
    now = time.time()
    lately = [kill.target for kill in tale.kills if now - kill.time < WITHIN_S]
    return rng.choice([t for t in TARGETS if lately.count(t) < MOST_OF_A_ROLE] or ["supervisor"])


def _strike(siege: Siege, target: str) -> bool:
    if target == "everything":
        siege.kill_all()
        return True
    return siege.send(target)


def _note_recoveries(siege: Siege, tale: Tale) -> None:
    """Note how long after each kill the next experiment began, if none was killed in between."""
    began = _times(siege)
    for kill, after in zip(tale.kills, [*(k.time for k in tale.kills[1:]), None], strict=True):
        times = [t for t in began if t > kill.time and (after is None or t < after)]
        kill.recovered_s = min(times) - kill.time if times else None


def _times(siege: Siege) -> list[float]:
    """Return the wall times at which experiments began or had ended."""
    kinds = ("experiment_started", "experiment_finished")
    place = f"{(siege.directory / 'journal.sqlite').as_uri()}?mode=ro"
    try:
        with closing(sqlite3.connect(place, uri=True)) as connection:
            rows = connection.execute(
                "SELECT wall_time, json_extract(CAST(payload AS TEXT), '$.kind') FROM events"
            ).fetchall()
    except sqlite3.Error:
        return []
    return [float(stamp) for stamp, kind in rows if kind in kinds]
