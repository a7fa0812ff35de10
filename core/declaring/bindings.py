"""Binding and unbinding queues and exchanges, by clients and administrators (spec A.5, A.6)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from warren.core.declaring.actor import Actor
from warren.core.declaring.departures import AT_ONCE_MAX, Departure, Emptied, is_long
from warren.core.declaring.names import clean_name
from warren.core.declaring.rows import binding_name, binding_row
from warren.core.errors import AccessRefused
from warren.core.exchanges.base import Exchange
from warren.core.exchanges.binding import Binding, Destination, DestinationKind, binding_key
from warren.core.queues.base import Queue
from warren.core.routing.vhost import DEFAULT_EXCHANGE, REPLY_PREFIX, VirtualHost

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue

REPLY_QUEUE = "amq.rabbitmq.reply-to"
"""The pseudo-queue of direct reply-to."""


ROWS_ONE_BY_ONE_MAX: Final = 32
"""Rows that are deleted by their names; more of them together, in a tenth of the time."""


def bind(
    actor: Actor,
    kind: DestinationKind,
    destination: str,
    source: str,
    routing_key: str,
    arguments: Mapping[str, FieldValue],
    arguments_raw: bytes,
) -> None:
    """Route messages of the exchange `source` to a queue or exchange; binding twice is once.

    Raises NotFound (404), AccessRefused (403) for the default exchange, a reply pseudo-queue or a lack of permission,
    ResourceLocked (405) for another connection's queue, PreconditionFailed (406) for invalid arguments.
    """
    vhost = actor.vhost
    source, target, exchange = _ends(actor, kind, destination, source, routing_key)
    if target is None:
        target = vhost.queue(destination) if kind == "queue" else vhost.exchange(destination)
    if exchange is None:
        exchange = vhost.exchange(source)
    add_binding(vhost, exchange, Binding(source, target, routing_key, arguments, arguments_raw))


def add_binding(vhost: VirtualHost, exchange: Exchange, binding: Binding) -> None:
    """Route by `binding`, from `exchange`, unless there is an equal one; PreconditionFailed for invalid arguments.

    It outlives a restart, if both its ends do.
    """
    if exchange.durable and binding.target.durable and exchange.get(binding.key) is None:
        vhost.broker.definitions.check_room(len(binding.arguments_raw))
        agreements = vhost.broker.agreements
        if agreements is not None and agreements.shares_binding(exchange, binding.target):
            exchange.check(binding)
            agreements.ask_for("binding", vhost.name, binding_name(binding), binding_row(binding))
    if not exchange.add(binding):
        return
    vhost.leads(exchange, binding.target)
    vhost.changed()
    if binding.durable:
        binding.stored = True
        store_binding(vhost, binding)
    exchange.bound(binding)
    vhost.broker.watchers.bound(exchange, binding)


def add_unstored_bindings(
    vhost: VirtualHost, exchange: Exchange, target: Destination, bindings: Sequence[Binding]
) -> None:
    """The same for bindings to one target, where somebody else sees to it that they outlive a restart."""
    added = exchange.add_all(target, bindings)
    if not added:
        return
    vhost.leads(exchange, target)
    vhost.changed()
    watchers = vhost.broker.watchers
    for binding in added:
        exchange.bound(binding)
        if watchers:
            watchers.bound(exchange, binding)


def unbind(
    actor: Actor,
    kind: DestinationKind,
    destination: str,
    source: str,
    routing_key: str,
    arguments: Mapping[str, FieldValue],
) -> list[Exchange]:
    """Take a binding away; nothing happens when it, or either end, isn't there.

    The auto-delete exchanges that lost their last binding by it are given back, for the caller to delete.
    """
    vhost = actor.vhost
    source, target, exchange = _ends(actor, kind, destination, source, routing_key)
    if target is None or exchange is None:
        return []
    binding = exchange.get(binding_key(kind, target.name, routing_key, arguments))
    if binding is None:
        return []
    agreements = vhost.broker.agreements
    if agreements is not None and agreements.shares_binding(exchange, target):
        change = "binding", vhost.name, binding_name(binding), None
        agreements.ask(change, intent=("no binding", *change[1:3]))
    take_binding(vhost, exchange, binding)
    return [exchange] if exchange.auto_delete and not exchange.bindings else []


def take_binding(vhost: VirtualHost, exchange: Exchange, binding: Binding) -> None:
    """Route by a binding of this exchange no more; an auto-delete exchange stays, for the caller to delete."""
    exchange.remove(binding.key)
    forget_bindings(vhost, [binding])
    vhost.changed()
    vhost.broker.watchers.unbound(exchange, [binding])


def remove_bindings_of(vhost: VirtualHost, target: Destination, emptied: Emptied) -> None:
    """Remove every binding that leads to `target`, which is deleted; very many leave bit by bit (departures.py).

    emptied: called with the auto-delete exchanges that have lost their last binding by it.
    """
    if is_long(vhost, target):
        Departure(vhost, target, emptied, _forget_all).begin()
        return
    lost_all = []
    for exchange in vhost.sources.pop((target.kind, target.name), ()):
        removed = exchange.remove_target(target)
        if removed and vhost.exchanges.get(exchange.name) is exchange:
            _forget_all(vhost, removed, (exchange.name, target.kind, target.name))
            vhost.broker.watchers.unbound(exchange, removed)
            if exchange.auto_delete and not exchange.bindings:
                lost_all.append(exchange)
    vhost.changed()
    emptied(vhost, lost_all)


def remove_bindings_from(vhost: VirtualHost, exchange: Exchange) -> None:
    """Take the bindings of a deleted exchange out of the definitions, and out of the memory, some at a time."""
    _forget_all(vhost, exchange.bindings, (exchange.name,))
    if _let_go_some(vhost, exchange):
        vhost.broker.chores.add(partial(_let_go_some, vhost, exchange))


def _let_go_some(vhost: VirtualHost, exchange: Exchange) -> bool:
    """Have a deleted exchange let go of bindings; False when there are no more."""
    gone = exchange.let_go_some(AT_ONCE_MAX)
    for binding in gone:
        key = binding.key[:2]
        sources = vhost.sources.get(key)
        if sources is not None:
            sources.pop(exchange, None)
            if not sources:
                del vhost.sources[key]
    return len(gone) == AT_ONCE_MAX


def _forget_all(vhost: VirtualHost, bindings: Iterable[Binding], names: tuple[str, ...]) -> None:
    """Take bindings out of the definitions that are all there are whose rows' names begin with `names`."""
    stored = (binding for binding in bindings if binding.stored)
    first = list(islice(stored, ROWS_ONE_BY_ONE_MAX + 1))
    if len(first) <= ROWS_ONE_BY_ONE_MAX:
        forget_bindings(vhost, first)
        return
    broker = vhost.broker
    rest = broker.definitions.delete_beginning("binding", vhost.name, json.dumps(names)[:-1] + ",")
    if rest is not None:
        broker.chores.add(rest)


