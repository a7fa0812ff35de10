"""What stands for a durable queue that another node has by itself, where there is no way to that node at all.

That is so without a secret of the cluster, by which nodes let each other in, and in a broker that was started without
its cluster.  Bindings lead to it, and its name is taken; whoever wants to use it is told where it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, ClassVar, Final

from warren.core.cluster.unowned import UNKNOWN, UnownedQueue
from warren.core.compiled import mypyc_attr
from warren.core.queues.argument import Argument
from warren.core.queues.base import Columns, Queue
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.quorum import QuorumQueue
from warren.core.queues.registry import queue_class

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.message import Message
    from warren.core.queues.consumer import Consumer
    from warren.core.routing.receipt import Receipt
    from warren.core.routing.vhost import VirtualHost


@mypyc_attr(allow_interpreted_subclasses=True)
class AwayQueue(UnownedQueue):
    """See the head of this file.  home: the node that has it, by its name."""

    __slots__ = ("home",)

    home: str

    columns: ClassVar[Columns] = {"state": lambda queue: "down", "node": lambda queue: queue.home, **UNKNOWN}

    @property
    def why(self) -> str:
        return f"it is on node '{self.home}', which can't be reached from here"

    def check_usable(self) -> None:
        """NotFound (404), always."""
        self._not_now()

    def append_with(self, message: Message, receipt: Receipt) -> None:
        receipt.expect()
        receipt.answer(taken=False)

    def check_delete(self, *, if_unused: bool, if_empty: bool) -> None:
        """Nothing is known of it."""
        if if_unused or if_empty:
            self._not_now()

    def add_consumer(self, consumer: Consumer) -> None:
        self._not_now()


@mypyc_attr(allow_interpreted_subclasses=True)
class AwayClassic(AwayQueue):
    """A classic one."""

    type_name: ClassVar[str] = ClassicQueue.type_name
    known_arguments: ClassVar[tuple[Argument, ...]] = ClassicQueue.known_arguments
    consumer_arguments: ClassVar[tuple[Argument, ...]] = ClassicQueue.consumer_arguments
    shares_prefetch: ClassVar[bool] = ClassicQueue.shares_prefetch


@mypyc_attr(allow_interpreted_subclasses=True)
class AwayQuorum(AwayQueue):
    """A quorum queue that was there before there was a cluster."""


_types: Final[dict[str, type[AwayQueue]]] = {
    ClassicQueue.type_name: AwayClassic,
    QuorumQueue.type_name: AwayQuorum,
}


def away_queue(
    vhost: VirtualHost,
    name: str,
    home: str,
    *,
    arguments: Mapping[str, FieldValue],
    arguments_raw: bytes,
    store_id: int,
) -> AwayQueue:
    """What stands for a queue of this node; it isn't among the queues of the virtual host yet.

    Raises PreconditionFailed (406) for arguments that can't be.
    """
    wanted = queue_class(f"queue '{name}' in vhost '{vhost.name}'", arguments).type_name
    queue = _types.get(wanted, AwayClassic)(
        vhost, name, durable=True, arguments=arguments, arguments_raw=arguments_raw, store_id=store_id
    )
    queue.home = home
    return queue


def home_of(queue: Queue) -> str:
    """The other node that has a queue by itself; empty for all that are here, or go with their shards."""
    from warren.core.cluster.remote_queue import RemoteQueue

    return queue.home if isinstance(queue, (AwayQueue, RemoteQueue)) else ""
