"""The gate's states as a figure: ``python -m tests.support.gate_states`` draws it."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.safety.states.machine import TABLE, Input, State

FILE = Path(__file__).parents[2] / "docs" / "gate-states.svg"
S, I = State, Input  # noqa: E741
QUIET = (S.ARMED, S.RUNNING, S.HOLD)
LIVE = (*QUIET, S.MAINTENANCE, S.SECURING)

PLACES = {
    S.DISARMED: (112, 124, "reads only"),
    S.ARMED: (368, 124, "checks have passed"),
    S.RUNNING: (586, 124, "a campaign writes"),
    S.HOLD: (804, 124, "no new motion"),
    S.SECURING: (430, 262, "an orderly end"),
    S.MAINTENANCE: (740, 262, "people have devices"),
    S.SAFING: (586, 424, "safe values, read back"),
    S.LATCHED: (112, 424, "until people release it"),
}


@dataclass(frozen=True, slots=True)
class Edge:
    """An arrow: from any of *sources* by any of *inputs* to *target* (None: it stays)."""

    sources: tuple[State, ...]
    inputs: tuple[Input, ...]
    target: State | None
    path: str
    at: tuple[int, int]
    word: str
    urgent: bool = False


STOP, TRIP = "emergency stop", "trip, emergency stop"
EDGES = (
    Edge((S.DISARMED,), (I.ARM,), S.ARMED, "M190 112 H288", (239, 104), "arm"),
    Edge((S.ARMED,), (I.DISARM,), S.DISARMED, "M288 136 H190", (239, 153), "disarm"),
    Edge((S.ARMED,), (I.BEGIN,), S.RUNNING, "M446 112 H506", (476, 104), "begin"),
    Edge((S.ARMED,), (I.BEGIN,), S.HOLD, "M390 88 C470 66 702 66 782 88", (586, 66), "begin, held"),
    Edge((S.RUNNING, S.HOLD), (I.END,), S.ARMED, "M506 136 H446", (476, 153), "end"),
    Edge((S.RUNNING,), (I.HOLD,), S.HOLD, "M664 112 H724", (694, 104), "hold"),
    Edge((S.HOLD,), (I.GO_ON,), S.RUNNING, "M724 136 H664", (694, 153), "go on"),
    Edge(QUIET, (I.SECURE,), S.SECURING, "M430 170 V226", (460, 204), "secure"),
    Edge((S.DISARMED, *QUIET), (I.TAKE,), S.MAINTENANCE, "M706 170 V226", (688, 204), "take"),
    Edge((S.MAINTENANCE,), (I.GIVE_BACK,), S.HOLD, "M800 226 V162", (838, 204), "give back"),
    Edge(
        (S.MAINTENANCE,),
        (I.GIVE_BACK,),
        S.DISARMED,
        "",
        (740, 316),
        "(from disarmed too, and back)",
    ),
    Edge((S.SECURING,), (I.REACHED,), S.DISARMED, "M352 250 L164 160", (262, 190), "reached"),
    Edge(
        (S.SECURING,), (I.NOT_REACHED,), S.LATCHED, "M352 280 L160 388", (300, 342), "not reached"
    ),
    Edge(LIVE, (I.TRIP, I.STOP), S.SAFING, "M586 328 V386", (656, 362), TRIP, urgent=True),
    Edge((S.DISARMED,), (I.STOP,), S.SAFING, "M136 160 L508 408", (384, 396), STOP, urgent=True),
    Edge((S.SAFING,), (I.REACHED, I.NOT_REACHED), S.LATCHED, "M506 424 H192", (300, 416), "ended"),
    Edge((S.LATCHED,), (I.STOP,), S.SAFING, "M192 448 H506", (350, 466), STOP, urgent=True),
    Edge((S.LATCHED,), (I.RESET,), S.DISARMED, "M84 388 V162", (56, 280), "reset"),
    Edge((S.LATCHED,), (I.ACKNOWLEDGE,), None, "", (112, 482), "acknowledge first"),
    Edge((S.SAFING, S.LATCHED), (I.TRIP,), None, "", (586, 482), "what trips later is listed"),
    Edge((S.SAFING,), (I.STOP,), None, "", (586, 500), "after the first cause"),
)

STYLE = """
    :root { --ink: #22252a; --muted: #6b7280; --line: #8a919c; --fill: #f5f3ee; --gate: #b9770e; --good: #2a7d4f; --goodfill: #e8f2ec; --bad: #b3372c; --badfill: #f8e9e7; }
    @media (prefers-color-scheme: dark) {
      :root { --ink: #e6e4df; --muted: #9aa1ac; --line: #767d89; --fill: #23262c; --gate: #e0a340; --good: #62bd8a; --goodfill: #1d2b24; --bad: #e2796e; --badfill: #33211f; }
    }
    text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; fill: var(--ink); text-anchor: middle; }
    .name { font-size: 17px; font-weight: 650; }
    .does { font-size: 12px; fill: var(--muted); }
    .word { font-size: 12.5px; font-style: italic; paint-order: stroke; stroke: var(--fill); stroke-width: 0; }
    .box { fill: var(--fill); stroke: var(--line); stroke-width: 1.2; }
    .runs { fill: var(--goodfill); stroke: var(--good); stroke-width: 1.6; }
    .stops { fill: var(--badfill); stroke: var(--bad); stroke-width: 1.6; }
    .around { fill: none; stroke: var(--line); stroke-width: 1.2; stroke-dasharray: 5 5; }
    .arrow { fill: none; stroke: var(--line); stroke-width: 1.6; marker-end: url(#tip); }
    .urgent { fill: none; stroke: var(--bad); stroke-width: 2; marker-end: url(#end); }"""  # noqa: E501


def drawing() -> str:
    """Return the figure as SVG."""
    return "\n".join([*_head(), *_frames(), *_arrows(), *_boxes(), "</svg>", ""])


def uncovered() -> list[str]:
    """Return the lines of the table that the figure doesn't show."""
    return [
        f"{row.input.value} from {source.value}"
        for row in TABLE
        for source in row.sources
        if not any(
            row.input in e.inputs and source in e.sources and row.target is e.target for e in EDGES
        )
    ]


def made_up() -> list[str]:
    """Return the arrows of the figure that the table doesn't have."""
    known = {(s, row.input, row.target) for row in TABLE for s in row.sources}
    return [
        f"{what.value} from {source.value}"
        for e in EDGES
        for source in e.sources
        for what in e.inputs
        if (source, what, e.target) not in known
    ]


def _head() -> Iterator[str]:
    states = ", ".join(state.value for state in State)
    yield '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 920 520" role="img" '
    yield '     aria-labelledby="t d">'
    yield '  <title id="t">The states of the gate</title>'
    yield f'  <desc id="d">The states {states}, and what leads from one to another.</desc>'
    yield f"  <style>{STYLE}\n  </style>"
    yield "  <defs>"
    for name, colour in (("tip", "#8a919c"), ("end", "#b3372c")):
        yield (
            f'    <marker id="{name}" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" '
            'markerHeight="8" orient="auto-start-reverse">'
        )
        yield f'      <path d="M0 0.8 L9.5 5 L0 9.2 Z" fill="{colour}"/></marker>'
    yield "  </defs>"


def _frames() -> Iterator[str]:
    yield '  <rect class="around" x="270" y="12" width="636" height="316" rx="12"/>'
    yield '  <text class="does" x="588" y="34">the armed marker is on disk: whoever starts and '
    yield "    finds it makes safe and latches</text>"
    yield '  <rect class="around" x="282" y="46" width="612" height="124" rx="10"/>'


def _arrows() -> Iterator[str]:
    for edge in EDGES:
        if edge.path:
            yield f'  <path class="{"urgent" if edge.urgent else "arrow"}" d="{edge.path}"/>'
        x, y = edge.at
        yield f'  <text class="word" x="{x}" y="{y}">{edge.word}</text>'


def _boxes() -> Iterator[str]:
    kinds = {S.RUNNING: "runs", S.SAFING: "stops", S.LATCHED: "stops"}
    for state, (x, y, does) in PLACES.items():
        kind = kinds.get(state, "box")
        yield f'  <rect class="{kind}" x="{x - 78}" y="{y - 36}" width="156" height="72" rx="8"/>'
        yield f'  <text class="name" x="{x}" y="{y - 3}">{state.value}</text>'
        yield f'  <text class="does" x="{x}" y="{y + 18}">{does}</text>'


if __name__ == "__main__":
    FILE.write_text(drawing(), encoding="utf-8")
