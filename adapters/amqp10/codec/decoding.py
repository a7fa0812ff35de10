"""Bytes to values (part 1): one function per format code, each of which knows how far it may read.

Everything here reads bytes of strangers.  A length is checked against the end of what encloses it before a byte is read
or copied, a count against the bytes that are left for it, nesting and the number of values within one are bounded, so
nothing is made for what is only declared; what is wrong is always reported as Undecodable.

`skip` finds the end of a value without making it; it looks at lengths alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final
from uuid import UUID

from warren.adapters.amqp10.codec.errors import Undecodable
from warren.adapters.amqp10.codec.values import (
    Array,
    Byte,
    Char,
    Decimal,
    Described,
    Float,
    Int,
    Milliseconds,
    Short,
    Symbol,
    UByte,
    UInt,
    ULong,
    UShort,
    Value,
)
from warren.core.limit_hits import limited

NESTING_MAX: Final = 32
"""Values within each other; the protocol's own need five, and Python takes hundreds."""

VALUES_MAX: Final = 20_000
"""Values within one that is decoded as a whole, which are some milliseconds.  The bodies of messages aren't decoded."""

EMPTY_VALUES_MAX: Final = 100
"""Values of an array that have no bytes, nulls for example: a count of four bytes would make any number of them."""

DESCRIBED: Final = 0x00
CODE_NULL: Final = 0x40
CODE_TRUE: Final = 0x41
CODE_FALSE: Final = 0x42
CODE_UINT_0: Final = 0x43
CODE_ULONG_0: Final = 0x44
CODE_LIST_0: Final = 0x45
CODE_SMALL_ULONG: Final = 0x53
CODE_ULONG: Final = 0x80

_FIXED: Final[dict[int, tuple[str, Struct | None, int]]] = {
    0x50: ("ubyte", Struct(">B"), 1),
    0x51: ("byte", Struct(">b"), 1),
    0x52: ("uint", Struct(">B"), 1),
    0x53: ("ulong", Struct(">B"), 1),
    0x54: ("int", Struct(">b"), 1),
    0x55: ("long", Struct(">b"), 1),
    0x56: ("boolean", Struct(">B"), 1),
    0x60: ("ushort", Struct(">H"), 2),
    0x61: ("short", Struct(">h"), 2),
    0x70: ("uint", Struct(">I"), 4),
    0x71: ("int", Struct(">i"), 4),
    0x72: ("float", Struct(">f"), 4),
    0x73: ("char", Struct(">I"), 4),
    0x74: ("decimal", None, 4),
    0x80: ("ulong", Struct(">Q"), 8),
    0x81: ("long", Struct(">q"), 8),
    0x82: ("double", Struct(">d"), 8),
    0x83: ("timestamp", Struct(">q"), 8),
    0x84: ("decimal", None, 8),
    0x94: ("decimal", None, 16),
    0x98: ("uuid", None, 16),
}
"""Types whose values have one width (1.6): the name, how to read it, and the width in bytes."""

_INTEGERS: Final[dict[str, type[int]]] = {
    "ubyte": UByte,
    "byte": Byte,
    "uint": UInt,
    "ulong": ULong,
    "int": Int,
    "long": int,
    "ushort": UShort,
    "short": Short,
    "timestamp": Milliseconds,
}

_VARIABLE: Final[dict[int, tuple[str, int]]] = {
    0xA0: ("binary", 1),
    0xA1: ("string", 1),
    0xA3: ("symbol", 1),
    0xB0: ("binary", 4),
    0xB1: ("string", 4),
    0xB3: ("symbol", 4),
}

_COMPOUND: Final[dict[int, tuple[str, int]]] = {
    0xC0: ("list", 1),
    0xC1: ("map", 1),
    0xD0: ("list", 4),
    0xD1: ("map", 4),
}

_ARRAYS: Final[dict[int, int]] = {0xE0: 1, 0xF0: 4}

_EMPTY: Final = (CODE_NULL, CODE_TRUE, CODE_FALSE, CODE_UINT_0, CODE_ULONG_0, CODE_LIST_0)
"""Codes of values without any bytes."""

_CHARACTER_MAX: Final = 0x10FFFF
_SURROGATES: Final = range(0xD800, 0xE000)


