"""Super streams: streams that are one to their clients, behind an exchange that says which message goes to which.

The exchange is a direct one with the argument `x-super-stream`, and leads to each of its partitions by a binding,
whose argument `x-stream-partition-order` says where among them it stands (spec H.2).  So clients of other protocols
publish to the exchange.

A super stream is made as a whole: everything is checked before anything is made, and the exchange comes last, with all
its bindings, so that nobody sees half of one.  What fails on the way takes back what was made.  Both making and
deleting are slices, as there may be very many partitions.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from warren.core.clients.limits import check_exchange as check_exchange_limit
from warren.core.clients.limits import check_queue as check_queue_limit
from warren.core.declaring.actor import Actor, Administrator
from warren.core.declaring.bindings import add_binding
from warren.core.declaring.exchanges import declare_exchange, delete_exchange
from warren.core.declaring.names import RESERVED_PREFIX, check_new_name, check_routing_key
from warren.core.declaring.queues import declare_queue, remove_queue
from warren.core.errors import AccessRefused, BrokerError, NotFound, PreconditionFailed, StorageError
from warren.core.exchanges.binding import Binding
from warren.core.messages.field_table import encode_table
from warren.core.queues.registry import check_arguments as check_queue_arguments
from warren.core.queues.registry import queue_class

if TYPE_CHECKING:
    from warren.core.exchanges.base import Exchange
    from warren.core.messages.field_table import FieldValue
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost

SUPER_STREAM: Final = "x-super-stream"
PARTITION_ORDER: Final = "x-stream-partition-order"

PARTITIONS_MAX: Final = 1000
"""RabbitMQ's default."""

PARTITIONS_PER_SLICE: Final = 20
"""Made or deleted in one turn: some hundred microseconds each."""

_STREAM: Final = "stream"


class AlreadyThere(PreconditionFailed):
    """The super stream, or a queue by the name of a partition, is there already."""


def is_super_stream(exchange: Exchange) -> bool:
    """Whether an exchange says that it is one's."""
    return exchange.arguments.get(SUPER_STREAM) is True


def partitions_of(vhost: VirtualHost, name: str) -> list[Queue]:
    """The streams that an exchange leads to, in their order.  Raises NotFound (404) where there is no exchange."""
    found: dict[Queue, int | None] = {}
    for binding in vhost.exchange(name).bindings:
        queue = vhost.queues.get(binding.target.name) if binding.target.kind == "queue" else None
        if queue is not None and queue.type_name == _STREAM and found.get(queue) is None:
            found[queue] = _order(binding)
    return sorted(found, key=lambda queue: (found[queue] is None, found[queue] or 0))


def partition_index(vhost: VirtualHost, name: str, stream: str) -> int:
    """Where a stream stands among the partitions of a super stream, from 0; -1 where neither it nor its name says so.

    Raises NotFound (404) where there is no exchange, or it doesn't lead there.
    """
    exchange = vhost.exchange(name)
    orders = [_order(binding) for binding in exchange.bindings_to(vhost.queue(stream))]
    if not orders:
        raise NotFound(f"stream '{stream}' in vhost '{vhost.name}' is no partition of '{name}'")
    said = [order for order in orders if order is not None]
    if said:
        return min(said)
    ending = stream.rpartition("-")[2]
    return int(ending) if ending.isascii() and ending.isdecimal() and len(ending) <= len(str(PARTITIONS_MAX)) else -1


def routes_to(vhost: VirtualHost, name: str, routing_key: str) -> list[str]:
    """The partitions that a routing key leads to.  Raises NotFound (404) where there is no exchange."""
    check_routing_key(routing_key)
    route = vhost.route(vhost.exchange(name).name, routing_key)
    return [queue.name for queue in route.queues if queue.type_name == _STREAM]


def check_creation(
    actor: Actor, name: str, partitions: Sequence[str], keys: Sequence[str], arguments: Mapping[str, FieldValue]
) -> None:
    """Whether a super stream can be made of these partitions, each with its routing key, by this actor.

    arguments: of each partition, x-queue-type among them.  Raises AlreadyThere, PreconditionFailed (406), AccessRefused
    (403), and Unanswered.
    """
    vhost = actor.vhost
    _check_names(name, partitions, keys)
    _check_rights(actor, name, partitions)
    if name in vhost.exchanges:
        raise AlreadyThere(f"there is an exchange '{name}' in vhost '{vhost.name}' already")
    for partition in partitions:
        if partition in vhost.queues:
            raise AlreadyThere(f"there is a queue '{partition}' in vhost '{vhost.name}' already")
    description = f"super stream '{name}' in vhost '{vhost.name}'"
    made = queue_class(description, arguments)
    if made.type_name != _STREAM:
        raise PreconditionFailed(f"the partitions of {description} are streams, not of type {made.type_name}")
    check_queue_arguments(description, made, arguments)
    check_exchange_limit(vhost, name)
    check_queue_limit(vhost, partitions[0], len(partitions))