def forget_bindings(vhost: VirtualHost, bindings: Iterable[Binding]) -> None:
    """Take bindings out of the definitions."""
    for binding in bindings:
        if binding.stored:
            vhost.broker.definitions.delete("binding", vhost.name, binding_name(binding))
            exchange = vhost.exchanges.get(binding.source)
            heir = exchange.heir_of(binding) if exchange is not None else None
            if heir is not None and heir.stored:
                store_binding(vhost, heir)


def store_binding(vhost: VirtualHost, binding: Binding) -> None:
    """Write the row of a binding that outlives restarts."""
    row = binding_row(binding)
    if binding.slots:
        row["slots"] = [list(run) for run in binding.slots]
    if vhost.departing:
        # An equal one that is still to go is no row to write over: the order of rows tells them apart (departures.py).
        vhost.broker.definitions.delete("binding", vhost.name, binding_name(binding))
    vhost.broker.definitions.put("binding", vhost.name, binding_name(binding), row)


def _ends(
    actor: Actor, kind: DestinationKind, destination: str, source: str, routing_key: str
) -> tuple[str, Destination | None, Exchange | None]:
    """The cleaned source name and both ends as far as they exist, after the checks that come before existence."""
    vhost = actor.vhost
    destination = clean_name(destination)
    source = clean_name(source)
    if source == DEFAULT_EXCHANGE or (kind == "exchange" and destination == DEFAULT_EXCHANGE):
        raise AccessRefused("operation not permitted on the default exchange")
    if kind == "queue" and (destination == REPLY_QUEUE or destination.startswith(REPLY_PREFIX)):
        raise AccessRefused(f"the direct reply-to pseudo-queue '{destination}' can't be bound or unbound")
    actor.check(kind, destination, "write")
    actor.check("exchange", source, "read")
    target: Destination | None
    if kind == "queue":
        target = vhost.queues.get(destination)
        if isinstance(target, Queue):
            actor.check_owner(target)
    else:
        target = vhost.exchanges.get(destination)
    exchange = vhost.exchanges.get(source)
    if exchange is not None and exchange.type_name == "topic":
        actor.check_topic(source, routing_key, "read")
    return source, target, exchange