class Reader:
    """One value that is being decoded.  left: how many more values it may hold."""

    __slots__ = ("data", "left")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.left = VALUES_MAX

    def value(self, at: int, end: int, depth: int = 0) -> tuple[Value, int]:
        """The value at `at`, and where it ends, which is no later than `end`."""
        if at >= end:
            raise Undecodable("a value is missing at the end", clause="1.2")
        self.count(1)
        code = self.data[at]
        if code != DESCRIBED:
            return self.of_code(code, at + 1, end, depth)
        if depth >= NESTING_MAX:
            raise _too_deep()
        descriptor, at = self.value(at + 1, end, depth + 1)
        value, at = self.value(at, end, depth + 1)
        return Described(descriptor, value), at

    def of_code(self, code: int, at: int, end: int, depth: int) -> tuple[Value, int]:
        """A value whose code has been read; `at` is behind that."""
        if code in _FIXED:
            return self._fixed(code, at, end)
        if code in _EMPTY:
            return _empty(code), at
        if code in _VARIABLE:
            kind, width = _VARIABLE[code]
            size, at = self.size(at, end, width, kind)
            return _text(kind, self.data[at : at + size]), at + size
        if code in _COMPOUND:
            kind, width = _COMPOUND[code]
            size, at = self.size(at, end, width, kind)
            return self._compound(kind, width, at, at + size, depth), at + size
        if code in _ARRAYS:
            size, at = self.size(at, end, _ARRAYS[code], "array")
            return self._array(_ARRAYS[code], at, at + size, depth), at + size
        raise Undecodable(f"0x{code:02x} is no format code of any type", clause="1.6")

    def size(self, at: int, end: int, width: int, kind: str) -> tuple[int, int]:
        """The size that stands at `at`, of something that has to end by `end`; and where it begins."""
        if at + width > end:
            raise Undecodable(f"a {kind} ends within its size", clause="1.2.2")
        size = int.from_bytes(self.data[at : at + width], "big")
        at += width
        if size > end - at:
            raise Undecodable(f"a {kind} of {size} bytes where {end - at} are left", clause="1.2.2")
        return size, at

    def items(self, width: int, at: int, end: int, kind: str) -> tuple[int, int]:
        """The count of a list's or map's values, which can't be more than there are bytes; and where they begin."""
        if at + width > end:
            raise Undecodable(f"a {kind} ends within its count", clause="1.2.3")
        count = int.from_bytes(self.data[at : at + width], "big")
        at += width
        if count > end - at:
            raise Undecodable(f"a {kind} of {count} values in {end - at} bytes", clause="1.2.3")
        return count, at

    def count(self, values: int) -> None:
        """So many more values."""
        self.left -= values
        if self.left < 0:
            raise limited(Undecodable(f"more than {VALUES_MAX} values within one", clause="1.2.3"), "values in amqp10")

    def _fixed(self, code: int, at: int, end: int) -> tuple[Value, int]:
        kind, struct, width = _FIXED[code]
        stop = at + width
        if stop > end:
            raise Undecodable(f"a {kind} is cut short", clause="1.2.1")
        if struct is None:
            raw = self.data[at:stop]
            return (UUID(bytes=raw) if kind == "uuid" else Decimal(raw)), stop
        (number,) = struct.unpack_from(self.data, at)
        if kind in _INTEGERS:
            return _INTEGERS[kind](number), stop
        if kind == "double":
            return float(number), stop
        if kind == "float":
            return Float(number), stop
        if kind == "boolean":
            if number > 1:
                raise Undecodable(f"a boolean of 0x{number:02x}; there are 0x00 and 0x01", clause="1.6.2")
            return number == 1, stop
        if number > _CHARACTER_MAX or number in _SURROGATES:
            raise Undecodable(f"U+{number:X} is no character", clause="1.6.16")
        return Char(chr(number)), stop

    def _compound(self, kind: str, width: int, at: int, end: int, depth: int) -> Value:
        if depth >= NESTING_MAX:
            raise _too_deep()
        count, at = self.items(width, at, end, kind)
        values: list[Value] = []
        for _ in range(count):
            value, at = self.value(at, end, depth + 1)
            values.append(value)
        if at != end:
            raise Undecodable(f"{end - at} bytes behind the last value of a {kind}", clause="1.2.3")
        return values if kind == "list" else _map_of(values)

    def _array(self, width: int, at: int, end: int, depth: int) -> Value:
        if depth >= NESTING_MAX:
            raise _too_deep()
        if at + width > end:
            raise Undecodable("an array ends within its count", clause="1.2.4")
        count = int.from_bytes(self.data[at : at + width], "big")
        at += width
        descriptor: Value = None
        if at < end and self.data[at] == DESCRIBED:
            descriptor, at = self.value(at + 1, end, depth + 1)
        if at >= end:
            raise Undecodable("an array without the constructor of its values", clause="1.2.4")
        code = self.data[at]
        at += 1
        self.count(count)
        if code in _EMPTY and count > EMPTY_VALUES_MAX:
            raise limited(Undecodable(f"an array of {count} values without bytes", clause="1.2.4"), "values in amqp10")
        values: list[Value] = []
        for _ in range(count):
            value, at = self.of_code(code, at, end, depth + 1)
            values.append(value)
        if at != end:
            raise Undecodable(f"{end - at} bytes behind the last value of an array", clause="1.2.4")
        return Array(values, code, descriptor)


