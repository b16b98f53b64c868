"""Envelope files that were spoilt at random: none may crash or hang the check, none that is wrong
may be accepted.

    python -m benchmarks.envelope_fuzz --envelopes 20000

Valid files are changed in their text or in their values; every third change is one after which the
file is surely wrong. What is accepted is looked at by other means than those that accepted it.
Exits with 1 when something crashed, took longer than a second of CPU, or was accepted wrongly.
"""

import argparse
import copy
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import yaml

from controller.checks.envelope_reading import read_envelope
from controller.errors import Problem
from controller.files.reading import parse_yaml
from controller.safety.envelope.envelope import Envelope, Limit
from controller.safety.envelope.file import EnvelopeFile

SAFETY = Path(__file__).parents[1] / "config" / "safety"
SLOWEST_S = 1.0
NASTY: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, 10**30, "", " ", ".nan", "nan", "1e400", "inf", "0 s", "-5 s",
    "5..1 degC", "1..1", "[", "{", "a" * 3000, "(" * 500, "not " * 300 + "a", "1/0", "x.y > 3",
    "20 K", "20 K/min", "٣ s", "\u202e", "a.b", "furnace.setpoint", "120 s", [], {}, [[]],
    {"a": {}}, ["Open", "Open"], {"kind": "requires"}, -0.0, "1 < 2 < 3", "true",
    "furnace.setpoint and 3",
)  # fmt: skip
PIECES = (
    "&a ", "*a", "<<: *a", "!!python/object:os.system ", "? ", "- ", ": ", "\t", "\x00", "{", "}",
    "[", "]", "|", ">", "'", '"', "#", "%", "\n\n", "  ", ".nan", "1e400", "..", "\ufeff",
)  # fmt: skip


def valid_files() -> list[bytes]:
    """Return the files that come along."""
    return [path.read_bytes() for path in sorted(SAFETY.rglob("*.yaml"))]


# --- changes of which nobody knows what comes of them ---------------------------------------------


def spoil_text(content: bytes, chance: random.Random) -> bytes:
    """Return *content* with some of its characters or lines changed."""
    lines = content.decode().split("\n")
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(lines))
        what = chance.randrange(6)
        if what == 0:
            del lines[at : at + chance.randint(1, 3)]
        elif what == 1:
            lines.insert(at, lines[chance.randrange(len(lines))] if lines else "")
        elif what == 2:
            lines[at] = lines[at].replace(chance.choice(" :.>,0"), chance.choice(PIECES), 1)
        elif what == 3:
            column = chance.randint(0, len(lines[at]))
            lines[at] = lines[at][:column] + chance.choice(PIECES) + lines[at][column:]
        elif what == 4:
            lines[at] = lines[at][: chance.randint(0, len(lines[at]))]
        else:
            lines[at] = " " * chance.randint(0, 6) + lines[at].strip()
        lines = lines or [""]
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def spoil_values(content: bytes, chance: random.Random) -> bytes:
    """Return *content* with some of its values replaced, moved or taken away."""
    data = yaml.safe_load(content)
    for _ in range(chance.randint(1, 3)):
        places = list(_places(data))
        inside, key = chance.choice(places)
        what = chance.randrange(4)
        if what == 0:
            del inside[key]
        elif what == 1:
            other, its = chance.choice(places)
            inside[key] = copy.deepcopy(other[its])
        elif what == 2 and isinstance(inside, dict):
            inside[str(chance.choice(NASTY))[:50]] = inside[key]
        else:
            inside[key] = copy.deepcopy(chance.choice(NASTY))
        if not data:
            break
    return yaml.safe_dump(data, sort_keys=False, allow_unicode=True).encode()


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    entries = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in list(entries):
        yield data, key
        if isinstance(value, (dict, list)):
            yield from _places(value)


# --- changes after which a file is wrong ----------------------------------------------------------


