"""Whether the values that are written when the bench holds can be written, and kept.

Each is judged as any write is; one that surely breaks a rule would never be written, or trips once
it has arrived. What the envelope doesn't write then may be anything within its limits.
"""

from collections.abc import Iterator, Mapping

from controller.safety.envelope.envelope import Envelope
from controller.safety.envelope.reachability import breaks, state_after
from controller.safety.envelope.specs import Permit, Requires
from controller.safety.envelope.supposing import exactly
from controller.safety.envelope.vocabulary import Fault, Way


def unholdable(envelope: Envelope) -> list[Fault]:
    """Return which hold values surely break a rule: each by itself, and all of them together.

    A signal's safe value is left out: no rule stands against it.
    """
    judged = {s: v for s, v in envelope.hold.items() if not envelope.is_safe(s, v)}
    faults = [
        fault
        for signal, value in judged.items()
        for fault in _broken(envelope, {signal: value}, ("hold", signal))
    ]
    if judged and not faults:
        faults += _broken(envelope, envelope.hold, ("hold",))
    return faults


def _broken(envelope: Envelope, writes: Mapping[str, float | str], way: Way) -> Iterator[Fault]:
    """Yield each rule that is surely broken after *writes*, or once they have arrived."""
    written = {signal: exactly(value) for signal, value in writes.items()}
    what = ", ".join(f"{signal} = {value!r}" for signal, value in writes.items())
    states = [state_after(envelope, written, arrived=arrived) for arrived in (False, True)]
    for rule in envelope.rules:
        if isinstance(rule, (Requires, Permit)) and any(breaks(rule, state) for state in states):
            needed = "" if rule.requires is None else f"{rule.requires.text!r} isn't so then"
            message = f"{what} breaks rule {rule.name!r}: {needed}"
            yield Fault(way, message, "hold values that keep every rule")
