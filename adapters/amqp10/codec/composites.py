"""How composite types are declared, and how one declaration reads and writes them (part 1, 1.3 and 1.4).

A composite type is a list whose places have names.  A class holds the values, and a `Composite` says how they stand in
the list:

    class Detach:
        def __init__(self, handle: int = 0, closed: bool = False, error: Error | None = None) -> None: ...

    DETACH = Composite("detach", 0x16, Detach, (
        Place("handle", "uint", mandatory=True), Place("closed", "boolean"), Place("error", "error")))

Fields that are missing at the end, or null, keep the default of the class.  A kind is the name of a primitive type, of
several (`symbols`: one or an array of them), or `*` for any value; a described value that a composite is declared for
is decoded as that.  Composites are off the hot path: transfers, dispositions and flows that are like most are read by
hand (quick.py).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final
from uuid import UUID

from warren.adapters.amqp10.codec.decoding import Reader
from warren.adapters.amqp10.codec.encoding import NULL, described, encode, list_of
from warren.adapters.amqp10.codec.errors import Undecodable
from warren.adapters.amqp10.codec.values import (
    Array,
    Described,
    Milliseconds,
    Symbol,
    UByte,
    UInt,
    ULong,
    UShort,
    Value,
)

SYMBOLS: Final = "symbols"
"""A field that takes one symbol or several (`multiple` in the specification)."""

_LARGEST: Final[dict[str, int]] = {"ubyte": 0xFF, "ushort": 0xFFFF, "uint": 0xFFFF_FFFF, "ulong": 2**64 - 1}
_INTEGERS: Final[dict[str, type[int]]] = {"ubyte": UByte, "ushort": UShort, "uint": UInt, "ulong": ULong}

_DESCRIPTOR_DOMAIN: Final = "amqp"
"""Of the specification's own descriptors; their names are `amqp:NAME:list`."""


class Place:
    """A field of a composite type.  kind: see the head of this file."""

    __slots__ = ("kind", "mandatory", "name")

    def __init__(self, name: str, kind: str, *, mandatory: bool = False) -> None:
        self.name = name
        self.kind = kind
        self.mandatory = mandatory


class Composite:
    """A composite type: its name and code, the class that holds its values, and the places of the fields."""

    __slots__ = ("code", "make", "name", "places")

    def __init__(self, name: str, code: int, make: Callable[[], Any], places: tuple[Place, ...]) -> None:
        self.name = name
        self.code = code
        self.make = make
        self.places = places

    def of(self, values: list[Value]) -> Any:
        """The object that a decoded list stands for; Undecodable, which names the field, if it can't be that."""
        if len(values) > len(self.places):
            raise Undecodable(f"{self.name} with {len(values)} fields; there are {len(self.places)}", clause="1.4")
        made = self.make()
        for number, place in enumerate(self.places):
            value = values[number] if number < len(values) else None
            if value is None:
                if place.mandatory:
                    raise Undecodable(f"{self.name} without the field {place.name}, which is mandatory", clause="1.4")
            else:
                setattr(made, place.name, _checked(self.name, place, value))
        return made

    def encode(self, made: object) -> bytes:
        """The bytes of an object of the class; fields behind the last that isn't null are left out."""
        values = [_encoded(place.kind, getattr(made, place.name)) for place in self.places]
        while values and values[-1] == NULL:
            values.pop()
        return described(self.code, list_of(values))


COMPOSITES: Final[dict[int, Composite]] = {}
"""All that are declared, by code."""

_by_symbol: Final[dict[str, Composite]] = {}
_by_class: Final[dict[Callable[[], Any], Composite]] = {}


def declare(composite: Composite, name: str = "") -> Composite:
    """Make a composite type known.  name: of its descriptor as a symbol, without the domain, if it isn't its own."""
    COMPOSITES[composite.code] = composite
    _by_symbol[f"{_DESCRIPTOR_DOMAIN}:{name or composite.name}:list"] = composite
    _by_class[composite.make] = composite
    return composite


def composite_of(descriptor: Value) -> Composite | None:
    """The composite type with this descriptor, which is a number or a name; None for one that isn't declared."""
    if isinstance(descriptor, Symbol):
        return _by_symbol.get(descriptor)
    return COMPOSITES.get(descriptor) if isinstance(descriptor, ULong) else None


def decode_composite(data: bytes, at: int, end: int) -> tuple[Any, int]:
    """The object at `at`, and where it ends; Undecodable for anything that isn't a declared composite type."""
    value, at = Reader(data).value(at, end)
    return object_of(value), at


def object_of(value: Value) -> Any:
    """The object that a decoded value stands for."""
    if not isinstance(value, Described):
        raise Undecodable("a value without the descriptor of its type", clause="1.4")
    composite = composite_of(value.descriptor)
    if composite is None:
        raise Undecodable(f"the descriptor {value.descriptor!s:.60} is none of a type known here", clause="1.5")
    if not isinstance(value.value, list) or isinstance(value.value, Array):
        raise Undecodable(f"{composite.name} that isn't a list", clause="1.4")
    return composite.of(value.value)


def encode_composite(made: object) -> bytes:
    """The bytes of an object whose class is that of a declared composite type."""
    return _by_class[type(made)].encode(made)


def declared_as(made: object) -> tuple[str, tuple[Place, ...]]:
    """The name and the fields of the composite type that an object is of; nothing for any other object."""
    composite = _by_class.get(type(made))
    return (composite.name, composite.places) if composite is not None else ("", ())


def _checked(owner: str, place: Place, value: Value) -> object:
    kind = place.kind
    if kind == "*":
        return object_of(value) if isinstance(value, Described) and composite_of(value.descriptor) else value
    if kind in _LARGEST:
        if isinstance(value, _INTEGERS[kind]):
            return int(value)
    elif kind == SYMBOLS:
        found = _symbols(value)
        if found is not None:
            return found
    elif kind in _SIMPLE:
        if isinstance(value, _SIMPLE[kind]) and not (kind == "string" and isinstance(value, Symbol)):
            return value
    elif isinstance(value, Described):
        made = object_of(value)
        if _by_class[type(made)].name == kind:
            return made
    raise Undecodable(f"{owner}: the field {place.name} has to be {_article(kind)}", clause="1.4")


_SIMPLE: Final[dict[str, Any]] = {
    "boolean": bool,
    "string": str,
    "symbol": Symbol,
    "binary": bytes,
    "map": dict,
    "timestamp": Milliseconds,
    "message-id": (ULong, UUID, bytes, str),
}


def _article(kind: str) -> str:
    if kind == SYMBOLS:
        return "a symbol or an array of symbols"
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _symbols(value: Value) -> list[str] | None:
    if isinstance(value, Symbol):
        return [str(value)]
    if isinstance(value, Array) and all(isinstance(each, Symbol) for each in value):
        return [str(each) for each in value]
    return None


def _encoded(kind: str, value: Any) -> bytes:
    if value is None or (kind == SYMBOLS and not value):
        return NULL
    if kind in _INTEGERS:
        return encode(_INTEGERS[kind](value))
    if kind == SYMBOLS:
        return encode(Array([Symbol(each) for each in value], 0xA3))
    if kind == "symbol":
        return encode(Symbol(value))
    if type(value) in _by_class:
        return encode_composite(value)
    return encode(value)
