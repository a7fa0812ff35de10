"""The codec of Azure's clients as a judge of ours: what it reads, and what we read of what it writes.

It has no types of its own for most of AMQP's: strings and symbols are bytes, all integers are int, arrays are lists,
and of described values the descriptor is dropped, but for those of delivery states.  `as_azure` says what it should
have read; `for_azure` says in its own words what it should write.
"""

from __future__ import annotations

from typing import Any, Final

from azure.eventhub._pyamqp import _decode, _encode, endpoints, error, outcomes
from azure.eventhub._pyamqp.types import AMQPTypes, ObjDefinition

from warren.adapters.amqp10.codec.composites import COMPOSITES
from warren.adapters.amqp10.codec.values import (
    Array,
    Byte,
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

STATES: Final[dict[Value, str]] = {
    0x23: "received",
    0x24: "accepted",
    0x25: "rejected",
    0x26: "released",
    0x27: "modified",
}
"""Descriptors that Azure's decoder has names for."""

UNREAD: Final = {
    "char": "its decoder has no entry for the code 0x73",
    "decimal of 4 bytes": "its decoder has no entry for the code 0x74",
    "decimal of 8 bytes": "its decoder has no entry for the code 0x84",
    "decimal of 16 bytes": "it looks for the exponent two bits further than it stands: 1 is an overflow",
    "empty array": "it stops in front of the constructor, and takes that for the next value",
}
"""What is legal and can't be read there, each with the reason; test_azure.py sees to it that each is still so."""

UNWRITTEN: Final = {
    "char": "there is no such type in its encoder",
    "decimal of 4 or 8 bytes": "there is one of 16 bytes alone",
    "decimal": "its exponent's bits overlap with the digits",
    "array of uint with a zero": "a zero is written as its short form, which an array can't hold",
    "array of booleans": "all but the first are written as format codes",
    "empty array": "it is written without the constructor that 1.2.4 asks for",
}
"""What can't be written by it."""

_TYPES: Final[tuple[tuple[type, Any], ...]] = (
    (bool, AMQPTypes.boolean),
    (UByte, AMQPTypes.ubyte),
    (UShort, AMQPTypes.ushort),
    (UInt, AMQPTypes.uint),
    (ULong, AMQPTypes.ulong),
    (Byte, AMQPTypes.byte),
    (Short, AMQPTypes.short),
    (Int, AMQPTypes.int),
    (Milliseconds, AMQPTypes.timestamp),
    (int, AMQPTypes.long),
    (Float, AMQPTypes.float),
    (float, AMQPTypes.double),
    (Symbol, AMQPTypes.symbol),
    (str, AMQPTypes.string),
    (bytes, AMQPTypes.binary),
)
"""The first that a value is of is its type."""


def read_by_azure(data: bytes) -> Any:
    """The value that these bytes are, as Azure's decoder has it; AssertionError where it doesn't take all of them."""
    rest, found = _decode._DECODE_BY_CONSTRUCTOR[data[0]](memoryview(data)[1:])
    assert len(rest) == 0
    return found


def frame_read_by_azure(body: bytes) -> tuple[int, list[Any]]:
    """The code of a performative, and its fields; the last of a transfer is the payload."""
    code, fields = _decode.decode_frame(memoryview(body))
    return code, [bytes(each) if isinstance(each, memoryview) else each for each in fields]


def written_by_azure(value: Any) -> bytes:
    """The bytes of a value that `for_azure` gives."""
    output = bytearray()
    _encode.encode_value(output, value)
    return bytes(output)


def as_azure(value: Value) -> Any:
    """What Azure's decoder makes of it."""
    if isinstance(value, Described):
        inner = as_azure(value.value)
        return {STATES[value.descriptor]: inner} if value.descriptor in STATES else inner
    if isinstance(value, dict):
        return {as_azure(key): as_azure(each) for key, each in value.items()}
    if isinstance(value, list):
        return [as_azure(each) for each in value]
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return value.encode()
    return bytes(value) if isinstance(value, bytes) else value


def for_azure(value: Value) -> Any:
    """How its encoder is told to write it."""
    if value is None:
        return {"TYPE": AMQPTypes.null, "VALUE": None}
    if isinstance(value, Described):
        return {"TYPE": AMQPTypes.described, "VALUE": (for_azure(value.descriptor), for_azure(value.value))}
    if isinstance(value, dict):
        pairs = [(for_azure(key), for_azure(each)) for key, each in value.items()]
        return {"TYPE": AMQPTypes.map, "VALUE": pairs}
    if isinstance(value, list):
        kind = AMQPTypes.array if isinstance(value, Array) else AMQPTypes.list
        return {"TYPE": kind, "VALUE": [for_azure(each) for each in value]}
    found = next((name for kind, name in _TYPES if isinstance(value, kind)), AMQPTypes.uuid)
    return {"TYPE": found, "VALUE": value}


def is_unwritten(array: Value) -> bool:
    """Whether an array is one of UNWRITTEN."""
    return isinstance(array, Array) and (not array or any(isinstance(each, bool) or each == 0 for each in array))


def azure_composite(kind: Any, made: object) -> Any:
    """One of its named tuples, with the fields of an object of ours; `kind` has the same code."""
    places = COMPOSITES[kind._code].places
    values = [getattr(made, place.name) for place in places]
    fields = [field for field in kind._definition if field is not None]
    for at, field in enumerate(fields):
        if values[at] == []:
            values[at] = None
        if isinstance(field.type, ObjDefinition) and values[at] is not None:
            values[at] = azure_composite(_OBJECTS[type(values[at]).__name__], values[at])
    return kind(*values, *([b""] if len(fields) < len(kind._definition) else []))


_OBJECTS: Final = {
    "Error": error.AMQPError,
    "Source": endpoints.Source,
    "Target": endpoints.Target,
    "Received": outcomes.Received,
    "Accepted": outcomes.Accepted,
    "Rejected": outcomes.Rejected,
    "Released": outcomes.Released,
    "Modified": outcomes.Modified,
}
"""Its classes of what stands within performatives, by the names of ours."""
