"""The names that error texts give to the types of field values."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue


def field_type_name(value: FieldValue) -> str:
    """RabbitMQ's name for the type of a decoded value; every integer is a `long`."""
    if value is None:
        return "void"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int):
        return "long"
    if isinstance(value, str):
        return "longstr"
    if isinstance(value, bytes):
        return "binary"
    if isinstance(value, float):
        return "double"
    if isinstance(value, Decimal):
        return "decimal"
    return "table" if isinstance(value, Mapping) else "array"