def _unknown_key(data: Any, chance: random.Random) -> None:
    place = chance.choice([data, data["dead_man"], *data["rules"], *data["safe"]])
    place["no_such_key"] = 1


def _turned_bounds(data: Any, chance: random.Random) -> None:
    named = [s for s, text in data["limits"].items() if isinstance(text, str) and ".." in text]
    signal = chance.choice(named)
    bounds = data["limits"][signal].split(" ")[0]
    low, high = bounds.split("..")
    data["limits"][signal] = data["limits"][signal].replace(bounds, f"{high}..{low}")


def _no_such_signal(data: Any, chance: random.Random) -> None:
    rule = chance.choice(data["rules"])
    said = ("requires", "when", "before", "after", "needs")
    keys = [key for key in said if isinstance(rule.get(key), str)]
    if keys:
        rule[chance.choice(keys)] += " and no.such > 3"
    else:
        rule.clear()
        rule.update({"kind": "requires", "name": "r", "requires": "no.such > 3"})


def _wrong_unit(data: Any, chance: random.Random) -> None:
    data["rules"].append(
        {"kind": "requires", "name": "wrong", "requires": chance.choice(
            ("furnace.readback < 300 mL/min", "gas.h2 > furnace.readback", "gas.total < 3 degC",
             "exhaust.flow > 2 K", "gas.h2 + furnace.readback > 0 K"))}
    )  # fmt: skip


def _unsafe(data: Any, chance: random.Random) -> None:
    stage = chance.choice(data["safe"])
    signal = chance.choice(list(stage["write"]))
    stage["write"][signal] = chance.choice((1e6, -1e6, "Ajar", "Open 1"))


def _same_name(data: Any, chance: random.Random) -> None:
    data["rules"].append(copy.deepcopy(chance.choice(data["rules"])))


def _never_kept(data: Any, chance: random.Random) -> None:
    text = chance.choice(
        ("furnace.setpoint > 900 degC", "h2.setpoint < -1 mL/min", "mono.energy > 10 keV",
         "furnace.setpoint > 300 degC", "h2.setpoint > 1 mL/min", "shutter.command == Open")
    )  # fmt: skip
    data["rules"].append({"kind": "requires", "name": "never", "requires": text})


def _no_number(data: Any, chance: random.Random) -> None:
    signal = chance.choice([s for s, t in data["limits"].items() if isinstance(t, str)])
    data["limits"][signal] = chance.choice((".nan..3", "0..inf", "0..1e400", "..", 3.5, True, None))


WRONG: tuple[Callable[[Any, random.Random], None], ...] = (
    _unknown_key, _turned_bounds, _no_such_signal, _wrong_unit, _unsafe, _same_name, _never_kept,
    _no_number,
)  # fmt: skip


def make_wrong(chance: random.Random) -> tuple[bytes, str]:
    """Return a copper envelope that is surely wrong, and in what way."""
    data = yaml.safe_load((SAFETY / "copper.yaml").read_bytes())
    change = chance.choice(WRONG)
    change(data, chance)
    return yaml.safe_dump(data, sort_keys=False).encode(), change.__name__


# --- what is said of them -------------------------------------------------------------------------


def verdict(content: bytes) -> tuple[EnvelopeFile | None, list[Problem]]:
    """Return what ``heliostat check`` makes of *content*."""
    source = parse_yaml(content, "fuzzed.yaml")
    if source.data is None and source.problems:
        return None, list(source.problems)
    file, problems = read_envelope(source)
    return file, [*source.problems, *problems]


