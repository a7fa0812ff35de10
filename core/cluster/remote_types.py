"""Which class stands for a queue of another node: one for each type of queue, so that redeclaring it is checked by that
type's arguments, and listings and metrics know it by its name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from warren.core.cluster.remote_queue import RemoteQueue
from warren.core.compiled import mypyc_attr
from warren.core.queues.argument import Argument
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.quorum import QuorumQueue, check_delete
from warren.core.queues.registry import queue_class

if TYPE_CHECKING:
    from collections.abc import Callable

    from warren.core.cluster.far_queue import FarQueue
    from warren.core.messages.field_table import FieldValue
    from warren.core.queues.consumer import Consumer
    from warren.core.routing.vhost import VirtualHost


@mypyc_attr(allow_interpreted_subclasses=True)
class RemoteClassic(RemoteQueue):
    """A classic queue of another node."""

    type_name: ClassVar[str] = ClassicQueue.type_name
    known_arguments: ClassVar[tuple[Argument, ...]] = ClassicQueue.known_arguments
    consumer_arguments: ClassVar[tuple[Argument, ...]] = ClassicQueue.consumer_arguments


@mypyc_attr(allow_interpreted_subclasses=True)
class RemoteQuorum(RemoteQueue):
    """A replicated queue that another node owns just now."""

    type_name: ClassVar[str] = QuorumQueue.type_name
    known_arguments: ClassVar[tuple[Argument, ...]] = QuorumQueue.known_arguments
    consumer_arguments: ClassVar[tuple[Argument, ...]] = QuorumQueue.consumer_arguments
    shares_prefetch: ClassVar[bool] = QuorumQueue.shares_prefetch

    def add_consumer(self, consumer: Consumer) -> None:
        """Its exclusive flag means nothing."""
        consumer.exclusive = False
        super().add_consumer(consumer)

    def check_delete(self, *, if_unused: bool, if_empty: bool) -> None:
        """Conditional deletes are not for quorum queues (540)."""
        check_delete(self.description, if_unused=if_unused, if_empty=if_empty)


_types: Final[dict[str, type[RemoteQueue]]] = {each.type_name: each for each in (RemoteClassic, RemoteQuorum)}


def remote_queue(
    vhost: VirtualHost,
    name: str,
    way: Callable[[RemoteQueue], FarQueue],
    *,
    arguments: Mapping[str, FieldValue],
    arguments_raw: bytes,
    auto_delete: bool = False,
    store_id: int = 0,
    home: str = "",
) -> RemoteQueue:
    """What stands for a durable queue of another node; it isn't among the queues of the virtual host yet.

    way: makes the way there.  store_id: its number among the cluster's definitions.  home: see RemoteQueue.

    Raises PreconditionFailed (406) for invalid arguments.
    """
    wanted = queue_class(f"queue '{name}' in vhost '{vhost.name}'", arguments).type_name
    queue = _types.get(wanted, RemoteClassic)(
        vhost,
        name,
        durable=True,
        auto_delete=auto_delete,
        arguments=arguments,
        arguments_raw=arguments_raw,
        store_id=store_id,
    )
    queue.home = home
    queue.reach(way(queue))
    return queue
