"""Declaring, deleting and purging queues, by clients and administrators; what happens when connections go.

Longer than 400 lines because a queue ends in the ways that it is declared in, and both keep the same books.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final

from warren.core.access.answers import Unanswered
from warren.core.access.permissions import Verb
from warren.core.chores import emptied
from warren.core.clients.client import Client
from warren.core.clients.limits import check_queue as check_queue_limit
from warren.core.declaring.actor import Actor
from warren.core.declaring.bindings import remove_bindings_of
from warren.core.declaring.ending import note_end
from warren.core.declaring.equivalence import check_equivalent_queue
from warren.core.declaring.exchanges import check_any_permission, remove_emptied
from warren.core.declaring.names import check_new_name, clean_name, generated_name
from warren.core.declaring.rows import queue_row
from warren.core.errors import PreconditionFailed
from warren.core.limit_hits import limited
from warren.core.messages.field_table import EMPTY_TABLE_RAW, join_entries, raw_entries
from warren.core.queues.answer import Answer, ignore
from warren.core.queues.argument import ArgumentReader
from warren.core.queues.base import Queue
from warren.core.queues.consumer import Consumer
from warren.core.queues.registry import check_arguments as check_queue_arguments
from warren.core.queues.registry import queue_class
from warren.core.routing.vhost import VirtualHost
from warren.core.routing.vhost_metadata import with_default_type

if TYPE_CHECKING:
    from warren.core.access.accounts import User
    from warren.core.messages.field_table import FieldValue

DELETED_PER_SLICE: Final = 200
"""Exclusive queues that are deleted in one turn, some 15 µs each."""

CONSUMERS_AT_ONCE: Final = 500
"""Consumers that leave their queues in one turn, or are told that it is gone: from 2 to 8 µs each."""

WORK_OF_DELETING: Final = 10
"""What it takes to delete a queue that its last consumer has left, if leaving is 1."""

OF_CLUSTER: Final = "cluster"
"""In the row of a queue whose number isn't this node's own, but its cluster's."""

HOME: Final = "node"
"""In the row of a queue that another node of the cluster has by itself: that node's name."""

NAME_PREFIX: Final = "x-name-prefix"
NAME_PREFIX_BYTES_MAX: Final = 64


def declare_queue(
    actor: Actor,
    name: str,
    *,
    durable: bool = False,
    exclusive: bool = False,
    auto_delete: bool = False,
    arguments: Mapping[str, FieldValue] | None = None,
    arguments_raw: bytes = EMPTY_TABLE_RAW,
    user: User | None = None,
) -> Queue:
    """queue.declare: make the queue, or agree with the one that is there; an empty name has one generated.

    user: whose subscription a new one is (Queue.user).

    Raises AccessRefused (403) for a reserved name or a lack of permission, ResourceLocked (405) when it is another
    connection's or its exclusivity differs, PreconditionFailed (406) for invalid arguments or any other difference.
    """
    vhost = actor.vhost
    server_named = not clean_name(name)
    arguments = arguments or {}
    if server_named:
        name, arguments, arguments_raw = _name_by_prefix(arguments, arguments_raw)
    name = clean_name(name)
    arguments, arguments_raw = with_default_type(
        vhost, arguments, arguments_raw, durable=durable, exclusive=exclusive, auto_delete=auto_delete
    )
    existing = vhost.queues.get(name)
    if existing is None and not server_named:
        check_new_name("queue", name)
    _check_rights(actor, name, {} if existing is not None else arguments)
    vhost.broker.churn.queue_declared += 1
    if existing is not None:
        actor.check_owner(existing)
        existing.check_usable()
        existing.used()
        existing.catch_up()
        check_equivalent_queue(existing, durable, exclusive, auto_delete, arguments, arguments_raw)
        return existing
    check_queue_limit(vhost, name)
    queue_class(f"queue '{name}' in vhost '{vhost.name}'", arguments, internal=False).check_declaration(
        f"queue '{name}' in vhost '{vhost.name}'",
        durable=durable,
        exclusive=exclusive,
        auto_delete=auto_delete,
        server_named=server_named,
    )
    return create_queue(
        vhost,
        name,
        durable=durable,
        auto_delete=auto_delete,
        owner=_owner(actor) if exclusive else None,
        arguments=arguments,
        arguments_raw=arguments_raw,
        user=user,
    )


