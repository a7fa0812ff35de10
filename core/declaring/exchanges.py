"""Declaring and deleting exchanges, by clients and administrators: the checks, and the place in the definitions."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Final

from warren.core.access.permissions import ResourceKind, Verb
from warren.core.clients.limits import check_exchange as check_exchange_limit
from warren.core.declaring.actor import Actor
from warren.core.declaring.bindings import remove_bindings_from, remove_bindings_of
from warren.core.declaring.equivalence import check_arguments, check_flag
from warren.core.declaring.names import RESERVED_PREFIX, check_new_name, clean_name
from warren.core.declaring.rows import exchange_row
from warren.core.errors import AccessRefused, BrokerError, PreconditionFailed
from warren.core.exchanges.base import Exchange, check_alternate
from warren.core.exchanges.registry import create
from warren.core.messages.field_table import EMPTY_TABLE_RAW
from warren.core.routing.vhost import DEFAULT_EXCHANGE, VirtualHost

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue

PREDECLARED = (
    ("amq.direct", "direct", False),
    ("amq.fanout", "fanout", False),
    ("amq.topic", "topic", False),
    ("amq.headers", "headers", False),
    ("amq.match", "headers", False),
    ("amq.rabbitmq.trace", "topic", True),
)
"""Name, type and internal flag of what every virtual host starts with (spec A.6); all durable."""

VERBS: tuple[Verb, ...] = ("read", "write", "configure")
"""Configure last, so that the refusal of a passive declare names it."""


EMPTIED_PER_SLICE: Final = 100
"""Auto-delete exchanges that are deleted in one turn: some twenty microseconds each."""


def predeclare(vhost: VirtualHost) -> None:
    """Give a virtual host its predeclared exchanges; they are not stored, every start makes them anew."""
    for name, type_name, internal in PREDECLARED:
        exchange = vhost.exchanges[name] = create(type_name, name, durable=True, internal=internal)
        exchange.attached(vhost)


def declare_exchange(
    actor: Actor,
    name: str,
    type_name: str,
    *,
    durable: bool = False,
    auto_delete: bool = False,
    internal: bool = False,
    arguments: Mapping[str, FieldValue] | None = None,
    arguments_raw: bytes = EMPTY_TABLE_RAW,
) -> Exchange:
    """exchange.declare: make the exchange, or agree with the one that is there.

    Raises AccessRefused (403) for the default exchange, a reserved name or a lack of permission; PreconditionFailed
    (406) for an unknown type, invalid arguments or a declaration that differs from the existing one.
    """
    vhost = actor.vhost
    name = clean_name(name)
    arguments = arguments or {}
    _refuse_default(name)
    actor.check("exchange", name, "configure")
    existing = vhost.exchanges.get(name)
    if existing is None:
        check_new_name("exchange", name)
    check_alternate(f"exchange '{name}' in vhost '{vhost.name}'", arguments)
    exchange = create(
        type_name,
        name,
        durable=durable,
        auto_delete=auto_delete,
        internal=internal,
        arguments=arguments,
        arguments_raw=arguments_raw,
    )
    if existing is None and exchange.made_by_broker:
        raise PreconditionFailed(f"exchanges of type '{type_name}' are the broker's own; declare another type")
    if existing is not None:
        _check_equivalent(f"exchange '{name}' in vhost '{vhost.name}'", existing, exchange)
        return existing
    if exchange.alternate is not None:
        actor.check("exchange", name, "read")
        actor.check("exchange", exchange.alternate, "write")
    check_exchange_limit(vhost, name)
    add_exchange(vhost, exchange)
    return exchange


def add_exchange(vhost: VirtualHost, exchange: Exchange) -> None:
    """Put a new exchange of a free name into its virtual host, under the policies that match it."""
    broker = vhost.broker
    vhost.check_stays()
    if exchange.durable:
        broker.definitions.check_room(len(exchange.arguments_raw))
    if broker.agreements is not None and broker.agreements.shares_exchange(exchange):
        broker.agreements.ask_for("exchange", vhost.name, exchange.name, exchange_row(exchange))
    if exchange.durable and exchange.keeps_messages and not exchange.store_id:
        exchange.store_id = broker.numbers.take("exchange", vhost.name, exchange.name)
    vhost.exchanges[exchange.name] = exchange
    exchange.attached(vhost)
    broker.policies.apply_to(vhost.name, exchange)
    vhost.changed()
    if exchange.durable:
        row = {**exchange_row(exchange), "id": exchange.store_id}
        broker.definitions.put("exchange", vhost.name, exchange.name, row)
        broker.quarantine.exchange_made(vhost, exchange)


def check_exchange(actor: Actor, name: str) -> Exchange:
    """exchange.declare with passive: NotFound (404) unless it is there, AccessRefused without any permission on it."""
    name = clean_name(name)
    _refuse_default(name)
    exchange = actor.vhost.exchange(name)
    check_any_permission(actor, "exchange", name)
    return exchange


def delete_exchange(actor: Actor, name: str, *, if_unused: bool = False) -> None:
    """exchange.delete; nothing happens when there is no such exchange.

    Raises AccessRefused (403) for predeclared ones, PreconditionFailed (406) when it is in use and that matters.
    """
    name = clean_name(name)
    _refuse_default(name)
    vhost = actor.vhost
    actor.check("exchange", name, "configure")
    if name.startswith(RESERVED_PREFIX):
        raise AccessRefused(f"deletion of system exchange '{name}' in vhost '{vhost.name}' not allowed")
    exchange = vhost.exchanges.get(name)
    if exchange is None:
        return
    if if_unused and exchange.bindings:
        raise PreconditionFailed(f"exchange '{name}' in vhost '{vhost.name}' in use; it still has bindings")
    agreements = vhost.broker.agreements
    if agreements is not None and agreements.shares_exchange(exchange):
        agreements.ask(("exchange", vhost.name, name, None), intent=("no exchange", vhost.name, name))
    remove_exchange(vhost, exchange)


def remove_exchange(vhost: VirtualHost, exchange: Exchange) -> None:
    """Take an exchange away with its bindings in both directions; auto-delete exchanges may go with it."""
    del vhost.exchanges[exchange.name]
    vhost.broker.watchers.gone(exchange)
    exchange.detached()
    remove_bindings_from(vhost, exchange)
    if exchange.durable:
        vhost.broker.definitions.delete("exchange", vhost.name, exchange.name)
        if exchange.store_id:
            vhost.broker.numbers.deleted(exchange.store_id)
    remove_bindings_of(vhost, exchange, remove_emptied)
    vhost.changed()


def remove_emptied(vhost: VirtualHost, exchanges: list[Exchange]) -> None:
    """Delete auto-delete exchanges that just lost their last binding, soon.

    By that others may lose theirs: a long chain of them goes link by link, in the turns that follow.
    """
    for exchange in exchanges:
        vhost.emptied[exchange] = None
    if exchanges and not vhost.removes_emptied:
        vhost.removes_emptied = True
        if _remove_some_emptied(vhost):
            vhost.broker.chores.add(partial(_remove_some_emptied, vhost))


def _remove_some_emptied(vhost: VirtualHost) -> bool:
    """Delete some of those that wait for it; False when there are no more."""
    has_more = False
    try:
        for _ in range(EMPTIED_PER_SLICE):
            if not vhost.emptied:
                break
            exchange, _ = vhost.emptied.popitem()
            if vhost.exchanges.get(exchange.name) is exchange and not exchange.bindings:
                remove_exchange(vhost, exchange)
        has_more = bool(vhost.emptied)
    finally:
        vhost.removes_emptied = has_more
    return has_more


def check_any_permission(actor: Actor, kind: ResourceKind, name: str) -> None:
    """Passive declares need any one of read, write and configure (spec A.6)."""
    refused: BrokerError | None = None
    for verb in VERBS:
        try:
            actor.check(kind, name, verb)
        except AccessRefused as error:
            refused = error
        else:
            return
    if refused is not None:
        raise refused


def _refuse_default(name: str) -> None:
    if name == DEFAULT_EXCHANGE:
        raise AccessRefused("operation not permitted on the default exchange")


def _check_equivalent(description: str, current: Exchange, received: Exchange) -> None:
    check_flag(description, "type", received.type_name, current.type_name)
    check_flag(description, "durable", received.durable, current.durable)
    check_flag(description, "auto_delete", received.auto_delete, current.auto_delete)
    check_flag(description, "internal", received.internal, current.internal)
    check_arguments(
        description,
        current.compared_arguments,
        received.arguments,
        received.arguments_raw,
        current.arguments,
        current.arguments_raw,
    )
