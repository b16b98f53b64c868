"""How fast the time of a twin passes, and when that is too fast for what is watched."""

from collections.abc import Iterator

from controller.resolving import ResolvedCampaign
from controller.safety.envelope.envelope import Envelope
from controller.safety.envelope.specs import Arrival

NETWORK_S = 0.5
"""What a write, the answer of the soft IOC and the gate's look at it take (real seconds)."""


def speed_of(resolved: ResolvedCampaign, asked: float | None = None) -> float:
    """Return how many seconds of the campaign pass in a real one; 1 where there is no twin.

    What is *asked* for now goes before what `run` was told, and that before the beamline file.
    """
    twin = resolved.beamline.twin
    if twin is None:
        return 1.0
    before = twin.speed if resolved.wishes.speed is None else resolved.wishes.speed
    return before if asked is None else asked


def too_fast(envelope: Envelope, speed: float) -> str:
    """Return a warning where *speed* leaves a deadline of *envelope* less than ``NETWORK_S``.

    Those deadlines count in the time of the campaign; the network doesn't go faster with it.
    """
    shortest = min(_deadlines(envelope), default=None)
    if shortest is None or shortest[0] >= NETWORK_S * speed:
        return ""
    seconds, rule = shortest
    return (
        f"warning: at speed {speed:g} the {seconds:g} s of the rule {rule!r} are "
        f"{seconds / speed * 1000:.3g} ms of yours, and Channel Access and the gate need some "
        f"{NETWORK_S * 1000:g}: the rule may trip a bench that is well; "
        f"give --speed {seconds / NETWORK_S:g} or less"
    )


def _deadlines(envelope: Envelope) -> Iterator[tuple[float, str]]:
    for rule in envelope.rules:
        if isinstance(rule, Arrival):
            yield rule.within_s, rule.name
            if rule.begins_s > 0.0:
                yield rule.begins_s, rule.name