def _check_rights(actor: Actor, name: str, arguments: Mapping[str, FieldValue]) -> None:
    """AccessRefused, or Unanswered, which is told the name that may have been generated."""
    try:
        actor.check("queue", name, "configure")
        _check_dead_letter_permissions(actor, name, arguments)
    except Unanswered as unanswered:
        unanswered.names.append(name)
        raise


def create_queue(
    vhost: VirtualHost,
    name: str,
    *,
    durable: bool = False,
    auto_delete: bool = False,
    owner: Client | None = None,
    arguments: Mapping[str, FieldValue] | None = None,
    arguments_raw: bytes = EMPTY_TABLE_RAW,
    store_id: int | None = None,
    user: User | None = None,
    replicated: bool = False,
) -> Queue:
    """Make a queue of a name that is free, under the policies that match it; no permission is asked for.

    owner: the connection of an exclusive one.  user: see Queue.user.  store_id: its number in the store, if it was
    taken already.  replicated: a cluster has agreed that its messages are to be.
    Raises PreconditionFailed (406) for invalid arguments.
    """
    broker = vhost.broker
    vhost.check_stays()
    arguments = arguments or {}
    description = f"queue '{name}' in vhost '{vhost.name}'"
    made = queue_class(description, arguments)
    check_queue_arguments(description, made, arguments)
    stored = durable and owner is None
    if stored:
        broker.definitions.check_room(len(arguments_raw))
    if broker.agreements is not None and stored and not auto_delete:
        row = queue_row(arguments_raw, user)
        broker.agreements.ask_for_queue(broker.policies, vhost.name, name, made.type_name, arguments, row)
    cluster = broker.cluster
    queue: Queue
    if cluster is not None and (replicated or cluster.makes(made, durable=durable, exclusive=owner is not None)):
        queue = cluster.queue(
            vhost,
            name,
            auto_delete=auto_delete,
            arguments=arguments,
            arguments_raw=arguments_raw,
            store_id=cluster.number_of(vhost.name, name) if store_id is None else store_id,
        )
    else:
        if store_id is None:
            store_id = broker.numbers.take("queue", vhost.name, name, made) if stored else 0
        queue = made(
            vhost,
            name,
            durable=stored,
            auto_delete=auto_delete,
            owner=owner,
            arguments=arguments,
            arguments_raw=arguments_raw,
            store_id=store_id,
        )
    if user is not None:
        queue.user, queue.user_id = user.name, user.id
    vhost.queues[name] = queue
    broker.churn.queue_created += 1
    broker.policies.apply_to(vhost.name, queue)
    vhost.changed()
    if owner is not None:
        owner.exclusive_queues[name] = queue
    if stored:
        row = {"id": queue.store_id, **queue_row(arguments_raw, user, auto_delete=auto_delete)}
        if queue.of_cluster:
            row[OF_CLUSTER] = True
        broker.definitions.put("queue", vhost.name, name, row)
        if not queue.of_cluster:
            broker.quarantine.queue_made(queue)
    if cluster is not None:
        cluster.queue_made(queue)
    return queue


def _owner(actor: Actor) -> Client:
    if not isinstance(actor, Client):
        raise PreconditionFailed("an exclusive queue belongs to a connection, and an administrator has none")
    return actor


def check_queue(actor: Actor, name: str) -> Queue:
    """queue.declare with passive: the queue, or NotFound (404), ResourceLocked (405), AccessRefused (403)."""
    name = clean_name(name)
    queue = actor.vhost.queue(name)
    actor.check_owner(queue)
    queue.check_usable()
    queue.used()
    queue.catch_up()
    check_any_permission(actor, "queue", name)
    return queue


