"""The exchange x-recent-history: a fanout whose latest messages are delivered to whoever is bound to it later.

It remembers the latest `x-recent-history-length` messages (20 by default), except those with the header
`x-recent-history-no-store` true.  Every new binding brings them, oldest first, to the queue that was bound, or through
the exchange that was bound to where that leads.  They are copies, published now as far as TTLs are concerned.  The
history is kept in memory, as in RabbitMQ: after a restart it is empty.  A long one comes in slices, and what is
published meanwhile may come in between.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, Final

from warren.core.compiled import mypyc_attr
from warren.core.errors import PreconditionFailed
from warren.core.exchanges.binding import Binding
from warren.core.exchanges.fanout import FanoutExchange
from warren.core.exchanges.registry import register
from warren.core.limit_hits import limited
from warren.core.messages.field_names import term
from warren.core.messages.message import Message
from warren.core.queues.base import Queue

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue
    from warren.core.routing.vhost import VirtualHost

LENGTH: Final = "x-recent-history-length"
NO_STORE: Final = "x-recent-history-no-store"

LENGTH_DEFAULT: Final = 20

DELIVERED_PER_SLICE: Final = 500
"""Messages of a history that a new binding gets in one turn: some 5 µs each."""

LENGTH_MAX: Final = 1_000_000
"""More than anybody wants to have delivered in one go, and to keep in memory."""


@mypyc_attr(allow_interpreted_subclasses=True)
class RecentHistoryExchange(FanoutExchange):
    """`_history` holds the latest messages, oldest first."""

    __slots__ = ("_history",)

    type_name: ClassVar[str] = "x-recent-history"
    compared_arguments: ClassVar[tuple[str, ...]] = (*FanoutExchange.compared_arguments, LENGTH)

    def make_index(self) -> None:
        """See Exchange.make_index."""
        super().make_index()
        length = self.arguments.get(LENGTH)
        self._history: deque[Message] = deque(maxlen=length if isinstance(length, int) else LENGTH_DEFAULT)
        self.observes = True

    @classmethod
    def check_arguments(cls, arguments: Mapping[str, FieldValue]) -> None:
        """Refuse a length that is none."""
        super().check_arguments(arguments)
        length = arguments.get(LENGTH, LENGTH_DEFAULT)
        if isinstance(length, bool) or not isinstance(length, int) or not 0 < length <= LENGTH_MAX:
            refused = PreconditionFailed(
                f"Invalid argument {term(length)}, '{LENGTH}' must be a positive integer; at most {LENGTH_MAX}"
            )
            is_too_long = not isinstance(length, bool) and isinstance(length, int) and length > LENGTH_MAX
            raise limited(refused, "values of arguments") if is_too_long else refused

    def routed(self, message: Message) -> None:
        """Remember the message."""
        headers = message.properties.headers
        if headers is None or headers.get(NO_STORE) is not True:
            self._history.append(message)

    def bound(self, binding: Binding) -> None:
        """Deliver the history to the new target."""
        vhost = self.vhost
        if vhost is None:
            return
        history = iter(list(self._history))
        if self._deliver_some(vhost, binding, history):
            vhost.broker.chores.add(partial(self._deliver_some, vhost, binding, history))

    def _deliver_some(self, vhost: VirtualHost, binding: Binding, history: Iterator[Message]) -> bool:
        """Deliver a slice of it; False when that was the last, or the binding is gone."""
        if self.vhost is None or self.get(binding.key) is not binding:
            return False
        target = binding.target
        messages = list(islice(history, DELIVERED_PER_SLICE))
        for message in messages:
            copy = _copy(vhost, message)
            if isinstance(target, Queue):
                vhost.deliver_to(target, copy)
            else:
                properties = message.properties
                route = vhost.route(target.name, message.address.routing_key, properties.headers, (), properties)
                vhost.deliver(route, copy)
        return len(messages) == DELIVERED_PER_SLICE

    def detached(self) -> None:
        """Forget the history."""
        super().detached()
        self._history.clear()


def _copy(vhost: VirtualHost, message: Message) -> Message:
    """The same content as a message of its own, with a place in the log and in its queues of its own."""
    broker = vhost.broker
    return Message(
        broker.next_sequence(),
        message.address,
        message.properties,
        message.content,
        message.body_at,
        message.body_size,
        message.framed_for,
        broker.now_ms,
    )


register(RecentHistoryExchange)
