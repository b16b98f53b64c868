"""Runs the startup code that a beamline file names, and takes the devices that it makes.

The code is the user's own and runs as it would in a session of theirs, with three differences:
what lies beside the beamline file can be imported; ophyd-async devices don't connect (that is
the controller's to do, behind the gate); and only files that the beamline file names run.
"""

import importlib
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from controller.errors import WriteRefused
from controller.versions import SOURCES

ACCEPTED = "module:function, a module, or a .py file or folder of them beside the beamline file"

_ROOT = Path(__file__).resolve().parents[2]
_LIBRARIES = (Path(sysconfig.get_path(kind)) for kind in ("stdlib", "purelib", "platlib"))
_OF_ALL = (*(_ROOT / package for package in SOURCES), *_LIBRARIES)
"""Where modules lie that are nobody's own: ours, the standard library, what is installed."""


class StartupFailed(Exception):
    """Startup code could not be found, or raised: says what, in which file and line."""

    def __init__(self, message: str, accepted: str = ""):
        self.accepted = accepted
        super().__init__(message)


@contextmanager
def code_of(folder: Path) -> Iterator[Path]:
    """Let code beside the beamline file in *folder* be imported; gives *folder*.

    It comes first for the length of the block, and last afterwards: what a device imports later
    is found still, and nothing of the standard library is shadowed for the rest of the process.
    """
    place = str(folder)
    had = place in sys.path
    sys.path.insert(0, place)
    importlib.invalidate_caches()
    try:
        yield folder
    finally:
        sys.path.remove(place)
        if not had:
            sys.path.append(place)


@contextmanager
def nothing_connects() -> Iterator[None]:
    """Let ophyd-async devices not connect while they are made (``init_devices`` names them).

    A RunEngine that the code makes for itself is left to it: its event loop isn't bluesky's
    default one afterwards.
    """
    from bluesky.run_engine import get_bluesky_event_loop, set_bluesky_event_loop
    from ophyd_async.core import Device

    original, loop = Device.connect, get_bluesky_event_loop()

    async def later(*_: Any, **__: Any) -> None:
        """Don't connect yet."""

    Device.connect = later  # type: ignore[method-assign]
    try:
        yield
    finally:
        Device.connect = original  # type: ignore[method-assign]
        set_bluesky_event_loop(loop)


@contextmanager
def nothing_is_written() -> Iterator[None]:
    """Let classic devices that are made in a block read, and refuse whatever is put to them.

    Their PVs are refused the put, whoever asks: a startup file, a device that sets itself up.
    Where the gate's own control layer stands, nothing need be done: it refuses by itself.
    """
    import ophyd

    original = ophyd.cl
    if hasattr(original, "gate_layer"):
        yield
        return

    def get_pv(pvname: str, *args: Any, **kwargs: Any) -> Any:
        pv = original.get_pv(pvname, *args, **kwargs)
        pv.put = partial(_refuse, pvname)
        return pv

    ophyd.cl = SimpleNamespace(**{**vars(original), "get_pv": get_pv, "caput": _refuse})
    try:
        yield
    finally:
        ophyd.cl = original


def _refuse(pvname: str, *_: Any, **__: Any) -> None:
    raise WriteRefused(f"{pvname}: nothing is written while devices are made or looked at")


def devices_from(text: str, folder: Path) -> dict[str, Any]:
    """Return what the code that *text* names makes, by name; StartupFailed when it doesn't.

    A module or files give the devices of their namespace; of a function's mapping or iterable,
    everything is returned, devices or not.
    """
    if ":" in text:
        return _made_by(function_of(text, folder), text)
    place = seen_from(folder, text)
    if place.is_dir() or place.suffix == ".py" or "/" in text:
        return in_namespace(_executed(place))
    return in_namespace(vars(_module(text, folder)))


