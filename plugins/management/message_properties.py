"""Properties of a message as bodies of requests have them."""

from __future__ import annotations

from typing import Any, Final, cast

from warren.core.administration.definitions_json.field_values import table_from_json
from warren.core.messages.properties import PropertyChanges
from warren.gateway.plugin import EMPTY, Properties, encode_properties
from warren.plugins.management.bodies import TableOrNothing, check_table
from warren.plugins.management.errors import bad_request

INTEGERS: Final = ("delivery_mode", "priority", "timestamp")


def properties_of(given: TableOrNothing) -> Properties:
    """The properties of a message, by their names; ApiError for what none can be."""
    changes: dict[str, Any] = {}
    for name, value in check_table("properties", given).items():
        if name not in PropertyChanges.__annotations__:
            known = ", ".join(PropertyChanges.__annotations__)
            raise bad_request(f"there is no property '{name}'; the properties are {known}")
        if name == "headers":
            changes[name] = table_from_json(value)
        elif name in INTEGERS:
            changes[name] = _integer(name, value)
        elif isinstance(value, str):
            changes[name] = value
        else:
            raise bad_request(f"the property {name} must be a text, not {value!r:.100}")
    try:
        return encode_properties(**cast("PropertyChanges", changes)) if changes else EMPTY
    except ValueError as error:
        raise bad_request(f"the properties can't be: {error}") from None


def _integer(name: str, value: object) -> int:
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_request(f"the property {name} must be a number, not {value!r:.100}")
    return value
