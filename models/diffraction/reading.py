"""Powder patterns from files: .xy, .xye, .dat, .txt, .csv and .npz.

A text has an angle and an intensity in each row, parted by blanks, commas, semicolons or tabs,
decimal commas too; lines without numbers are comments, the last one before the numbers may name
the columns. An NPZ has a 2-theta axis and intensities over it, one pattern (n) or many (m x n),
several pairs by a common end of their names (``two_theta_8min`` and ``counts_8min``).
"""

import io
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from models.diffraction.powder import Powder, powder
from models.diffraction.radiation import LONGEST, SHORTEST, FloatArray
from models.errors import PatternError

SUFFIXES = (".xy", ".xye", ".dat", ".txt", ".csv", ".npz", ".chi", ".tsv")
ANGLES = ("2theta", "twotheta", "tth", "2th", "angle", "2θ", "x", "theta2", "ttheta", "deg")
MOMENTA = ("q", "qa1", "qinva", "qinvnm", "qnm1", "qnm", "qa")
INTENSITIES = ("counts", "intensity", "int", "i", "yobs", "iobs", "cps", "y", "xrd", "signal")
NOT_PATTERNS = ("sigma", "error", "err", "esd", "std", "background", "bkg", "bg", "weight", "ycalc")
ACCEPTED = "accepted are an angle (2-theta in degrees, or q) and an intensity in each row"

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][-+]?\d+)?")
_COMMA = re.compile(r"[-+]?\d+,\d+(?:[eE][-+]?\d+)?")
_WAVELENGTH = re.compile(
    r"(?:wave[ _]?length|lambda)\w*[^0-9\n]{0,20}(\d*\.\d+(?:[eE][-+]?\d+)?)\s*(nm|m\b)?", re.I
)