def accessible_queue(actor: Actor, name: str, verb: Verb) -> Queue:
    """The queue, for an operation that needs the permission `verb` on it."""
    vhost = actor.vhost
    actor.check("queue", name, verb)
    queue = vhost.queue(name)
    actor.check_owner(queue)
    queue.check_usable()
    queue.catch_up()
    return queue


def delete_queue(
    actor: Actor,
    name: str,
    answer: Answer[int] = ignore,
    *,
    if_unused: bool = False,
    if_empty: bool = False,
    looked: bool = False,
) -> None:
    """queue.delete; the answer is the number of ready messages that went with it, 0 when there was no such queue.

    looked: of a queue of another node, it was just asked how it stands there.
    Raises PreconditionFailed (406) when a condition doesn't hold, ResourceLocked (405), AccessRefused (403).
    """
    vhost = actor.vhost
    name = clean_name(name)
    actor.check("queue", name, "configure")
    queue = vhost.queues.get(name)
    if queue is None:
        answer(0)
        return
    actor.check_owner(queue)
    queue.catch_up()
    queue.check_delete(if_unused=if_unused, if_empty=if_empty)
    if queue.is_remote and (if_unused or if_empty) and not looked:
        from warren.core.declaring.shared_queues import look_then

        look_then(
            queue, answer, partial(delete_queue, actor, name, if_unused=if_unused, if_empty=if_empty, looked=True)
        )
        return
    if if_unused and queue.consumer_count:
        raise PreconditionFailed(f"{queue.description} in use; it has {queue.consumer_count} consumer(s)")
    if if_empty and queue.ready_count:
        raise PreconditionFailed(f"{queue.description} not empty; it holds {queue.ready_count} message(s)")
    agreements = vhost.broker.agreements
    if agreements is None or not agreements.shares_queue(queue):
        remove_queue(vhost, queue, answer)
    else:
        from warren.core.declaring.shared_queues import delete_shared

        again = partial(delete_queue, actor, name, if_unused=if_unused, if_empty=if_empty)
        delete_shared(agreements, queue, answer, again)


def purge_queue(actor: Actor, name: str, answer: Answer[int] = ignore) -> None:
    """queue.purge: drop the ready messages; the answer is the number dropped."""
    accessible_queue(actor, clean_name(name), "read").purge(answer)


def remove_queue(vhost: VirtualHost, queue: Queue, answer: Answer[int] = ignore) -> None:
    """Take a queue away: consumers are told, bindings go, contents are dropped (not dead-lettered).

    Its name is free at once; the answer, the number of ready messages that went with it, may come later.
    """
    if vhost.queues.get(queue.name) is not queue:
        answer(0)
        return
    del vhost.queues[queue.name]
    vhost.broker.churn.queue_deleted += 1
    vhost.broker.watchers.gone(queue)
    if queue.owner is not None:
        queue.owner.exclusive_queues.pop(queue.name, None)
    if queue.store_id:
        vhost.broker.definitions.delete("queue", vhost.name, queue.name)
        if not queue.of_cluster:
            vhost.broker.numbers.deleted_for_now(queue.store_id, queue)
    remove_bindings_of(vhost, queue, remove_emptied)
    consumers = list(queue.consumers)
    # It gives them nothing any more, nor counts what they give back; it is answered for when the last of them knows.
    tell = _tell_gone_at_once if len(consumers) <= CONSUMERS_AT_ONCE else _tell_gone_in_turns
    queue.close(partial(tell, queue, consumers, answer))
    note_end(vhost, queue)


def _tell_gone(queue: Queue, consumers: Iterable[Consumer]) -> None:
    for consumer in consumers:
        if consumer.active:
            queue.remove_consumer(consumer)
            consumer.cancelled()


def _tell_gone_at_once(queue: Queue, consumers: list[Consumer], answer: Answer[int], count: int) -> None:
    _tell_gone(queue, consumers)
    answer(count)