def in_namespace(namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return the whole devices (no parts of others) in *namespace*, each once.

    One that has several names is called by its own name where that is one of them.
    """
    found: dict[int, tuple[str, Any]] = {}
    for name, value in namespace.items():
        if name.startswith("_") or not is_device(value) or value.parent is not None:
            continue
        if id(value) not in found or value.name == name:
            found[id(value)] = (name, value)
    return dict(found.values())


def is_device(value: Any) -> bool:
    """Whether *value* is a device or signal of ophyd-async or classic ophyd."""
    if isinstance(value, (type, ModuleType)):
        return False
    return is_async(value) or is_classic(value)


def is_async(value: Any) -> bool:
    """Whether *value* is a device or signal of ophyd-async."""
    core = sys.modules.get("ophyd_async.core")
    return core is not None and isinstance(value, core.Device)


def is_classic(value: Any) -> bool:
    """Whether *value* is a device or signal of classic ophyd; nobody imported it: it isn't."""
    classic = sys.modules.get("ophyd.ophydobj")
    return classic is not None and isinstance(value, classic.OphydObject)


def seen_from(folder: Path, text: str) -> Path:
    """Return the path *text* as seen from *folder*, from the root."""
    return (folder / Path(text).expanduser()).resolve()


def function_of(text: str, folder: Path) -> Callable[..., Any]:
    """Return the function that *text* (``package.module:function``) names; StartupFailed if none.

    Call it within ``code_of`` *folder*.
    """
    module_name, _, name = text.partition(":")
    module = _module(module_name, folder)
    function = getattr(module, name, None)
    if not callable(function):
        raise StartupFailed(f"module {module.__name__!r} has no function {name!r}", ACCEPTED)
    return function  # type: ignore[no-any-return]


def _made_by(function: Callable[..., Any], text: str) -> dict[str, Any]:
    try:
        made = function()
    except Exception as error:  # the user's code; told with its file and line
        raise StartupFailed(_last_words(f"{text} failed", error)) from error
    if isinstance(made, Mapping):
        return {str(name): device for name, device in made.items()}
    if not isinstance(made, Iterable):
        accepted = "a mapping of devices by name, or several devices"
        raise StartupFailed(f"{text} returned {type(made).__name__}", accepted)
    return _by_name(made, text)


def _by_name(devices: Iterable[Any], text: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for device in devices:
        name = str(getattr(device, "name", "") or "")
        if not name:
            raise StartupFailed(f"{text} made a {type(device).__name__} without a name", "a name")
        if found.get(name, device) is not device:
            raise StartupFailed(f"{text} made two devices called {name!r}", "names that differ")
        found[name] = device
    return found


def _module(name: str, folder: Path) -> ModuleType:
    """Return the module *name*; one that another folder's code left under it is loaded anew.

    What is ours, or installed, stays: StartupFailed for code in *folder* that is called like it.
    """
    top = name.partition(".")[0]
    here = [place for place in (folder / top, folder / f"{top}.py") if place.exists()]
    if here:
        for loaded in [n for n in sys.modules if n == top or n.startswith(f"{top}.")]:
            module = sys.modules[loaded]
            if _lies_in(module, folder):
                continue
            if any(_lies_in(module, place) for place in _OF_ALL):
                message = f"{here[0]}: is called like a module that heliostat itself uses"
                raise StartupFailed(message, f"another name than {top!r}")
            del sys.modules[loaded]
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise StartupFailed(f"there is no module {error.name!r}", ACCEPTED) from error
        raise StartupFailed(_last_words(f"importing {name} failed", error)) from error
    except Exception as error:  # the user's code; told with its file and line
        raise StartupFailed(_last_words(f"importing {name} failed", error)) from error


def _lies_in(module: ModuleType, folder: Path) -> bool:
    places = [getattr(module, "__file__", None), *getattr(module, "__path__", ())]
    return any(place is not None and Path(place).is_relative_to(folder) for place in places)


class _Shell:
    """What startup files may ask of IPython: their namespace; whatever is for people is nothing."""

    def __init__(self, namespace: dict[str, Any]) -> None:
        self.user_ns = namespace

    def __getattr__(self, name: str) -> Callable[..., None]:
        if name.startswith("_"):
            raise AttributeError(name)
        return lambda *_, **__: None


def _executed(place: Path) -> dict[str, Any]:
    """Return the namespace in which the file or the folder's files ran, as IPython's startup."""
    files = sorted(place.glob("*.py")) if place.is_dir() else [place]
    if not files or not files[0].is_file():
        raise StartupFailed(f"there is no Python file at {place}", ACCEPTED)
    magic = sorted(path.name for path in place.glob("*.ipy"))
    if magic:
        message = f"{', '.join(magic)}: has IPython's own syntax, which isn't Python"
        raise StartupFailed(message, "the same as .py, with get_ipython().run_line_magic(…)")
    namespace: dict[str, Any] = {"__name__": "__main__", "__builtins__": __builtins__}
    namespace["get_ipython"] = partial(_Shell, namespace)
    for file in files:
        namespace["__file__"] = str(file)
        try:
            code = compile(file.read_bytes(), str(file), "exec", dont_inherit=True)
            exec(code, namespace)  # noqa: S102  (the startup files that the user names)
        except (Exception, SystemExit) as error:  # the user's code; told with its file and line
            raise StartupFailed(_last_words(f"{file.name} failed", error)) from error
    return namespace


def _last_words(what: str, error: BaseException) -> str:
    """Return *what* with the last line of *error*'s traceback and where it happened."""
    said = "".join(traceback.format_exception_only(error)).strip().splitlines()[-1]
    frames = traceback.extract_tb(error.__traceback__)
    ours = str(Path(__file__).parents[1])
    theirs = [f for f in frames if not f.filename.startswith((ours, "<frozen"))]
    place = f" ({theirs[-1].filename}, line {theirs[-1].lineno})" if theirs else ""
    return f"{what}: {said}{place}"