def read_patterns(path: Path) -> list[Powder]:
    """Return the patterns in *path*, a file; raises PatternError, which says what is wrong."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise PatternError(f"{path}: can't be read: {error.strerror or error}") from error
    if raw.startswith(b"PK\x03\x04"):
        return _from_npz(raw, path)
    wide = raw.startswith((b"\xff\xfe", b"\xfe\xff"))
    text = raw.decode("utf-16" if wide else "utf-8-sig", errors="replace")
    if "\0" in text[:4096]:
        raise PatternError(f"{path}: is neither a text nor an NPZ file; {ACCEPTED}")
    return _from_text(text, path)


def pattern_files(paths: Sequence[Path]) -> list[Path]:
    """Return *paths*, in place of a folder the pattern files in it; raises PatternError."""
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        inside = sorted(p for p in path.iterdir() if p.suffix.lower() in SUFFIXES)
        if not inside:
            raise PatternError(f"{path}: holds no pattern ({', '.join(SUFFIXES)})")
        found += inside
    return found


def _from_text(text: str, path: Path) -> list[Powder]:
    rows: list[list[float]] = []
    names: list[str] = []
    for line in text.splitlines():
        numbers = _numbers(line)
        if len(numbers) >= 2:
            rows.append(numbers)
        elif not rows and re.search(r"[^\W\d]", line):
            names = [_plain(word) for word in re.split(r"[,;\t]+|\s{2,}", line.strip(" #!'\";/"))]
            if len(names) < 2:
                names = [_plain(word) for word in line.strip(" #!'\";/").split()]
    if not rows:
        raise PatternError(f"{path}: holds no rows of numbers; {ACCEPTED}")
    width = int(np.bincount([len(row) for row in rows]).argmax())
    table = np.array([row for row in rows if len(row) == width])
    head = text[: text.find("\n", 4000)] if len(text) > 4000 else text
    wavelength = _wavelength(head)
    names = names if len(names) == width else []
    axis, columns = _columns(names, width)
    of_q, scale = _axis_unit(names[axis] if names else "", table[:, axis])
    out = []
    for column in columns:
        name = path.name if len(columns) == 1 else f"{path.name} {names[column]}"
        values = table[:, column]
        out.append(powder(name, table[:, axis] * scale, values, of_q=of_q, wavelength=wavelength))
    return out


def _numbers(line: str) -> list[float]:
    """Return the numbers of *line*, or none where it begins with something else."""
    words = line.split()
    if len(words) >= 2 and all(_COMMA.fullmatch(w) or _NUMBER.fullmatch(w) for w in words):
        words = [word.replace(",", ".") for word in words]
    elif ";" in line:
        words = [word.strip().replace(",", ".") for word in line.split(";")]
    else:
        words = [word.strip() for word in re.split(r"[,\s]+", line.strip())]
    out = []
    for word in (w for w in words if w):
        if not (_NUMBER.fullmatch(word) or word.lower() in {"nan", "inf", "-inf"}):
            break
        out.append(float(word.lower().replace("d", "e")))
    return out


def _columns(names: list[str], width: int) -> tuple[int, list[int]]:
    """Return which column is the axis, and which are patterns."""
    if not names:
        return 0, [1]
    axis = next((k for k, n in enumerate(names) if _is(n, ANGLES) or _is(n, MOMENTA)), 0)
    rest = [k for k in range(width) if k != axis]
    known = [k for k in rest if _is(names[k], INTENSITIES)]
    other = [k for k in rest if names[k] and not names[k].startswith(NOT_PATTERNS)]
    return axis, known or other or rest[:1]


def _is(name: str, known: Sequence[str]) -> bool:
    return name in known or any(len(k) > 2 and name.startswith(k) for k in known)


def _plain(word: str) -> str:
    """Return the letters and digits of *word* in lower case, units in brackets left out."""
    bare = re.sub(r"[\(\[\{].*?[\)\]\}]", "", word.lower())
    unit = "nm" if "nm" in word.lower() and bare.strip().startswith("q") else ""
    return re.sub(r"[^0-9a-zθ]", "", bare).replace("nm", "").replace("unit", "") + unit


def _axis_unit(name: str, values: FloatArray) -> tuple[bool, float]:
    """Return whether the axis is q, and what brings it to 1/Å or degrees."""
    if not (name.startswith("q") and not name.startswith("qu")):
        return False, 1.0
    return True, 0.1 if "nm" in name or float(np.nanmax(values)) > 25 else 1.0


def _wavelength(head: str) -> float | None:
    found = _WAVELENGTH.search(head)
    if found is None:
        return None
    value = float(found[1]) * {"nm": 10.0, "m": 1e10}.get((found[2] or "").lower(), 1.0)
    value = value * 1e10 if value < 1e-8 else value
    return value if SHORTEST <= value <= LONGEST else None


def _from_npz(raw: bytes, path: Path) -> list[Powder]:
    try:
        with np.load(io.BytesIO(raw), allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as error:
        raise PatternError(f"{path}: can't be read as NPZ: {error}") from error
    axes = {n: a for n, a in arrays.items() if a.dtype.kind in "fiu" and _npz_axis(n)}
    if not axes:
        raise PatternError(
            f"{path}: holds no axis; name it two_theta_deg (or tth, q_inv_A), it has: "
            + ", ".join(arrays)
        )
    labels = next(
        (a for n, a in arrays.items() if a.dtype.kind == "U" and a.ndim == 1 and _labels(n)), None
    )
    out: list[Powder] = []
    for name, axis in axes.items():
        out += _pairs(path, name, axis, arrays, labels)
    if not out:
        raise PatternError(f"{path}: holds no intensities of the length of {', '.join(axes)}")
    return out


def _pairs(
    path: Path,
    name: str,
    axis: FloatArray,
    arrays: dict[str, FloatArray],
    labels: "FloatArray | None",
) -> list[Powder]:
    """Return the patterns over the axis *name* of an NPZ."""
    length = axis.shape[-1] if axis.ndim else 0
    fitting = [
        key
        for key, array in arrays.items()
        if key != name
        and not _npz_axis(key)
        and array.dtype.kind in "fiu"
        and array.ndim in {1, 2}
        and array.shape[-1] == length
        and not _plain(key).startswith(NOT_PATTERNS)
        and (any(_plain(key).startswith(k) for k in INTENSITIES if len(k) > 1) or key in "yiI")
    ]
    ends = [key for key in fitting if key.rpartition("_")[2] == name.rpartition("_")[2]]
    of_q, scale = _axis_unit(_plain(name), axis)
    out = []
    for key in ends or fitting:
        block = np.atleast_2d(arrays[key])
        for row, values in enumerate(block):
            end = f" {key}" if len(ends or fitting) > 1 or ends else ""
            label = str(row) if labels is None or len(labels) != len(block) else str(labels[row])
            title = f"{path.name}{end} {label}" if len(block) > 1 else f"{path.name}{end}"
            x = axis[row] if axis.ndim == 2 else axis
            out.append(powder(title, np.asarray(x) * scale, values, of_q=of_q))
    return out


def _npz_axis(name: str) -> bool:
    plain = _plain(name)
    angle = plain in {"x", "angle"} or plain.startswith(("twotheta", "2theta", "tth"))
    return angle or plain == "q" or plain.startswith(("qinv", "qnm"))


def _labels(name: str) -> bool:
    return name.lower() in {"name", "names", "label", "labels", "sample", "samples", "title"}
