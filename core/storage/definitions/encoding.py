"""How the parts of a row are written down: values as JSON text, names as bytes.

Both stores go through here, so that a value refused by one is refused by the other, and a value read back is
always a copy, never the object that was put.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from warren.core.storage.definitions.store import JSON

_encode = json.JSONEncoder(separators=(",", ":")).encode


def encode_value(value: Mapping[str, JSON]) -> str:
    """`value` as ASCII JSON text. Raises TypeError for what JSON can't hold (bytes, sets, other objects)."""
    return _encode(value)


def decode_value(text: str) -> dict[str, JSON]:
    """The value whose `encode_value` is `text`. Raises ValueError when it is no JSON object."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def encode_name(name: str) -> bytes:
    """`name` as bytes, one to one: lone surrogates, which SQLite's TEXT refuses, keep their own encoding."""
    return name.encode("utf-8", "surrogatepass")


def decode_name(encoded: bytes) -> str:
    """The name whose `encode_name` is `encoded`. Raises ValueError when there is none."""
    return encoded.decode("utf-8", "surrogatepass")