def _tell_gone_in_turns(queue: Queue, consumers: list[Consumer], answer: Answer[int], count: int) -> None:
    coming = emptied(consumers)

    def tell_some() -> bool:
        _tell_gone(queue, islice(coming, CONSUMERS_AT_ONCE))
        if consumers:
            return True
        answer(count)
        return False

    queue.vhost.broker.chores.add(tell_some, to_the_end=True)


def end_consumer(consumer: Consumer) -> None:
    """A consumer was cancelled or its session ended: an auto-delete queue without any goes too (spec A.7)."""
    if consumer.active:
        _take_leave(consumer)


def end_consumers(consumers: Sequence[Consumer], begin: Callable[[Iterator[None]], None]) -> None:
    """All of somebody's consumers end: none is given anything any more, and very many leave their queues bit by bit.

    begin: takes what is too much for a turn, to be done slice by slice.
    """
    if len(consumers) <= CONSUMERS_AT_ONCE:
        for consumer in consumers:
            end_consumer(consumer)
        return
    leaving = [consumer for consumer in consumers if consumer.active]
    for consumer in leaving:
        consumer.queue.dismiss(consumer)
    begin(_take_leave_in_slices(leaving))


def _take_leave_in_slices(leaving: list[Consumer]) -> Iterator[None]:
    work = 0
    for consumer in emptied(leaving):
        work += WORK_OF_DELETING if _take_leave(consumer) else 1
        if work >= CONSUMERS_AT_ONCE:
            work = 0
            yield


def _take_leave(consumer: Consumer) -> bool:
    """Take a consumer from its queue; whether the queue was deleted by that."""
    queue = consumer.queue
    vhost = queue.vhost
    queue.remove_consumer(consumer)
    if not queue.auto_delete or queue.consumers or vhost.queues.get(queue.name) is not queue:
        return False
    remove_queue(vhost, queue)
    return True


def end_client(client: Client, begin: Callable[[Iterator[None]], None] | None = None) -> None:
    """A connection ended: its exclusive queues are deleted, and it counts no more.

    begin: takes what is too much for a turn, to be done slice by slice.  Until then such a queue is still locked.
    """
    queues = list(client.exclusive_queues.values())
    if begin is not None and len(queues) > DELETED_PER_SLICE:
        begin(_remove_in_slices(queues))
    else:
        for queue in queues:
            remove_queue(queue.vhost, queue)
    client.close()


def _remove_in_slices(queues: list[Queue]) -> Iterator[None]:
    for count, queue in enumerate(emptied(queues), 1):
        remove_queue(queue.vhost, queue)
        if count % DELETED_PER_SLICE == 0:
            yield


def _name_by_prefix(
    arguments: Mapping[str, FieldValue], arguments_raw: bytes
) -> tuple[str, Mapping[str, FieldValue], bytes]:
    """A name that the broker makes up, by the argument x-name-prefix if there is one, which goes no further."""
    if NAME_PREFIX not in arguments:
        return generated_name(), arguments, arguments_raw
    prefix = ArgumentReader("a queue that the broker names", arguments).text(NAME_PREFIX) or ""
    if not 0 < len(prefix.encode("utf-8", "surrogateescape")) <= NAME_PREFIX_BYTES_MAX:
        error = PreconditionFailed(
            f"invalid arg '{NAME_PREFIX}' for a queue that the broker names: "
            f"'{prefix}' is not 1 to {NAME_PREFIX_BYTES_MAX} bytes long"
        )
        raise limited(error, "values of arguments") if prefix else error
    check_new_name("queue", prefix)
    entries = raw_entries(arguments_raw, 0)
    del entries[NAME_PREFIX]
    others = {name: value for name, value in arguments.items() if name != NAME_PREFIX}
    return generated_name(prefix), others, join_entries(entries)


def _check_dead_letter_permissions(actor: Actor, name: str, arguments: Mapping[str, FieldValue]) -> None:
    """Who has a queue dead-letter may read it and write to where the letters go (spec A.7)."""
    exchange = arguments.get("x-dead-letter-exchange")
    if isinstance(exchange, str):
        actor.check("queue", name, "read")
        actor.check("exchange", exchange, "write")
