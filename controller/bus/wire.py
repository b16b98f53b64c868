"""Messages and documents as bytes: msgpack, arrays included, and never code.

An array is extension type 1: msgpack of ``[dtype, shape, bytes]``, in C order and little-endian,
of one of the ``DTYPES``. What comes from outside is looked over before it is read
(``controller.bus.scan``), and validated after.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal, Self

import msgpack
import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticSerializationError

from controller.bus.errors import MessageRefused, MessageUnsendable
from controller.bus.messages import MESSAGE, Message
from controller.bus.scan import ARRAY_CODE, Limits, require_sound

MAX_MESSAGE_BYTES = 64 * 2**20
MAX_FRAME_BYTES = MAX_MESSAGE_BYTES + 4096
"""A message and its envelope; ZMQ itself cuts the connection of who sends more (MAXMSGSIZE)."""
MAX_ID = 200
"""Characters of a request's id."""

DTYPES = frozenset(np.dtype(code).newbyteorder("<").str for code in "?bBhHiIqQefdFD")
"""Booleans, integers of 1 to 8 bytes, floats of 2, 4 and 8, complex numbers of 8 and 16."""

_MAX_DIMENSIONS = 16
_LIMITS = Limits()
_ENVELOPE_LIMITS = Limits(depth=2, elements=16)
_ARRAY_LIMITS = Limits(depth=3, elements=_MAX_DIMENSIONS + 4)

Step = Literal["request", "inquiry", "working", "unknown", "answer", "received"]


class Envelope(BaseModel):
    """One frame between two processes about the request *id*; *body* is a packed message.

    The requester sends ``request`` with the message, ``inquiry`` when it has heard nothing for a
    while, ``received`` when it has the answer. The other side says ``working``, ``unknown``
    (send the request again) or ``answer`` with the message. A request that is seen first after
    ``before`` (seconds of the machine's monotonic clock) is given up already: it is not begun.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    version: Literal[1] = 1
    step: Step
    id: str = Field(min_length=1, max_length=MAX_ID)
    body: bytes = Field(default=b"", max_length=MAX_MESSAGE_BYTES)
    before: float | None = None

    @model_validator(mode="after")
    def _body_where_it_belongs(self) -> Self:
        if bool(self.body) != (self.step in ("request", "answer")):
            raise ValueError(f"{self.step} {'has' if self.body else 'lacks'} a message")
        return self

    def pack(self) -> bytes:
        """Return the envelope as bytes."""
        return bytes(msgpack.packb(self.model_dump()))

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Return the envelope in *data*; raise MessageRefused when it isn't one."""
        if len(data) > MAX_FRAME_BYTES:
            raise MessageRefused(f"has {len(data)} bytes, {MAX_FRAME_BYTES} are allowed")
        try:
            return cls.model_validate(_read(data, _ENVELOPE_LIMITS))
        except ValidationError as error:
            raise MessageRefused(f"is no envelope: {_first(error)}") from error


def pack_message(message: Message) -> bytes:
    """Return *message* as bytes; raise MessageUnsendable for what can't travel or is too large."""
    try:
        fields = MESSAGE.dump_python(message, warnings=False)
    except PydanticSerializationError as error:
        raise MessageUnsendable(f"{type(message).__name__}: {error}") from error
    try:
        data = pack(fields)
        require_sound(data, _LIMITS)
    except (MessageUnsendable, MessageRefused) as error:
        raise MessageUnsendable(f"{type(message).__name__}: {error}") from error
    return data


def unpack_message(data: bytes) -> Message:
    """Return the message in *data*; raise MessageRefused when it isn't one."""
    try:
        return MESSAGE.validate_python(unpack(data))
    except ValidationError as error:
        raise MessageRefused(f"is no message: {_first(error)}") from error


def unpack_document(data: bytes) -> dict[str, Any]:
    """Return the bluesky document in *data*; raise MessageRefused when it isn't one.

    This is what ``bluesky.callbacks.zmq.RemoteDispatcher`` takes as ``deserializer``.
    """
    document = unpack(data)
    if not isinstance(document, dict):
        raise MessageRefused(f"is no document but {type(document).__name__}")
    return document


def pack(value: Any) -> bytes:
    """Return plain data and arrays as bytes.

    Tuples become lists. Raises MessageUnsendable for anything else and above the limit.
    """
    try:
        data = bytes(msgpack.packb(value, default=_plain))
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise MessageUnsendable(f"can't travel: {error}") from error
    if len(data) > MAX_MESSAGE_BYTES:
        raise MessageUnsendable(f"has {len(data)} bytes, {MAX_MESSAGE_BYTES} are allowed")
    return data


def unpack(data: bytes) -> Any:
    """Return what ``pack`` was given; raise MessageRefused for bytes that are something else.

    Arrays are read-only.
    """
    if len(data) > MAX_MESSAGE_BYTES:
        raise MessageRefused(f"has {len(data)} bytes, {MAX_MESSAGE_BYTES} are allowed")
    return _read(data, _LIMITS)


def _read(data: bytes, limits: Limits) -> Any:
    require_sound(data, limits)
    try:
        return msgpack.unpackb(data, strict_map_key=True, ext_hook=_extension)
    except (ValueError, TypeError) as error:  # msgpack's own errors are ValueErrors
        raise MessageRefused(f"can't be read: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic) and value.dtype.kind in "biufU":
        return value.item()
    if isinstance(value, (np.ndarray, np.generic)):
        array = np.asarray(value)
        return array.tolist() if array.dtype.kind == "U" else _packed_array(array)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"holds {type(value).__name__}")


def _packed_array(array: NDArray[Any]) -> msgpack.ExtType:
    dtype = array.dtype.newbyteorder("<")
    if dtype.str not in DTYPES or array.ndim > _MAX_DIMENSIONS:
        raise TypeError(f"holds an array of {array.ndim} dimensions and dtype {array.dtype}")
    content = [dtype.str, list(array.shape), array.astype(dtype, copy=False).tobytes("C")]
    return msgpack.ExtType(ARRAY_CODE, msgpack.packb(content))


def _extension(code: int, data: bytes) -> NDArray[Any]:
    match _read_plain(data):
        case [str(dtype), list(shape), bytes(content)] if dtype in DTYPES:
            return _array(np.dtype(dtype), shape, content)
    raise MessageRefused(f"extension {code} holds no array of a dtype that is known here")


def _read_plain(data: bytes) -> Any:
    require_sound(data, _ARRAY_LIMITS)
    return msgpack.unpackb(data, strict_map_key=True)


def _array(dtype: np.dtype[Any], shape: list[Any], content: bytes) -> NDArray[Any]:
    if any(type(length) is not int or length < 0 for length in shape):
        raise MessageRefused(f"an array of shape {shape}")
    if math.prod(shape) * dtype.itemsize != len(content):
        raise MessageRefused(f"an array of shape {shape} and {dtype} with {len(content)} bytes")
    if dtype.kind == "b" and content.strip(b"\0\1"):
        raise MessageRefused("an array of booleans with other bytes than 0 and 1")
    return np.ndarray(shape, dtype, content)


def _first(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False)[0]
    return f"{'.'.join(str(part) for part in problem['loc'])}: {problem['msg']}"
