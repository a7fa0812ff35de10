"""Values of AMQP's field tables as text, for protocols whose headers are nothing else.

Numbers and times in decimal, booleans as true and false, tables and arrays as JSON, nothing as an empty value.
"""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue


def text_of(value: FieldValue) -> str:
    """The value of a header entry as text."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogateescape")
    if isinstance(value, int):
        return str(int(value))
    if isinstance(value, float | Decimal):
        return str(value)
    return json.dumps(_plain(value), separators=(",", ":"), ensure_ascii=False)


def _plain(value: FieldValue) -> object:
    if isinstance(value, dict):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, bytes | Decimal):
        return text_of(value)
    return value
