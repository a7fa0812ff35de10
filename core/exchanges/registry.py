"""The exchange types there are, by the name that clients declare them with.

A type registers itself when its module is imported, as a plugin's type does; the built-in ones are imported
by the package.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.core.errors import CommandInvalid, PreconditionFailed
from warren.core.exchanges.base import Exchange
from warren.core.messages.field_table import EMPTY_TABLE_RAW

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue

OF_FEDERATION_LINKS: Final = "x-federation-upstream"
"""A plugin's type (spec E.2).  Where it isn't known, RabbitMQ's links use a fanout instead, but only if they are told
so by 503, as RabbitMQ itself did up to 3.12; other unknown types are 406."""

_types: dict[str, type[Exchange]] = {}


def register(exchange_class: type[Exchange]) -> None:
    """Let clients declare exchanges of this type; a plain call after the class.

    Raises ValueError when another class has the name already.
    """
    known = _types.setdefault(exchange_class.type_name, exchange_class)
    if known is not exchange_class:
        raise ValueError(f"exchange type {exchange_class.type_name!r} is {known.__qualname__} already")


def unregister(exchange_class: type[Exchange]) -> None:
    """Undo `register`, for a plugin that is switched off; exchanges that exist stay as they are."""
    if _types.get(exchange_class.type_name) is exchange_class:
        del _types[exchange_class.type_name]


def type_names() -> list[str]:
    """The names of all types that can be declared, sorted."""
    return sorted(name for name, each in _types.items() if not each.made_by_broker)


def exchange_type(type_name: str) -> type[Exchange]:
    """The class behind a type name; raises PreconditionFailed when there is none, or CommandInvalid (see above)."""
    found = _types.get(type_name)
    if found is None:
        known = ", ".join(type_names())
        refused = CommandInvalid if type_name == OF_FEDERATION_LINKS else PreconditionFailed
        raise refused(f"unknown exchange type '{type_name}'; the types are {known}")
    return found


def create(
    type_name: str,
    name: str,
    *,
    durable: bool = False,
    auto_delete: bool = False,
    internal: bool = False,
    arguments: Mapping[str, FieldValue] | None = None,
    arguments_raw: bytes = EMPTY_TABLE_RAW,
) -> Exchange:
    """A new exchange, without bindings.

    Raises PreconditionFailed when there is no such type or when it can't be declared with these arguments.
    """
    exchange_class = exchange_type(type_name)
    exchange_class.check_arguments(arguments or {})
    return exchange_class(
        name,
        durable=durable,
        auto_delete=auto_delete,
        internal=internal,
        arguments=arguments,
        arguments_raw=arguments_raw,
    )
