"""JSON as arguments and in cells of tables, as rabbitmqctl has it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from warren.gateway.control import exit_codes as codes
from warren.gateway.control.target import RefusedError

if TYPE_CHECKING:
    from warren.core.storage.definitions.store import JSON


def parse_json(text: str) -> JSON:
    """The value of a JSON document on the command line; RefusedError (65) when it is none."""
    try:
        value: JSON = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"Could not parse JSON document: {error}", codes.DATA) from None
    return value


def json_text(value: object) -> str:
    """A value in one cell: compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
