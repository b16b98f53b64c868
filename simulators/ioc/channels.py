"""Caproto channels whose values are those of mock signals, and whose writes are the bench's."""

# mypy: disable-error-code="misc"
# (caproto has no types: every class of it is Any)

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import numpy as np
from caproto import (
    AccessRights,
    CaprotoValueError,
    ChannelByte,
    ChannelChar,
    ChannelData,
    ChannelDouble,
    ChannelEnum,
    ChannelFloat,
    ChannelInteger,
    ChannelShort,
    ChannelString,
    ChannelType,
    SubscriptionType,
    native_type,
)
from ophyd_async.core import Array1D, get_enum_cls

from simulators.errors import NotServed
from simulators.records import COMMUNICATION, Alarm, Record

BOOLEANS = ("Off", "On")
MOST_ELEMENTS = 20_001
"""Of an array whose record says nothing: a spectrum on the largest grid."""
MOST_CHARACTERS = 39
"""Of an EPICS string; a record with a ``length`` beyond becomes an array of characters."""
EVERYTHING = SubscriptionType.DBE_VALUE | SubscriptionType.DBE_LOG | SubscriptionType.DBE_ALARM

Put = Callable[[Any], Awaitable[None]]


class Served:
    """What every channel here adds to caproto's: ``show`` for the bench, ``put`` for clients.

    ``put`` gets the value in the words of the device, and returns when the bench is done with it:
    that is when the client is told that its put is complete. None: nobody may write.
    """

    put: Put | None = None
    silent: bool = False
    may_write: Callable[[str | None], bool] | None = None
    """Whether the Channel Access user of this name may write; None: everybody may."""

    def decoded(self, value: Any) -> Any:
        """Return what a client wrote in the words of the device."""
        return value

    def encoded(self, value: Any) -> Any:
        """Return the device's *value* as the channel keeps it."""
        return value

    def check_access(self, _hostname: object, username: str | None) -> AccessRights:
        """Return what the user *username* may do."""
        if self.put is None or (self.may_write is not None and not self.may_write(username)):
            return AccessRights.READ
        return AccessRights.READ | AccessRights.WRITE

    async def write(self, value: Any, **_: Any) -> None:
        """Take a client's put; returns when the bench has done what was asked."""
        if self.put is None:
            raise CaprotoValueError("this record can't be written")
        await self.put(self.decoded(value))

    async def publish(self, flags: Any) -> None:
        """Tell subscribers, unless they are to hear nothing."""
        if not self.silent:
            await super().publish(flags)

    async def show(
        self, value: Any, timestamp: float, alarm: Alarm, *, silent: bool = False
    ) -> None:
        """Keep *value* as of *timestamp* (s since 1970); tell subscribers, unless *silent*."""
        self.silent = silent
        await super().write(
            self.encoded(value),
            verify_value=False,
            flags=EVERYTHING,
            timestamp=timestamp,
            status=alarm.status,
            severity=alarm.severity,
        )


class _Double(Served, ChannelDouble):
    def decoded(self, value: Any) -> Any:
        return float(_scalar(value))


class _Integer(Served, ChannelInteger):
    def decoded(self, value: Any) -> Any:
        return int(_scalar(value))


class _Doubles(Served, ChannelDouble):
    def decoded(self, value: Any) -> Any:
        return np.atleast_1d(np.asarray(value, dtype=np.float64))


class _Floats(Served, ChannelFloat):
    def decoded(self, value: Any) -> Any:
        return np.atleast_1d(np.asarray(value, dtype=np.float32))


class _Integers(Served, ChannelInteger):
    def decoded(self, value: Any) -> Any:
        return np.atleast_1d(np.asarray(value, dtype=np.int32))


class _Shorts(Served, ChannelShort):
    def decoded(self, value: Any) -> Any:
        return np.atleast_1d(np.asarray(value, dtype=np.int16))


class _Bytes(Served, ChannelByte):
    def decoded(self, value: Any) -> Any:
        if isinstance(value, bytes):
            return np.frombuffer(value, dtype=np.uint8)
        return np.atleast_1d(np.asarray(value, dtype=np.uint8))

    def encoded(self, value: Any) -> Any:
        return np.asarray(value, dtype=np.uint8).tobytes()


class _String(Served, ChannelString):
    def decoded(self, value: Any) -> Any:
        return str(_scalar(value))


class _Strings(Served, ChannelString):
    def decoded(self, value: Any) -> Any:
        return [value] if isinstance(value, str) else [str(one) for one in value]


