"""AMQP's types that Python's own don't tell apart (part 1, 1.6): what is decoded leaves as what it came as.

Subclasses, so that whoever only wants the value needn't ask: an unsigned int is an int, a symbol a str.  A long is a
plain int and a double a plain float, as Python's own have no narrower word for them.  Apart from everything else
because subclasses of Python's own types can't be compiled.
"""

from __future__ import annotations

from typing import TypeAlias
from uuid import UUID


class UByte(int):
    """0 to 255."""

    __slots__ = ()


class UShort(int):
    """16 bits, unsigned."""

    __slots__ = ()


class UInt(int):
    """32 bits, unsigned."""

    __slots__ = ()


class ULong(int):
    """64 bits, unsigned."""

    __slots__ = ()


class Byte(int):
    """8 bits, signed."""

    __slots__ = ()


class Short(int):
    """16 bits, signed."""

    __slots__ = ()


class Int(int):
    """32 bits, signed."""

    __slots__ = ()


class Milliseconds(int):
    """A timestamp: since 1970, signed, 64 bits."""

    __slots__ = ()


class Float(float):
    """IEEE 754 binary32."""

    __slots__ = ()


class Char(str):
    """One character of Unicode."""

    __slots__ = ()


class Symbol(str):
    """ASCII of a constrained domain, such as the names of errors and capabilities."""

    __slots__ = ()


class Decimal(bytes):
    """An IEEE 754 decimal of 4, 8 or 16 bytes, which nobody here calculates with: as it came."""

    __slots__ = ()


class Array(list["Value"]):
    """Values of one type, which `code` is the format code of; of described ones, `descriptor` is theirs."""

    __slots__ = ("code", "descriptor")

    def __init__(self, values: list[Value], code: int, descriptor: Value = None) -> None:
        super().__init__(values)
        self.code = code
        self.descriptor = descriptor

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Array) and (self.code, self.descriptor) != (other.code, other.descriptor):
            return False
        return list.__eq__(self, other)

    __hash__ = None


class Described:
    """A value with a descriptor, of a type that isn't known here."""

    __slots__ = ("descriptor", "value")

    def __init__(self, descriptor: Value, value: Value) -> None:
        self.descriptor = descriptor
        self.value = value

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Described)
            and type(self.descriptor) is type(other.descriptor)
            and self.descriptor == other.descriptor
            and self.value == other.value
        )

    def __hash__(self) -> int:
        return hash(("described", str(self.descriptor)))

    def __repr__(self) -> str:
        return f"Described({self.descriptor!r}, {self.value!r})"


Value: TypeAlias = "bool | int | float | str | bytes | UUID | list[Value] | dict[Value, Value] | Described | None"
"""What decoding gives and encoding takes."""

ValueMap: TypeAlias = "dict[Value, Value]"
