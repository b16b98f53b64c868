"""Looks over msgpack bytes before anything is built from them.

A few bytes can announce a thousand nested lists of a million entries each, for which a reader
makes room at once. The scan walks over the bytes, makes nothing, and refuses what is deeper or
holds more than is allowed, what is cut off, and what goes on behind its end.
Format: https://github.com/msgpack/msgpack/blob/master/spec.md
"""

from dataclasses import dataclass
from enum import IntEnum

from controller.bus.errors import MessageRefused

ARRAY_CODE = 1
"""The one extension type that is allowed: an array (``controller.bus.arrays``)."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much structure is taken: levels of nesting, and elements in all."""

    depth: int = 32
    elements: int = 1_000_000


class _Kind(IntEnum):
    PLAIN = 0  # `size` bytes in all
    SIZED = 1  # a length in `size` bytes, then so many bytes
    EXTENSION = 2  # a type, then `size` bytes
    SIZED_EXTENSION = 3  # a length in `size` bytes, a type, then so many bytes
    LIST = 4  # `size` elements
    SIZED_LIST = 5  # a count in `size` bytes, then so many elements
    SIZED_MAP = 6  # a count in `size` bytes, then twice so many elements
    NEVER = 7  # not used in msgpack


def _kind_of(byte: int) -> tuple[_Kind, int]:
    if byte < 0x80 or byte >= 0xE0:
        return _Kind.PLAIN, 1
    if byte < 0x90:
        return _Kind.LIST, 2 * (byte & 0x0F)
    if byte < 0xA0:
        return _Kind.LIST, byte & 0x0F
    if byte < 0xC0:
        return _Kind.PLAIN, 1 + (byte & 0x1F)
    return _MARKED[byte - 0xC0]


_MARKED = (
    [(_Kind.PLAIN, 1), (_Kind.NEVER, 0), (_Kind.PLAIN, 1), (_Kind.PLAIN, 1)]  # nil, -, booleans
    + [(_Kind.SIZED, size) for size in (1, 2, 4)]  # bytes
    + [(_Kind.SIZED_EXTENSION, size) for size in (1, 2, 4)]
    + [(_Kind.PLAIN, 5), (_Kind.PLAIN, 9)]  # floats
    + [(_Kind.PLAIN, 1 + size) for size in (1, 2, 4, 8, 1, 2, 4, 8)]  # integers
    + [(_Kind.EXTENSION, size) for size in (1, 2, 4, 8, 16)]
    + [(_Kind.SIZED, size) for size in (1, 2, 4)]  # text
    + [(_Kind.SIZED_LIST, size) for size in (2, 4)]
    + [(_Kind.SIZED_MAP, size) for size in (2, 4)]
)
_KINDS = tuple(_kind_of(byte) for byte in range(256))


def require_sound(data: bytes, limits: Limits) -> None:
    """Raise MessageRefused unless *data* is one msgpack object within *limits*."""
    size, position, elements = len(data), 0, 0
    left = [1]  # elements still to come, one entry for each level
    while left:
        if not left[-1]:
            left.pop()
            continue
        left[-1] -= 1
        elements += 1
        if position >= size:
            raise MessageRefused(f"cut off after {size} bytes")
        kind, number = _KINDS[data[position]]
        if kind is _Kind.PLAIN:
            position += number
            continue
        position, children = _step(data, position, kind, number)
        if children:
            if elements + children > limits.elements or position + children > size:
                raise MessageRefused(f"announces {children} elements more, too many")
            if len(left) >= limits.depth:
                raise MessageRefused(f"is nested more than {limits.depth} levels deep")
            left.append(children)
    if position != size:
        raise MessageRefused(f"has {size} bytes where its content ends at {position}")


def _step(data: bytes, position: int, kind: _Kind, number: int) -> tuple[int, int]:
    """Return where the content of the element at *position* ends or begins, and its children."""
    body = position + 1
    if kind is _Kind.LIST:
        return body, number
    if kind is _Kind.EXTENSION:
        _require_array(data[body : body + 1])
        return body + 1 + number, 0
    if kind is _Kind.NEVER:
        raise MessageRefused(f"byte {position} is none of msgpack")
    length = int.from_bytes(data[body : body + number], "big")
    body += number
    if kind is _Kind.SIZED:
        return body + length, 0
    if kind is _Kind.SIZED_EXTENSION:
        _require_array(data[body : body + 1])
        return body + 1 + length, 0
    return body, length * (2 if kind is _Kind.SIZED_MAP else 1)


def _require_array(code: bytes) -> None:
    if code != bytes([ARRAY_CODE]):
        raise MessageRefused(f"holds an extension of type {code.hex()}, which is not known here")
