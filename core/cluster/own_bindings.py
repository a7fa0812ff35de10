"""What this node's own queues want, as its topology changes: the watcher that keeps `OwnInterest` true.

Interest is in a binding from an exchange that all nodes have to something that only this node has, a queue or an
exchange; and in the name of each queue of its own, which the default exchange leads to.  Queues that the broker makes
for a protocol's sessions aren't named: nobody elsewhere knows how they are called.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from warren.core.cluster.interest import Interest
from warren.core.cluster.sharing import is_on_all_nodes, is_shared_binding, is_shared_queue
from warren.core.exchanges.base import Exchange
from warren.core.messages.field_table import EMPTY_TABLE_RAW
from warren.core.queues.base import Queue
from warren.core.routing.vhost import DEFAULT_EXCHANGE

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.cluster.interest import OwnInterest
    from warren.core.exchanges.binding import Binding, Destination


class OwnBindings:
    """Of one broker; a core.watchers.Watcher once it has looked at what there is (`begin`)."""

    __slots__ = ("_own",)

    def __init__(self, own: OwnInterest) -> None:
        self._own = own

    def begin(self, broker: Broker) -> None:
        """Count what there is, and hear of what changes.  Some microseconds for each binding, in one go: at a start."""
        for vhost in broker.vhosts.values():
            for queue in vhost.queues.values():
                self.made(queue)
            for name in vhost.reply_queues:
                self.named(vhost.name, name)
            for exchange in vhost.exchanges.values():
                for binding in exchange.bindings:
                    self.bound(exchange, binding)
        broker.watchers.add(self)

    def end(self, broker: Broker) -> None:
        """Hear no more."""
        broker.watchers.remove(self)

    def made(self, queue: Queue) -> None:
        """A queue was declared."""
        if _is_named(queue):
            self.named(queue.vhost.name, queue.name)

    def named(self, vhost: str, name: str) -> None:
        """A queue of this node's own can be reached by its name."""
        self._own.bound(Interest(vhost, DEFAULT_EXCHANGE, name))

    def unnamed(self, vhost: str, name: str) -> None:
        """It can't any more."""
        self._own.unbound(Interest(vhost, DEFAULT_EXCHANGE, name))

    # core.watchers.Watcher

    def policies_changed(self, target: Queue | Exchange) -> None:
        """Says nothing about where messages go."""

    def gone(self, target: Queue | Exchange) -> None:
        if isinstance(target, Exchange):
            for binding in target.bindings:
                self._count(target, binding, begins=False)
        elif _is_named(target):
            self.unnamed(target.vhost.name, target.name)

    def bound(self, exchange: Exchange, binding: Binding) -> None:
        self._count(exchange, binding, begins=True)

    def unbound(self, exchange: Exchange, bindings: Sequence[Binding]) -> None:
        for binding in bindings:
            self._count(exchange, binding, begins=False)

    def _count(self, exchange: Exchange, binding: Binding, *, begins: bool) -> None:
        vhost = exchange.vhost
        if vhost is None or not _is_wanted(exchange, binding.target):
            return
        raw = binding.arguments_raw if binding.arguments else b""
        interest = Interest(vhost.name, exchange.name, binding.routing_key, b"" if raw == EMPTY_TABLE_RAW else raw)
        if begins:
            self._own.bound(interest)
        else:
            self._own.unbound(interest)


def is_own(queue: Queue) -> bool:
    """Whether a queue is this node's own, so that what other nodes publish reaches it by interest alone."""
    return not queue.is_remote and not is_shared_queue(queue)


def _is_named(queue: Queue) -> bool:
    return not queue.policy_type and is_own(queue)


def _is_wanted(exchange: Exchange, target: Destination) -> bool:
    """Whether a binding is to be told to other nodes."""
    return is_on_all_nodes(exchange) and not exchange.picks_one and not is_shared_binding(exchange, target)
