"""How methods are declared, and how one declaration reads and writes them.

A method is a dataclass that nobody changes; the name of each annotation says both the Python type and the wire type:

    @method("basic.ack", 60, 80)
    class BasicAck(Method):
        delivery_tag: LongLong = 0
        multiple: Bit = False

The decorator looks the names up in `WIRE_TYPES` once, when the class is made (so the declaring module needs
annotations that stay strings); `read_arguments` and `write_arguments` walk the list that results.
Consecutive bits share an octet, lowest bit first (AMQP 0-9-1 4.2.5.2).

Where `x: Table` has a companion `x_raw: RawTable`, decoding keeps the table's bytes, with their length,
beside the dict, because the dict forgets which integer type a value had; encoding prefers the raw bytes when
there are any.  Raw fields take no part in comparison.

Methods are off the hot path: publishes, deliveries and acks are read and written by the channel itself.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, fields
from typing import Any, ClassVar, Final, TypeAlias, TypeVar, dataclass_transform

from warren.adapters.amqp091.codec.constants import SHORT_STRING_BYTES_MAX
from warren.core.errors import MalformedField
from warren.core.frozen import slotted
from warren.core.messages.field_table import FieldTable, decode_table, encode_table

Reader = Callable[[bytes, int], tuple[Any, int]]
Writer = Callable[[Any], bytes]


class Wire:
    """A wire type: its name in the specification, and how a value is read at an offset and written."""

    __slots__ = ("name", "read", "write")

    def __init__(self, name: str, read: Reader, write: Writer) -> None:
        self.name = name
        self.read = read
        self.write = write


class _CutShortError(Exception):
    """The arguments end within a value."""


def _take(data: bytes, at: int, size: int) -> tuple[bytes, int]:
    stop = at + size
    if stop > len(data):
        raise _CutShortError
    return data[at:stop], stop


def _integer(name: str, size: int) -> Wire:
    def read(data: bytes, at: int) -> tuple[int, int]:
        value, stop = _take(data, at, size)
        return int.from_bytes(value, "big"), stop

    def write(value: int) -> bytes:
        try:
            return value.to_bytes(size, "big")
        except OverflowError:
            raise ValueError(f"{value} doesn't fit {size} unsigned bytes") from None

    return Wire(name, read, write)


def _read_short_string(data: bytes, at: int) -> tuple[str, int]:
    size, at = _take(data, at, 1)
    value, at = _take(data, at, size[0])
    return value.decode("utf-8", "surrogateescape"), at


def _write_short_string(value: str) -> bytes:
    data = value.encode("utf-8", "surrogateescape")
    if len(data) > SHORT_STRING_BYTES_MAX:
        raise ValueError(f"longer than {SHORT_STRING_BYTES_MAX} bytes")
    return bytes((len(data),)) + data


def _read_long_string(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _take(data, at, 4)
    return _take(data, at, int.from_bytes(size, "big"))


def _write_long_string(value: bytes) -> bytes:
    return len(value).to_bytes(4, "big") + value


def _read_bit(data: bytes, at: int) -> tuple[bool, int]:
    octet, at = _take(data, at, 1)
    return octet != b"\0", at


BIT: Final = Wire("bit", _read_bit, lambda value: b"\x01" if value else b"\0")
"""Bits are told from the other types by identity, since neighbours share an octet."""

WIRE_TYPES: Final[dict[str, Wire]] = {
    "Octet": _integer("octet", 1),
    "Short": _integer("short", 2),
    "Long": _integer("long", 4),
    "LongLong": _integer("longlong", 8),
    "ShortString": Wire("shortstr", _read_short_string, _write_short_string),
    "LongString": Wire("longstr", _read_long_string, _write_long_string),
    "Bit": BIT,
    "Table": Wire("table", decode_table, encode_table),
}

Octet: TypeAlias = int
Short: TypeAlias = int
Long: TypeAlias = int
LongLong: TypeAlias = int
ShortString: TypeAlias = str
LongString: TypeAlias = bytes
Bit: TypeAlias = bool
Table: TypeAlias = FieldTable
RawTable: TypeAlias = bytes


class Method:
    """One method of AMQP 0-9-1, in either direction.

    NAME: as the specification writes it, `queue.declare`.
    has_content: a content header and body frames follow it.
    ARGUMENTS: name and wire type of each argument, in order.
    RAW_TABLES: the table arguments whose bytes are kept too.
    """

    __slots__ = ()

    NAME: ClassVar[str]
    CLASS_ID: ClassVar[int]
    METHOD_ID: ClassVar[int]
    has_content: ClassVar[bool]
    ARGUMENTS: ClassVar[tuple[tuple[str, Wire], ...]]
    RAW_TABLES: ClassVar[frozenset[str]]

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name, _ in self.ARGUMENTS)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(f"{each.name}={getattr(self, each.name)!r}" for each in fields(self) if each.repr)  # type: ignore[arg-type]
        return f"{type(self).__name__}({shown})"


AnyMethod = TypeVar("AnyMethod", bound=Method)

registered: Final[dict[tuple[int, int], type[Method]]] = {}
"""Every declared method by class id and method id."""


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def method(
    name: str, class_id: int, method_id: int, has_content: bool = False
) -> Callable[[type[AnyMethod]], type[AnyMethod]]:
    """Declare the decorated class as the method of this name and ids."""

    def declare(cls: type[AnyMethod]) -> type[AnyMethod]:
        # Comparison and repr are Method's: writing them out per class would cost a tenth of the time to start a broker,
        # and so would freezing at run time what the type checker freezes.
        made = slotted(cls)
        wire_names = {each.name: str(each.type) for each in fields(made)}  # type: ignore[arg-type]
        made.NAME = name
        made.CLASS_ID = class_id
        made.METHOD_ID = method_id
        made.has_content = has_content
        made.ARGUMENTS = tuple((each, WIRE_TYPES[wire]) for each, wire in wire_names.items() if wire != "RawTable")
        made.RAW_TABLES = frozenset(
            each.removesuffix("_raw") for each, wire in wire_names.items() if wire == "RawTable"
        )
        registered[class_id, method_id] = made
        return made

    return declare


def read_arguments(cls: type[Method], data: bytes) -> Method:
    """The method whose arguments `data` holds, all of it.

    Raises MalformedField, naming method and argument, when the arguments are cut short, when bytes are left
    over (RabbitMQ refuses those too) or when a table is invalid.
    """
    values: dict[str, Any] = {}
    at = 0
    mask = 0
    octet = 0
    name = "arguments"
    try:
        for name, wire in cls.ARGUMENTS:
            if wire is BIT:
                if mask in (0, 0x100):
                    (octet,), at = _take(data, at, 1)
                    mask = 1
                values[name] = octet & mask != 0
                mask <<= 1
                continue
            mask = 0
            start = at
            values[name], at = wire.read(data, start)
            if name in cls.RAW_TABLES:
                values[name + "_raw"] = data[start:at]
    except _CutShortError:
        raise MalformedField(f"{cls.NAME}: argument {name} is cut short") from None
    except MalformedField as error:
        raise MalformedField(f"{cls.NAME}: argument {name}: {error.text}") from None
    if at != len(data):
        raise MalformedField(f"{cls.NAME}: {len(data) - at} bytes are left over behind the arguments")
    return cls(**values)


def write_arguments(value: Method) -> bytes:
    """The arguments as on the wire; ValueError, naming method and argument, for a value out of range."""
    parts: list[bytes] = []
    bits = 0
    bit_count = 0
    for name, wire in value.ARGUMENTS:
        if wire is BIT:
            bits |= bool(getattr(value, name)) << bit_count
            bit_count += 1
            continue
        if bit_count:
            parts.append(bytes((bits,)))
            bits = bit_count = 0
        raw = getattr(value, name + "_raw") if name in value.RAW_TABLES else b""
        try:
            parts.append(raw or wire.write(getattr(value, name)))
        except ValueError as error:
            raise ValueError(f"{value.NAME}: argument {name}: {error}") from None
    if bit_count:
        parts.append(bytes((bits,)))
    return b"".join(parts)
