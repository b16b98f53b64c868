"""What the rules of an envelope file may name, and a reader that tells all that is wrong."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from controller.errors import ExpressionError, UnitError
from controller.safety.envelope.envelope import Limit, Members
from controller.safety.envelope.file_values import amount, difference, duration, per_second
from controller.safety.language.binding import bind
from controller.safety.language.expression import Expression
from controller.safety.language.values import Interval, Known, Margin, Term, Truth

Way = tuple[str | int, ...]
_NONE = ("", "1")
_NAME = re.compile(r"[A-Za-z_]\w*(?:\.\w+)*")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with what a file means: where it stands, and what would be accepted."""

    way: Way
    message: str
    accepted: str = ""
    about: str = ""
    """The name that nothing declares, where that is what is wrong."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Every name that rules may use: what it is, and what may be written to it."""

    terms: Mapping[str, Term]
    limits: Mapping[str, Limit | Members]
    signals: frozenset[str]
    """Those of the names that are signals; the others are quantities."""

    def unit_of(self, name: str) -> str | None:
        """Return the unit of *name*; None where it isn't a number, or nothing declares it."""
        term = self.terms.get(name)
        return None if term is None else term.unit


@dataclass(frozen=True, slots=True)
class _Unread:
    """Stands for an expression that couldn't be read; never judged."""

    text: str = ""
    names: frozenset[str] = frozenset()
    unit: str | None = None

    def truth(self, known: Known) -> Truth:
        """Return that nothing is known."""
        return Truth.UNKNOWN

    def interval(self, known: Known) -> Interval | None:
        """Return that nothing is known."""
        return None

    def margin(self, known: Known) -> float | None:
        """Return that nothing is known."""
        return None

    def measured(self, known: Known) -> Margin | None:
        """Return that nothing is known."""
        return None


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the texts of one part of a file; what can't be read becomes a fault, never an error."""

    words: Vocabulary
    at: Way
    faults: list[Fault] = field(default_factory=list)

    def fault(self, key: Way, message: str, accepted: str = "", about: str = "") -> None:
        """Note that something is wrong at *key* of this part."""
        way = (*self.at, *(step for step in key if step != ""))
        self.faults.append(Fault(way, message, accepted, about))

    def statement(self, key: str, text: str) -> Expression:
        """Return what can be true or false."""
        read = self._bound(key, text)
        if read.unit is not None:
            unit = f"a number in {read.unit}" if read.unit else "a number"
            self.fault((key,), f"{text!r} is {unit}", "a statement: compare it with something")
        return read

    def maybe(self, key: str, text: str | None) -> Expression | None:
        """Return the statement *text*, or None where there is none."""
        return None if text is None else self.statement(key, text)

    def number(self, key: str, text: str) -> Expression:
        """Return what has a value."""
        read = self._bound(key, text)
        if read.unit is None and not isinstance(read, _Unread):
            self.fault((key,), f"{text!r} is true or false", "a number or a sum of numbers")
        return read

    def signal(self, key: str, name: str, *, written: bool = False, at: Way = ()) -> str:
        """Return *name* if it is a signal; *written*: one that may be written."""
        known = self.words.limits if written else self.words.signals
        if name not in known:
            what = "has no limits, so it can't be written" if written else "nothing declares it"
            self.fault((key, *at), f"{name}: {what}", suggested(name, known), name)
        return name

    def unit(self, key: str, name: str) -> str:
        """Return the unit of *name*; empty, and a fault, where it isn't a number."""
        unit = self.words.unit_of(name)
        if unit is None:
            term = self.words.terms.get(name)
            if term is not None and not term.words:
                message = f"has neither a unit nor words, and {'.'.join(map(str, self.at))} takes"
                message = f"{message} it as a number"
                self.faults.append(Fault(("signals", name), message, "`unit: …`", name))
            elif term is not None:
                self.fault((key,), f"{name} isn't a number", "a signal with a unit")
            else:
                known = [n for n, term in self.words.terms.items() if term.unit is not None]
                self.fault((key,), f"{name}: nothing declares it", suggested(name, known), name)
        return unit or ""

    def one_unit(self, setpoint: str, readback: str) -> None:
        """Note where *setpoint* and *readback* are in two units, at the one that has none."""
        terms = self.words.terms
        if not {setpoint, readback} <= terms.keys():
            return
        aim, read = terms[setpoint].unit, terms[readback].unit
        if aim is None or read is None or aim == read:
            return
        way: Way
        if aim in _NONE and setpoint in self.words.limits:
            message = f"has no unit; {readback}, which says where it is, is in {read!r}"
            way, accepted = ("limits", setpoint), f"bounds in {read}"
        elif read in _NONE and readback not in self.words.limits:
            message = f"has no unit; {setpoint}, of which it says where it is, is in {aim!r}"
            way, accepted = ("signals", readback), f"unit: {aim}"
        else:
            message = f"{readback} is in {read!r}, its setpoint {setpoint} in {aim!r}"
            way, accepted = (*self.at, "readback"), f"both in {aim}, or another readback"
        self.faults.append(Fault(way, message, accepted, f"{setpoint} {readback}"))

    def in_unit(self, key: str, text: str | None, name: str, *, step: bool = False) -> float:
        """Return the amount (*step*: the difference) *text* in the unit of *name*; 0 for none."""
        unit = self.words.unit_of(name)
        if text is None or unit is None:
            return 0.0
        return self._converted(key, difference if step else amount, text, unit, name)

    def amount(self, key: str, text: str, unit: str) -> float:
        """Return the amount *text* in *unit*."""
        return self._converted(key, amount, text, unit)

    def per_second(self, key: str, text: str | None, name: str) -> float:
        """Return the rate *text* in the unit of *name*, per second; 0 where there is none."""
        unit = self.words.unit_of(name)
        if text is None or unit is None:
            return 0.0
        return self._converted(key, per_second, text, unit, name)

    def _bound(self, key: str, text: str) -> Expression:
        try:
            return bind(text, self.words.terms)
        except ExpressionError as error:
            told = self._units_of(text) if isinstance(error.__cause__, UnitError) else ""
            self.fault((key,), f"{error}{told}")
            return _Unread(text)

    def _units_of(self, text: str) -> str:
        """Return what the names in *text* are declared in: one of them may be wrong."""
        met = dict.fromkeys(_NAME.findall(text))
        units = {name: self.words.unit_of(name) for name in met}
        told = [f"{name} in {unit!r}" for name, unit in units.items() if unit is not None]
        return f"; as declared, {', '.join(told)}" if told else ""

    def _converted(
        self, key: str, how: Callable[[str, str], float], text: str, unit: str, about: str = ""
    ) -> float:
        try:
            return how(text, unit)
        except ValueError as error:
            accepted = f"what converts to {unit}" if unit else "no unit"
            self.fault((key,), str(error), accepted, about)
            return 0.0


def lasting(text: str | None) -> float:
    """Return the seconds of a duration that has been found to be one; 0 where there is none."""
    return 0.0 if text is None else duration(text)


def suggested(name: str, known: Iterable[str]) -> str:
    """Return what could have been meant by *name*, or what there is."""
    names = sorted(known)
    near = difflib.get_close_matches(name[:100], names, n=1, cutoff=0.6)
    if near:
        return f"did you mean {near[0]!r}?"
    shown = ", ".join(names[:12])
    return (f"{shown} and {len(names) - 12} more" if len(names) > 12 else shown) or "nothing"
