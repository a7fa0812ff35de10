"""Values to bytes (part 1): the shortest form that the type has, as the specification's own encodings do."""

from __future__ import annotations

from struct import Struct
from struct import error as StructError  # noqa: N812 - an error's name
from typing import Final
from uuid import UUID

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

NULL: Final = b"\x40"
TRUE: Final = b"\x41"
FALSE: Final = b"\x42"
EMPTY_LIST: Final = b"\x45"

_u32 = Struct(">I").pack
_f64 = Struct(">d").pack

_WIDE: Final[dict[int, Struct]] = {
    0x50: Struct(">B"),
    0x51: Struct(">b"),
    0x52: Struct(">B"),
    0x53: Struct(">B"),
    0x54: Struct(">b"),
    0x55: Struct(">b"),
    0x60: Struct(">H"),
    0x61: Struct(">h"),
    0x70: Struct(">I"),
    0x71: Struct(">i"),
    0x72: Struct(">f"),
    0x80: Struct(">Q"),
    0x81: Struct(">q"),
    0x82: Struct(">d"),
    0x83: Struct(">q"),
}

_INTEGERS: Final[dict[type, tuple[int, int]]] = {
    UByte: (0x50, 0x50),
    UShort: (0x60, 0x60),
    UInt: (0x52, 0x70),
    ULong: (0x53, 0x80),
    Byte: (0x51, 0x51),
    Short: (0x61, 0x61),
    Int: (0x54, 0x71),
    int: (0x55, 0x81),
    Milliseconds: (0x83, 0x83),
}
"""The code of a small value and that of any."""

_SMALL_SIZE_MAX: Final = 255
"""What has a size of one byte."""

_DECIMALS: Final[dict[int, int]] = {4: 0x74, 8: 0x84, 16: 0x94}


def encode(value: Value) -> bytes:
    """The bytes of a value; ValueError for a number that its type has no room for."""
    if value is None:
        return NULL
    if isinstance(value, bool):
        return TRUE if value else FALSE
    if isinstance(value, int):
        return _integer(value)
    if isinstance(value, float):
        return b"\x72" + encode_bare(0x72, value) if isinstance(value, Float) else b"\x82" + _f64(value)
    if isinstance(value, Char):
        return b"\x73" + _u32(ord(value))
    if isinstance(value, str):
        return _symbol(value) if isinstance(value, Symbol) else string(value)
    if isinstance(value, Decimal):
        return bytes((_DECIMALS[len(value)],)) + value
    if isinstance(value, bytes):
        return binary(value)
    if isinstance(value, UUID):
        return b"\x98" + value.bytes
    if isinstance(value, Described):
        return b"\x00" + encode(value.descriptor) + encode(value.value)
    if isinstance(value, dict):
        return map_of([encode(each) for pair in value.items() for each in pair])
    if isinstance(value, Array):
        return _array(value)
    return list_of([encode(each) for each in value])


def uint(number: int) -> bytes:
    """An unsigned int of 32 bits."""
    if not number:
        return b"\x43"
    return b"\x52%c" % number if number <= _SMALL_SIZE_MAX else b"\x70" + _u32(number)


def string(text: str) -> bytes:
    """A string; what isn't Unicode in it, as names of AMQP 0-9-1 may hold, becomes a question mark."""
    return _sized(0xA1, 0xB1, text.encode("utf-8", "replace"))


def binary(data: bytes) -> bytes:
    """Bytes."""
    return _sized(0xA0, 0xB0, data)


def list_of(values: list[bytes]) -> bytes:
    """A list of values that are encoded already."""
    if not values:
        return EMPTY_LIST
    return _compound(0xC0, 0xD0, values)


def map_of(values: list[bytes]) -> bytes:
    """A map of keys and values, by turns, that are encoded already."""
    return _compound(0xC1, 0xD1, values)


def described(code: int, value: bytes) -> bytes:
    """A value that is encoded already, with the descriptor that the specification has numbered so."""
    return b"\x00\x53%c" % code + value


def encode_bare(code: int, value: Value) -> bytes:
    """A value of this format code without the code, as arrays hold it."""
    wide = _WIDE.get(code)
    try:
        if wide is not None:
            return wide.pack(value)
    except (StructError, OverflowError):
        raise ValueError(f"{value!r} doesn't fit a value of the code 0x{code:02x}") from None
    if code in (0x56, 0x73):
        return bytes((value is True,)) if code == 0x56 else _u32(ord(str(value)))
    whole = encode(value)
    if whole[0] == code:
        return whole[1:]
    return _widened(code, whole)


def _widened(code: int, whole: bytes) -> bytes:
    """The contents of a value whose short form is `whole`, as the long form of the code `code` has them."""
    short = whole[0]
    if short == EMPTY_LIST[0] and code in (0xC0, 0xD0):
        return b"\x01\x00" if code == 0xC0 else b"\0\0\0\x04\0\0\0\0"
    if code in (0xB0, 0xB1, 0xB3) and short == code - 0x10:
        return _u32(whole[1]) + whole[2:]
    if code in (0xD0, 0xD1, 0xF0) and short == code - 0x10:
        return _u32(whole[1] + 3) + _u32(whole[2]) + whole[3:]
    raise ValueError(f"a value of the code 0x{short:02x} in an array of 0x{code:02x}")


def _integer(value: int) -> bytes:
    small, wide = _INTEGERS[type(value)] if type(value) in _INTEGERS else _INTEGERS[int]
    if isinstance(value, UInt | ULong) and not value:
        return b"\x43" if isinstance(value, UInt) else b"\x44"
    for code in (small, wide):
        try:
            return bytes((code,)) + encode_bare(code, value)
        except ValueError:
            if code == wide:
                raise
    raise ValueError(str(value))


def _symbol(text: str) -> bytes:
    return _sized(0xA3, 0xB3, text.encode("ascii", "replace"))


def _sized(small: int, large: int, data: bytes) -> bytes:
    if len(data) <= _SMALL_SIZE_MAX:
        return b"%c%c%b" % (small, len(data), data)
    return b"%c%b%b" % (large, _u32(len(data)), data)


def _compound(small: int, large: int, values: list[bytes]) -> bytes:
    joined = b"".join(values)
    if len(joined) < _SMALL_SIZE_MAX and len(values) <= _SMALL_SIZE_MAX:
        return b"%c%c%c%b" % (small, len(joined) + 1, len(values), joined)
    return b"%c%b%b%b" % (large, _u32(len(joined) + 4), _u32(len(values)), joined)


def _array(value: Array) -> bytes:
    constructor = bytes((value.code,))
    if value.descriptor is not None:
        constructor = b"\x00" + encode(value.descriptor) + constructor
    joined = constructor + b"".join([_bare_of(value.code, each) for each in value])
    if len(joined) < _SMALL_SIZE_MAX and len(value) <= _SMALL_SIZE_MAX:
        return b"\xe0%c%c%b" % (len(joined) + 1, len(value), joined)
    return b"\xf0%b%b%b" % (_u32(len(joined) + 4), _u32(len(value)), joined)


_WITHOUT_BYTES: Final = (0x40, 0x41, 0x42, 0x43, 0x44, 0x45)


def _bare_of(code: int, value: Value) -> bytes:
    return b"" if code in _WITHOUT_BYTES else encode_bare(code, value)


def symbols(names: list[str]) -> Array | None:
    """Several symbols where a field takes one or more; None where there are none."""
    return Array([Symbol(name) for name in names], 0xA3) if names else None