def faults_of(file: EnvelopeFile) -> list[str]:
    """Return what is wrong with an envelope that was accepted, by means of this function alone."""
    envelope = file.envelope("P:")
    found = [f"limit of {s}" for s, limit in envelope.limits.items() if not _sound(limit)]
    found += [f"safe value of {s}" for s, v in envelope.safe_values().items()
              if envelope.reason_against(s, v)]  # fmt: skip
    found += [f"stage write {s}" for stage in envelope.stages for s, v in stage.writes.items()
              if not envelope.is_safe(s, v)]  # fmt: skip
    found += [f"free {s}" for s in envelope.limits if envelope.is_free(s)]
    names = [rule.name for rule in envelope.rules]
    found += [f"twice {name}" for name, count in Counter(names).items() if count > 1]
    known = {*envelope.limits, *envelope.signals, *envelope.quantities}
    for rule in envelope.rules:
        found += [f"{rule.name} names {name}" for name in _names(rule) if name not in known]
        found += [f"{rule.name}: {n}" for n in _numbers(rule) if not math.isfinite(n)]
    again = EnvelopeFile.model_validate(file.model_dump(mode="json"))
    if again.envelope("P:").digest() != envelope.digest():
        found.append("not the same after it was written and read")
    return found + _unwatched(envelope)


def _sound(limit: Any) -> bool:
    if isinstance(limit, Limit):
        return math.isfinite(limit.low) and math.isfinite(limit.high) and limit.low < limit.high
    return bool(limit.options) and len(set(limit.options)) == len(limit.options)


def _names(rule: Any) -> Iterator[str]:
    for field in fields(rule):
        yield from getattr(getattr(rule, field.name), "names", ())
    for key in ("of", "target", "ramp_rate", "setpoint", "readback", "increase", "amounts"):
        yield from (name for name in [getattr(rule, key, "")] if name)
    yield from getattr(rule, "signals", ())
    yield from getattr(rule, "writes", ())


def _numbers(rule: Any) -> Iterator[float]:
    if is_dataclass(rule):
        for field in fields(rule):
            value = getattr(rule, field.name)
            if isinstance(value, float):
                yield value


def _unwatched(envelope: Envelope) -> list[str]:
    """Return the signals that quantities and rules read and nobody watches."""
    named = {name for rule in envelope.rules for name in _names(rule)}
    for quantity in envelope.quantities.values():
        named |= {quantity.setpoint, quantity.readback} - {""}
        named |= set(getattr(quantity.expression, "names", ()))
    return [
        f"{name} is read and not watched"
        for name in named - envelope.quantities.keys()
        if name not in envelope.signals and name not in envelope.limits
    ]


def one(number: int, seed: int, files: list[bytes]) -> tuple[str, str]:
    """Try one file; return what became of it (in a word), and what is wrong with that."""
    chance = random.Random(f"{seed}:{number}")
    how = ""
    if number % 3 == 0:
        content, how = make_wrong(chance)
    else:
        spoil = spoil_text if number % 3 == 1 else spoil_values
        content = spoil(chance.choice(files), chance)
    begun = time.process_time()
    file, problems = verdict(content)
    took = time.process_time() - begun
    if took > SLOWEST_S:
        return "slow", f"took {took:.2f} s"
    if file is None or problems:
        silent = not problems or not all(problem.message for problem in problems)
        return "refused", "refused without a word" if silent else ""
    wrong = faults_of(file)
    if how:
        wrong.append(f"accepted although made wrong by {how}")
    return "accepted", "; ".join(wrong)


def main(arguments: list[str] | None = None) -> int:
    """Try as many as asked for; print what became of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--envelopes", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args(arguments)
    files, came, bad = valid_files(), Counter[str](), 0
    verdict(files[0])  # what is loaded once isn't the time of a file
    verdict((SAFETY / "copper.yaml").read_bytes())
    begun = time.perf_counter()
    for number in range(chosen.envelopes):
        try:
            what, wrong = one(number, chosen.seed, files)
        except Exception as error:
            what, wrong = "crashed", repr(error)
        came[what] += 1
        if wrong or what in ("crashed", "slow"):
            bad += 1
            print(f"{number} (seed {chosen.seed}): {what}: {wrong}")
    took = time.perf_counter() - begun
    print(f"{chosen.envelopes} envelope files in {took:.0f} s: {dict(came)}, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
