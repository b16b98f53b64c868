"""The files of the user's own code that a campaign runs: devices, plans, agents, what they import.

They are found by reading, nothing is run: what lies beside the beamline file (or the agent's) and
is named by the files, or by what is named: imported, loaded with ``import_module``, or a text in
the code that is the path of a .py file. What is installed elsewhere isn't looked at, nor are names
that the code puts together when it runs, or files other than code that it reads.
"""

import ast
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from controller.files.beamline import Beamline, DeviceEntries, DevicesFrom
from controller.files.campaign import Campaign
from controller.resolving import ResolvedCampaign, absolute, own_files
from controller.versions import file_digests

SUFFIX = ".py"
LOADERS = ("import_module", "__import__", "run_module", "run_path")
"""Functions that load what their first argument names."""
LONGEST = 255
"""Characters of a text in the code that may be a path."""


def code_files(resolved: ResolvedCampaign) -> tuple[str, ...]:
    """Return the files of the user's own code in *resolved*, from the root, in order."""
    folder = Path(resolved.campaign.beamline).parent
    found: set[Path] = set()
    _follow(_named(resolved.beamline, resolved.campaign, folder), folder, found)
    for file in own_files(resolved.campaign.agent):
        _follow((Path(file),), Path(file).parent, found)
    return tuple(sorted(str(path) for path in found))


def changed_code(digests: Mapping[str, str], resolved: ResolvedCampaign) -> tuple[str, ...]:
    """Return the files of the user's own code that aren't as *digests* (SHA-256 by path) say.

    That is what has changed, what is gone, and what belongs to *resolved* now and didn't then.
    """
    return (*changed_files(digests), *new_files(digests, resolved))


def new_files(digests: Mapping[str, str], resolved: ResolvedCampaign) -> tuple[str, ...]:
    """Return the files of the user's own code in *resolved* that aren't among *digests*."""
    return tuple(path for path in code_files(resolved) if path not in digests)


def changed_files(digests: Mapping[str, str]) -> tuple[str, ...]:
    """Return those files of *digests* (SHA-256 by path) that are other ones now, or gone."""
    now = file_digests(digests)
    return tuple(path for path, digest in digests.items() if now.get(path) != digest)


def _named(beamline: Beamline, campaign: Campaign, folder: Path) -> Iterator[Path]:
    """Yield the files that the beamline file and the plans name."""
    match beamline.devices:
        case DeviceEntries(root=entries):
            for entry in entries.values():
                path = entry.made_by
                yield from _modules(path.rpartition(":" if ":" in path else ".")[0], folder)
        case DevicesFrom(from_=text):
            place = Path(absolute(text, folder))
            if ":" not in text and (place.is_dir() or place.suffix == SUFFIX or "/" in text):
                yield from sorted(place.glob(f"*{SUFFIX}")) if place.is_dir() else (place,)
            else:
                yield from _modules(text.partition(":")[0], folder)
        case elsewhere:
            database = Path(absolute(elsewhere.happi, folder))
            yield database
            for path in _classes(database):
                yield from _modules(path.rpartition(".")[0], folder)
    for name in _own_plans(campaign):
        yield from _modules(name.partition(":")[0], folder)


def _classes(database: Path) -> Iterator[str]:
    """Yield the class of each active item of the happi *database*; who loads it says what's bad."""
    try:
        items = json.loads(database.read_bytes())
    except (OSError, ValueError):
        return
    for item in items.values() if isinstance(items, dict) else ():
        if isinstance(item, dict) and item.get("active", True):
            yield str(item.get("device_class") or "")


def _own_plans(campaign: Campaign) -> Iterator[str]:
    when = campaign.measure_when
    calls = [campaign.plan, campaign.finally_, *(one.plan for one in campaign.upkeep)]
    if campaign.remeasure is not None:
        calls.append(campaign.remeasure.plan)
    calls += [when.settle] if when is not None else []
    return (call.name for call in calls if call is not None and call.is_own)


def _follow(files: Iterable[Path], folder: Path, found: set[Path]) -> None:
    """Put *files* into *found*, and what they import from *folder*."""
    for file in files:
        if file not in found and file.is_file():
            found.add(file)
            _follow(_imported(file, folder), folder, found)


def _imported(file: Path, folder: Path) -> Iterator[Path]:
    if file.suffix != SUFFIX:
        return
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError):  # who loads it says so
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield from _modules(name.name, folder)
        elif isinstance(node, ast.ImportFrom):
            place = file.parents[node.level - 1] if node.level else folder
            module = node.module or ""
            yield from _modules(module, place)
            for name in node.names:  # a name may be a module of the package
                yield from _modules(f"{module}.{name.name}".strip("."), place)
        elif isinstance(node, ast.Call):
            yield from _loaded(node, folder)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _named_in(node.value, file.parent, folder)


def _loaded(call: ast.Call, folder: Path) -> Iterator[Path]:
    """Yield the files of the module that *call* loads by its name."""
    what = call.func
    called = what.attr if isinstance(what, ast.Attribute) else getattr(what, "id", "")
    if called in LOADERS and call.args and isinstance(call.args[0], ast.Constant):
        yield from _modules(str(call.args[0].value), folder)


def _named_in(text: str, *folders: Path) -> Iterator[Path]:
    """Yield the .py file in *folders* whose path *text* is."""
    if text.endswith(SUFFIX) and text.isprintable() and len(text) <= LONGEST:
        yield from (place for folder in folders if (place := folder / text).is_file())


def _modules(name: str, folder: Path) -> Iterator[Path]:
    """Yield the files in *folder* that are run when the module *name* is imported from there."""
    place = folder
    for part in name.split(".") if name else ():
        place /= part
        for file in (place.with_name(f"{part}{SUFFIX}"), place / f"__init__{SUFFIX}"):
            if file.is_file():
                yield file
