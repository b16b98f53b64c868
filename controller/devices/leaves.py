"""Which leaves of a device no gate could judge, whatever library it is of."""

from collections.abc import Iterator
from typing import Any

from controller.devices.startup import is_async, is_classic
from controller.safety.devices.connectors import leaves

VERBS = ("set", "kickoff", "prepare", "put", "move")
"""How a device acts on the world; what has none of them can be read at most."""
ADVICE = (
    "give it an EPICS signal, or say `actuates: false` (`passive:` beside `from` or `happi`) if it "
    "acts on nothing in the world; what isn't EPICS can be a `driver`"
)


def ungated(path: str, device: Any) -> Iterator[tuple[str, str]]:
    """Yield (path, why) of every leaf of *device* that can be written past a gate.

    EPICS signals of both libraries can't: their puts are the gate's. Nothing connects for this.
    """
    if is_async(device):
        silent = not any(leaves(path, device))
    elif is_classic(device):
        from controller.safety.devices.classic_leaves import classic_leaves, why_not_gated

        found = list(classic_leaves(path, device))
        silent = not found
        yield from ((leaf.path, why) for leaf in found if (why := why_not_gated(leaf)))
    else:
        yield path, f"a {type(device).__name__} is a device neither of ophyd-async nor of ophyd"
        return
    if silent:
        yield from _speechless(path, device)


def _speechless(path: str, device: Any) -> Iterator[tuple[str, str]]:
    """A device that acts on the world, and not through signals: nobody sees what it does."""
    kind = type(device)
    for verb in VERBS:
        if callable(getattr(kind, verb, None)):
            yield path, f"{kind.__name__} has no signal: what its {verb}() does goes elsewhere"
            return
