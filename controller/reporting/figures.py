"""Figures that follow the page: SVG whose colours are those of the page, light or dark.

Matplotlib draws with stand-in colours, which are then replaced by the page's CSS variables;
text stays text in the reader's own font.
"""

import io
import re
import warnings
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

INK = "#010101"
MUTED = "#010102"
RULE = "#010103"
PAPER = "#010104"
BLUE = "#010105"
ORANGE = "#010106"
GREEN = "#010107"
RED = "#010108"
VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    RULE: "--rule",
    PAPER: "--paper",
    BLUE: "--blue",
    ORANGE: "--orange",
    GREEN: "--green",
    RED: "--red",
}
OUTCOMES = {
    "accepted": BLUE,
    "suspect": ORANGE,
    "rejected": RED,
    "failed": RED,
    "refused": MUTED,
    "open": MUTED,
}
"""The colour of each outcome of a decision."""

STYLE: dict[Any, Any] = {
    "axes.edgecolor": RULE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 9,
    "axes.linewidth": 0.8,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlecolor": INK,
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "figure.facecolor": "none",
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "grid.color": RULE,
    "grid.linewidth": 0.5,
    "legend.fontsize": 8.5,
    "legend.frameon": False,
    "legend.labelcolor": MUTED,
    "lines.linewidth": 1.6,
    "svg.fonttype": "none",
    "svg.hashsalt": "heliostat",
    "text.color": INK,
    "xtick.color": MUTED,
    "xtick.labelsize": 8.5,
    "xtick.major.size": 3,
    "ytick.color": MUTED,
    "ytick.labelsize": 8.5,
    "ytick.major.size": 3,
}


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure in place on the page: what it shows, what it means, and where there is none, why."""

    title: str
    caption: str
    images: tuple[Markup, ...] = ()
    missing: str = ""


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of *width* x *height* inches; use it inside ``drawing()``."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasSVG(figure)
    return figure


def drawing() -> AbstractContextManager[None]:
    """Return the context in which figures are made and written."""
    return mpl.rc_context(STYLE)


def plain_axes(figure: Figure) -> Axes:
    """Return the one pair of axes of *figure*."""
    return figure.add_subplot()


def svg(figure: Figure, label: str) -> Markup:
    """Return *figure* as an SVG element; *label* says to those who can't see it what it shows."""
    stream = io.BytesIO()
    with warnings.catch_warnings():  # letters that the font lacks: the browser has them
        warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue().decode()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' width="([\d.]+)pt"', "", text, count=1)
    text = re.sub(r' height="([\d.]+)pt"', "", text, count=1)
    text = re.sub(r"(font: [^;\"]*?)'DejaVu Sans'[^;\"]*", r"\1var(--sans)", text)
    text = re.sub(r'<g id="[^"]*"', "<g", text)
    for colour, variable in VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    width = figure.get_size_inches()[0]
    opening = f'<svg role="img" aria-label="{escape(label)}" style="max-width: {width * 9:.0f}rem"'
    return Markup(opening + text[len("<svg") :])
