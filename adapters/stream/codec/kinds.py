"""Kinds of values of the stream protocol: how each is read from a frame and written into one.

Integers are big-endian.  A string has a length of 16 bits, bytes one of 32, and -1 stands for none at all; an array has
a count of 32 bits.  What isn't there as it should be is FrameError, with the code for unknown frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, Final, NamedTuple

from warren.adapters.stream.codec.errors import FrameError
from warren.adapters.stream.codec.keys import Code, OffsetType

Read = Callable[[bytes, int], tuple[Any, int]]
"""The value at this place of a frame's bytes, and the place behind it."""

Write = Callable[[list[bytes], Any], None]
"""Appends the bytes of a value."""


class Kind(NamedTuple):
    """Of values."""

    read: Read
    write: Write


class OffsetSpec(NamedTuple):
    """Where to begin.  value: the offset, or milliseconds since 1970; for the other types nothing."""

    kind: OffsetType
    value: int = 0


def malformed(text: str) -> FrameError:
    """A frame isn't what its key says."""
    return FrameError(Code.UNKNOWN_FRAME, text)


def _integer(layout: str) -> Kind:
    struct = Struct(layout)

    def read(data: bytes, at: int) -> tuple[int, int]:
        end = at + struct.size
        if end > len(data):
            raise malformed("the frame ends within a number")
        return struct.unpack_from(data, at)[0], end

    def write(parts: list[bytes], value: int) -> None:
        parts.append(struct.pack(value))

    return Kind(read, write)


U8: Final = _integer(">B")
U16: Final = _integer(">H")
U32: Final = _integer(">I")
U64: Final = _integer(">Q")
I64: Final = _integer(">q")

_I16: Final = _integer(">h")
_I32: Final = _integer(">i")


def _sized(length: Kind) -> Kind:
    def read(data: bytes, at: int) -> tuple[bytes | None, int]:
        size, at = length.read(data, at)
        if size < 0:
            if size != -1:
                raise malformed(f"a length of {size}")
            return None, at
        end = at + size
        if end > len(data):
            raise malformed("the frame ends within a string")
        return data[at:end], end

    def write(parts: list[bytes], value: bytes | None) -> None:
        length.write(parts, -1 if value is None else len(value))
        if value is not None:
            parts.append(value)

    return Kind(read, write)


BYTES: Final = _sized(_I32)
"""bytes, or None."""

_STRING_BYTES: Final = _sized(_I16)


def _read_string(data: bytes, at: int) -> tuple[str | None, int]:
    value, end = _STRING_BYTES.read(data, at)
    return None if value is None else value.decode("utf-8", "surrogateescape"), end


def _write_string(parts: list[bytes], value: str | None) -> None:
    _STRING_BYTES.write(parts, None if value is None else value.encode("utf-8", "surrogateescape"))


STRING: Final = Kind(_read_string, _write_string)
"""str, or None."""


def _read_name(data: bytes, at: int) -> tuple[str, int]:
    value, end = _read_string(data, at)
    return value or "", end


NAME: Final = Kind(_read_name, _write_string)
"""A string that has to be there; none at all reads as empty."""


def _read_rest(data: bytes, at: int) -> tuple[bytes, int]:
    return data[at:], len(data)


def _write_rest(parts: list[bytes], value: bytes) -> None:
    parts.append(value)


REST: Final = Kind(_read_rest, _write_rest)
"""All bytes up to the end of the frame."""


def array(of: Kind) -> Kind:
    """A list of values of a kind."""

    def read(data: bytes, at: int) -> tuple[list[object], int]:
        count, at = U32.read(data, at)
        if count > len(data) - at:
            raise malformed(f"an array of {count} in a frame that has {len(data) - at} bytes more")
        values = []
        for _ in range(count):
            value, at = of.read(data, at)
            values.append(value)
        return values, at

    def write(parts: list[bytes], values: Sequence[object]) -> None:
        U32.write(parts, len(values))
        for value in values:
            of.write(parts, value)

    return Kind(read, write)


def group(make: Callable[..., tuple[Any, ...]], *kinds: Kind) -> Kind:
    """Several values in a row, as a tuple of this type."""

    def read(data: bytes, at: int) -> tuple[tuple[Any, ...], int]:
        values = []
        for kind in kinds:
            value, at = kind.read(data, at)
            values.append(value)
        return make(*values), at

    def write(parts: list[bytes], value: tuple[Any, ...]) -> None:
        for kind, each in zip(kinds, value, strict=True):
            kind.write(parts, each)

    return Kind(read, write)


def _pair(name: object, value: object) -> tuple[object, object]:
    return (name, value)


def table(of: Kind) -> Kind:
    """A dict of values by their names; of several of a name, the last."""
    pairs = array(group(_pair, NAME, of))

    def read(data: bytes, at: int) -> tuple[dict[str, object], int]:
        found, at = pairs.read(data, at)
        return dict(found), at

    def write(parts: list[bytes], value: dict[str, object]) -> None:
        pairs.write(parts, list(value.items()))

    return Kind(read, write)


PROPERTIES: Final = table(NAME)
"""A dict of strings."""


def _read_offset(data: bytes, at: int) -> tuple[OffsetSpec, int]:
    number, at = U16.read(data, at)
    try:
        kind = OffsetType(number)
    except ValueError:
        raise malformed(f"{number} is no type of offset") from None
    if kind is OffsetType.OFFSET:
        value, at = U64.read(data, at)
    elif kind is OffsetType.TIMESTAMP:
        value, at = I64.read(data, at)
    else:
        value = 0
    return OffsetSpec(kind, value), at


def _write_offset(parts: list[bytes], value: OffsetSpec) -> None:
    U16.write(parts, value.kind)
    if value.kind is OffsetType.OFFSET:
        U64.write(parts, value.value)
    elif value.kind is OffsetType.TIMESTAMP:
        I64.write(parts, value.value)


OFFSET: Final = Kind(_read_offset, _write_offset)
"""OffsetSpec."""
