"""Arguments of queues, exchanges and bindings in JSON, as RabbitMQ writes and reads them.

AMQP's field tables know more types than JSON.  RabbitMQ writes integers of any width as numbers, timestamps as their
seconds, a void as the string "undefined", and bytes that are no UTF-8 as a string that says so and holds them in
base64.  Reading turns the last two back into what they were; of the others, integers become 64 bits wide, which
matters nowhere, since values are compared by what they say.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from warren.core.errors import PreconditionFailed
from warren.core.limit_hits import limited
from warren.core.messages.field_table import encode_table

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldTable, FieldValue
    from warren.core.storage.definitions.store import JSON

VOID: Final = "undefined"
NOT_UTF_8: Final = "Not UTF-8, base64 is: "

INTEGER_MAX: Final = 2**63 - 1
NESTING_MAX: Final = 16
"""Levels of objects and lists within each other; what `core.messages.field_table` can read back is more."""


def to_json(value: FieldValue) -> JSON:
    """A field value as RabbitMQ exports it."""
    if value is None:
        return VOID
    if isinstance(value, str):
        return _text(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, float):
        # JSON has no infinity, and nothing that is no number.
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, Mapping):
        return table_to_json(value)
    return [to_json(each) for each in value]


def table_to_json(table: Mapping[str, FieldValue]) -> dict[str, JSON]:
    """The arguments of an object, as RabbitMQ exports them."""
    return {str(to_json(key)): to_json(value) for key, value in table.items()}


def from_json(value: JSON, level: int = 1) -> FieldValue:
    """The field value that an exported one stands for; PreconditionFailed when no table can hold it."""
    if level > NESTING_MAX:
        text = f"the arguments are nested more than {NESTING_MAX} levels deep"
        raise limited(PreconditionFailed(text), "nesting of values")
    if isinstance(value, str):
        return _value_of_text(value)
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        if abs(value) > INTEGER_MAX:
            raise PreconditionFailed(f"the number {value} in the arguments doesn't fit into 64 bits")
        return value
    if isinstance(value, Mapping):
        return _table(value, level + 1)
    return [from_json(each, level + 1) for each in value]


def table_from_json(value: JSON) -> FieldTable:
    """The arguments of an object; missing ones may be null or an empty list.  Raises PreconditionFailed."""
    if value is None or value == []:
        return {}
    if not isinstance(value, Mapping):
        raise PreconditionFailed(f"arguments must be a JSON object, not {value!r}")
    table = _table(value, 1)
    try:
        encode_table(table)
    except ValueError as error:
        raise PreconditionFailed(f"the arguments can't be written as a field table: {error}") from None
    return table


def _table(value: Mapping[str, JSON], level: int) -> FieldTable:
    return {key: from_json(each, level) for key, each in value.items()}


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return NOT_UTF_8 + base64.b64encode(value).decode()


def _value_of_text(text: str) -> FieldValue:
    if text == VOID:
        return None
    if text.startswith(NOT_UTF_8):
        try:
            return base64.b64decode(text.removeprefix(NOT_UTF_8), validate=True)
        except ValueError:
            return text
    return text