def create(
    vhost: VirtualHost, name: str, partitions: Sequence[str], keys: Sequence[str], arguments: Mapping[str, FieldValue]
) -> Generator[None, None, Exchange]:
    """Make what was checked, in slices.  Raises what declarations raise, behind having taken back what was made."""
    actor = Administrator(vhost)
    raw = encode_table(arguments)
    made: list[Queue] = []
    under_way = vhost.broker.super_streams
    try:
        for number, partition in enumerate(partitions):
            if number % PARTITIONS_PER_SLICE == 0:
                if number:
                    under_way.note(vhost, name, made)
                    yield
                under_way.note(vhost, name, made, partitions[number : number + PARTITIONS_PER_SLICE])
            if partition in vhost.queues:
                raise AlreadyThere(f"there is a queue '{partition}' in vhost '{vhost.name}' already")
            made.append(declare_queue(actor, partition, durable=True, arguments=arguments, arguments_raw=raw))
        if name in vhost.exchanges:
            raise AlreadyThere(f"there is an exchange '{name}' in vhost '{vhost.name}' already")
        for queue in made:
            # Somebody may have deleted it meanwhile.
            vhost.queue(queue.name)
        flags: dict[str, FieldValue] = {SUPER_STREAM: True}
        exchange = declare_exchange(
            actor, name, "direct", durable=True, arguments=flags, arguments_raw=encode_table(flags)
        )
        for order, (queue, key) in enumerate(zip(made, keys, strict=True)):
            place: dict[str, FieldValue] = {PARTITION_ORDER: order}
            add_binding(vhost, exchange, Binding(name, queue, key, place, encode_table(place)))
    except (BrokerError, StorageError):
        under_way.note(vhost, name, made)
        yield from _remove(vhost, made)
        under_way.done(vhost, name)
        raise
    under_way.done(vhost, name)
    return exchange


def check_deletion(actor: Actor, name: str) -> list[Queue]:
    """The partitions of a super stream that this actor may delete.

    Raises NotFound (404), AccessRefused (403), PreconditionFailed (406) for an exchange that is no super stream's, and
    Unanswered.
    """
    vhost = actor.vhost
    actor.check("exchange", name, "configure")
    exchange = vhost.exchange(name)
    if not is_super_stream(exchange):
        raise PreconditionFailed(f"exchange '{name}' in vhost '{vhost.name}' is no super stream ({SUPER_STREAM})")
    partitions = partitions_of(vhost, name)
    _check_rights(actor, name, [queue.name for queue in partitions])
    return partitions


def delete(vhost: VirtualHost, name: str, partitions: Sequence[Queue]) -> Generator[None, None, int]:
    """Delete what was checked, in slices, the exchange first; returns how many partitions went with it."""
    under_way = vhost.broker.super_streams
    under_way.note(vhost, name, partitions)
    delete_exchange(Administrator(vhost), name)
    yield from _remove(vhost, partitions)
    under_way.done(vhost, name)
    return len(partitions)


def _remove(vhost: VirtualHost, partitions: Sequence[Queue]) -> Generator[None, None, None]:
    for number, queue in enumerate(partitions):
        if number and number % PARTITIONS_PER_SLICE == 0:
            yield
        remove_queue(vhost, queue)


def _check_names(name: str, partitions: Sequence[str], keys: Sequence[str]) -> None:
    check_new_name("exchange", name)
    if not name:
        raise PreconditionFailed("a super stream has a name")
    if len(partitions) != len(keys):
        raise PreconditionFailed(f"{len(partitions)} partitions have {len(keys)} routing keys; each has one")
    if not partitions:
        raise PreconditionFailed("a super stream has one partition at least")
    if len(partitions) > PARTITIONS_MAX:
        raise PreconditionFailed(f"a super stream of {len(partitions)} partitions, {PARTITIONS_MAX} are possible")
    if len(set(partitions)) < len(partitions):
        raise PreconditionFailed("two partitions have the same name")
    for partition, key in zip(partitions, keys, strict=True):
        if not partition:
            raise PreconditionFailed("a partition has a name")
        check_new_name("queue", partition)
        check_routing_key(key)


def _check_rights(actor: Actor, name: str, partitions: Sequence[str]) -> None:
    """What declaring and binding each by itself would take."""
    actor.check("exchange", name, "configure")
    if name.startswith(RESERVED_PREFIX):
        raise AccessRefused(f"exchange '{name}' in vhost '{actor.vhost.name}' is the broker's own")
    for partition in partitions:
        actor.check("queue", partition, "configure")
    actor.check("exchange", name, "read")
    for partition in partitions:
        actor.check("queue", partition, "write")


def _order(binding: Binding) -> int | None:
    order = binding.arguments.get(PARTITION_ORDER)
    if isinstance(order, str) and order.isascii() and order.isdecimal() and len(order) <= len(str(PARTITIONS_MAX)):
        return int(order)
    return int(order) if isinstance(order, int) and not isinstance(order, bool) else None
