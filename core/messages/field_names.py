"""How error texts name the types of field values and write values down, as RabbitMQ's do (spec A.5).

Programs compare these texts, so what RabbitMQ prints as a term of Erlang's looks like one here, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from warren.core.messages.field_table import Timestamp

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue

_SIGNED_INT_MAX: Final = 2**31 - 1
"""What clients write as `I`; the width that an integer came in isn't kept, only its value."""


def field_type_name(value: FieldValue) -> str:
    """RabbitMQ's name for the type of a decoded value; an integer is a `signedint` where it fits into 32 bits."""
    if value is None:
        return "void"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, Timestamp):
        return "timestamp"
    if isinstance(value, int):
        return "signedint" if -_SIGNED_INT_MAX - 1 <= value <= _SIGNED_INT_MAX else "long"
    if isinstance(value, str):
        return "longstr"
    if isinstance(value, bytes):
        return "binary"
    if isinstance(value, float):
        return "double"
    if isinstance(value, Decimal):
        return "decimal"
    return "table" if isinstance(value, Mapping) else "array"


def term(value: object) -> str:
    """A value as RabbitMQ's texts show it: text as a binary, `true` and `false` in small letters."""
    if isinstance(value, str):
        return f'<<"{value}">>' if value else "<<>>"
    if isinstance(value, bytes):
        return octets_term(value)
    if isinstance(value, bool):
        return str(value).lower()
    return "undefined" if value is None else str(value)


def octets_term(data: bytes) -> str:
    """Bytes as RabbitMQ's texts show them: as text if all of them are printable, else as numbers."""
    if data and all(0x20 <= octet < 0x7F for octet in data):
        text = data.decode("ascii").replace("\\", "\\\\").replace('"', '\\"')
        return f'<<"{text}">>'
    return f"<<{','.join(map(str, data))}>>"
