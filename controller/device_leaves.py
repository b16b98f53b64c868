"""The signals of a device, whatever library it is of: their paths, and which no gate can hold."""

from collections.abc import Iterator
from typing import Any

from controller.safety.connectors import leaves
from controller.startup import is_async, is_classic

VERBS = ("set", "kickoff", "prepare", "put", "move")
"""How a device acts on the world; what has none of them can be read at most."""
ADVICE = (
    "give it an EPICS signal, or say `actuates: false` (`passive:` beside `from` or `happi`) if it "
    "acts on nothing in the world"
)


def ungated(path: str, device: Any) -> Iterator[tuple[str, str]]:
    """Yield (path, why) of every leaf of *device* that can be written past a gate.

    EPICS signals of both libraries can't: their puts are the gate's. A signal in memory acts on
    nothing. Parts of a classic device are looked at by their class, so that nothing connects.
    """
    if is_async(device):
        if not any(leaves(path, device)):
            yield from _speechless(path, device)
        return
    if not is_classic(device):
        yield path, f"a {type(device).__name__} is a device neither of ophyd-async nor of ophyd"
        return
    parts = list(classes(path, type(device)))
    for leaf, kind in parts:
        why = _writes_itself(kind)
        if why:
            yield leaf, why
    if parts != [(path, type(device))] and not any(_is_epics(kind) for _, kind in parts):
        yield from _speechless(path, device)


def _speechless(path: str, device: Any) -> Iterator[tuple[str, str]]:
    """A device that acts on the world, and not through signals: nobody sees what it does."""
    kind = type(device)
    for verb in VERBS:
        if callable(getattr(kind, verb, None)):
            yield (
                path,
                f"{kind.__name__} has no EPICS signal: what its {verb}() does goes elsewhere",
            )
            return


def classes(path: str, kind: type) -> Iterator[tuple[str, type]]:
    """Yield (path, class) of every signal in a classic device of class *kind*, lazy ones too."""
    parts = getattr(kind, "_sig_attrs", None)
    if parts is None:
        yield path, kind
        return
    for name, part in parts.items():
        inner = part.cls
        if isinstance(inner, type):
            yield from classes(f"{path}.{name}", inner)


def _is_epics(kind: type) -> bool:
    from ophyd.signal import EpicsSignalBase

    return issubclass(kind, EpicsSignalBase)


def _writes_itself(kind: type) -> str:
    """Return why a signal of class *kind* writes past EPICS; empty when it doesn't."""
    from ophyd.signal import EpicsSignalBase, SignalRO

    if issubclass(kind, (EpicsSignalBase, SignalRO)):
        return ""
    for verb in ("put", "set"):
        owner = next(base for base in kind.__mro__ if verb in vars(base))
        module = owner.__module__
        if not module.startswith("ophyd.") or module.startswith("ophyd.sim"):
            return f"{owner.__name__}.{verb}() ({module}) writes by itself, not to EPICS"
    return ""