class _Characters(Served, ChannelChar):
    async def write_from_dbr(self, data: Any, data_type: Any, metadata: Any, **flags: Any) -> None:
        """Take characters as they come; caproto 1.3.0 can't convert a word without any."""
        if native_type(data_type) is ChannelType.CHAR:
            word = bytes(data).partition(b"\0")[0]
            await self.write(word.decode(self.string_encoding, errors="replace"))
        else:
            await super().write_from_dbr(data, data_type, metadata, **flags)

    def decoded(self, value: Any) -> Any:
        return str(self.preprocess_value(value)).partition("\0")[0]


class _Enum(Served, ChannelEnum):
    def decoded(self, value: Any) -> Any:
        return self._choice(value)

    def encoded(self, value: Any) -> Any:
        return str(getattr(value, "value", value))

    def _choice(self, value: Any) -> str:
        value = _scalar(value)
        choices: tuple[str, ...] = self.enum_strings
        if isinstance(value, str):
            if value not in choices:
                raise CaprotoValueError(f"{value!r} is none of {', '.join(choices)}")
            return value
        if not 0 <= int(value) < len(choices):
            raise CaprotoValueError(f"{int(value)} is no choice of {', '.join(choices)}")
        return choices[int(value)]


class _Boolean(_Enum):
    def decoded(self, value: Any) -> Any:
        return self._choice(value) == BOOLEANS[1]

    def encoded(self, value: Any) -> Any:
        return BOOLEANS[int(bool(value))]


_ARRAYS: dict[str, tuple[type[ChannelData], type]] = {
    "float64": (_Doubles, np.float64),
    "float32": (_Floats, np.float32),
    "int32": (_Integers, np.int32),
    "int16": (_Shorts, np.int16),
    "uint8": (_Bytes, np.uint8),
}


def channel_of(path: str, datatype: Any, value: Any, record: Record) -> Any:
    """Return the channel for a signal of *datatype* at *path* that now has *value*.

    Raises NotServed for what Channel Access has no type for.
    """
    if datatype is float or datatype is None:
        return _Double(value=float(value), **_numeric(record), precision=record.precision)
    if datatype is bool:
        return _Boolean(value=BOOLEANS[int(bool(value))], enum_strings=BOOLEANS)
    if datatype is int:
        return _Integer(value=int(value), **_numeric(record))
    if (choices := get_enum_cls(datatype)) is not None:
        names = tuple(str(choice.value) for choice in choices)
        return _Enum(value=str(getattr(value, "value", value)) or names[0], enum_strings=names)
    if datatype is str:
        return _text(str(value), record)
    return _array(path, datatype, value, record)


def _text(value: str, record: Record) -> Any:
    if record.length > MOST_CHARACTERS:
        return _Characters(value=value, max_length=record.length, string_encoding="utf-8")
    return _String(value=value)


def _array(path: str, datatype: Any, value: Any, record: Record) -> Any:
    length = record.length or MOST_ELEMENTS
    if datatype == Sequence[str]:
        return _Strings(value=list(value), max_length=length)
    for name, (kind, dtype) in _ARRAYS.items():
        if datatype == Array1D[dtype]:  # type: ignore[valid-type]
            more = {"precision": record.precision} if name.startswith("float") else {}
            values: Any = np.asarray(value, dtype=dtype)
            if kind is _Bytes:
                return kind(value=values.tobytes(), max_length=length, strip_null_terminator=False)
            return kind(value=values, max_length=length, **_numeric(record), **more)
    raise NotServed(f"{path}: Channel Access has no type for {datatype}; nothing is served")


def trigger_channel() -> Any:
    """Return the channel of a command: writing anything to it executes it."""
    return _Integer(value=0)


def _numeric(record: Record) -> dict[str, Any]:
    limits = {
        "disp": record.display,
        "ctrl": record.drive or record.display,
        "warning": record.warning,
        "alarm": record.alarm,
    }
    given = {
        f"{side}_{name}_limit": pair[at]
        for name, pair in limits.items()
        if pair is not None
        for at, side in enumerate(("lower", "upper"))
    }
    return {"units": record.units, **given}


def _scalar(value: Any) -> Any:
    return value if isinstance(value, (str, bytes)) or np.ndim(value) == 0 else value[0]


def alarm_of(value: Any, severity: int, record: Record) -> Alarm:
    """Return the alarm of *value*, which the device shows with ophyd's *severity* (−1 invalid)."""
    if severity < 0:
        return COMMUNICATION
    own = record.alarmed(value)
    return own if own.severity >= severity else Alarm(own.status or 1, severity)