def decode(data: bytes, at: int = 0, end: int | None = None) -> tuple[Value, int]:
    """The value at `at`, and where it ends; Undecodable when there is none that ends by `end`."""
    return Reader(data).value(at, len(data) if end is None else end)


def skip(data: bytes, at: int, end: int) -> int:
    """Where the value at `at` ends, by its lengths alone."""
    reader = Reader(data)
    for _ in range(NESTING_MAX):
        if at >= end:
            raise Undecodable("a value is missing at the end", clause="1.2")
        code = data[at]
        at += 1
        if code == DESCRIBED:
            at = _skip_plain(reader, at, end)
            continue
        return _skip_code(reader, code, at, end)
    raise _too_deep()


def map_entries(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The entries of the map at `at`: each key as it is encoded, and where its value begins and ends.

    Nothing is decoded, so that who wants a few of them can have these of a map of any size; no more than VALUES_MAX are
    looked through.  Undecodable for what is no map that ends by `end`.
    """
    reader = Reader(data)
    kind, width = _COMPOUND.get(data[at], ("", 0)) if at < end else ("", 0)
    if kind != "map":
        raise Undecodable("no map where one should be", clause="1.6.23")
    size, at = reader.size(at + 1, end, width, kind)
    end = at + size
    count, at = reader.items(width, at, end, kind)
    reader.count(count)
    for _ in range(count // 2):
        value_at = skip(data, at, end)
        value_end = skip(data, value_at, end)
        yield data[at:value_at], value_at, value_end
        at = value_end


def _skip_plain(reader: Reader, at: int, end: int) -> int:
    """Past a descriptor, which is no described value itself."""
    if at < end and reader.data[at] == DESCRIBED:
        raise Undecodable("a descriptor that is described itself", clause="1.5")
    return skip(reader.data, at, end)


def _skip_code(reader: Reader, code: int, at: int, end: int) -> int:
    if code in _FIXED:
        stop = at + _FIXED[code][2]
        if stop > end:
            raise Undecodable(f"a {_FIXED[code][0]} is cut short", clause="1.2.1")
        return stop
    if code in _EMPTY:
        return at
    found = _VARIABLE.get(code) or _COMPOUND.get(code)
    width = found[1] if found is not None else _ARRAYS.get(code, 0)
    if not width:
        raise Undecodable(f"0x{code:02x} is no format code of any type", clause="1.6")
    size, at = reader.size(at, end, width, found[0] if found is not None else "array")
    return at + size


def _empty(code: int) -> Value:
    if code == CODE_NULL:
        return None
    if code == CODE_UINT_0:
        return UInt(0)
    if code == CODE_ULONG_0:
        return ULong(0)
    if code == CODE_LIST_0:
        return []
    return code == CODE_TRUE


def _text(kind: str, raw: bytes) -> Value:
    if kind == "binary":
        return raw
    try:
        return raw.decode("utf-8") if kind == "string" else Symbol(raw.decode("ascii"))
    except UnicodeDecodeError:
        if kind == "string":
            raise Undecodable("a string that isn't UTF-8", clause="1.6.20") from None
        raise Undecodable("a symbol that isn't ASCII", clause="1.6.21") from None


def _map_of(values: list[Value]) -> dict[Value, Value]:
    if len(values) % 2:
        raise Undecodable(f"a map of {len(values)} values; each key has one", clause="1.6.23")
    found: dict[Value, Value] = {}
    for key, value in zip(values[::2], values[1::2], strict=True):
        if isinstance(key, list | dict):
            raise Undecodable("a map whose keys are lists, maps or arrays isn't taken", clause="1.6.23")
        if key in found:
            raise Undecodable(f"a map with the key {str(key)[:40]!r} twice", clause="1.6.23")
        found[key] = value
    return found


def _too_deep() -> Undecodable:
    return limited(Undecodable(f"values within each other, more than {NESTING_MAX} deep"), "nesting in amqp10")
