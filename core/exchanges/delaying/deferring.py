"""Messages whose own time of delivery is ahead, wherever they are published to: held until then, as delayed ones are.

Each virtual host has one exchange for them, which is made when the first such message comes (core.declaring.deferring).
A message that is due is published to the exchange that it was published to, by the bindings that are in force then; one
that a consumer has put off goes back to the queue it came from, named in a header of the broker's own (HIDDEN_QUEUE).
What that queue has no room for waits a little longer.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, ClassVar, Final

from warren.core.compiled import mypyc_attr
from warren.core.errors import NotFound
from warren.core.exchanges.delaying.exchange import DELAYED_TYPE, DelayedMessageExchange
from warren.core.exchanges.registry import register
from warren.core.messages.checks import HIDDEN_QUEUE, extra_routing_keys, without_bcc
from warren.core.messages.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.routing.vhost import VirtualHost

_log = logging.getLogger("warren.delayed")

EXCHANGE: Final = "amq.deferred"
"""Its name."""

FULL_RETRY_MS: Final = 1000
"""How long a message is held again whose queue has no room for it."""


@mypyc_attr(allow_interpreted_subclasses=True)
class DeferringExchange(DelayedMessageExchange):
    """See the head of this file."""

    __slots__ = ()

    type_name: ClassVar[str] = "x-deferred"
    made_by_broker: ClassVar[bool] = True

    def defer(self, message: Message, extra_keys: Sequence[str], at_ms: int) -> None:
        """Hold a message until `at_ms`, in milliseconds since 1970.  extra_keys: further routing keys."""
        self.delayed.hold(self._copy(message, extra_keys, at_ms))

    def _give_away(self, held: Message) -> None:
        vhost = self.vhost
        if vhost is None:
            return
        headers = held.properties.headers
        name = headers.get(HIDDEN_QUEUE) if headers else None
        if isinstance(name, str):
            self._give_back(vhost, held, name)
            return
        extra_keys = extra_routing_keys(held.properties)
        properties = without_bcc(held.properties)
        address = held.address
        try:
            route = vhost.route(address.exchange, address.routing_key, properties.headers, extra_keys, properties)
        except NotFound:
            _log.warning("a deferred message is due, and the exchange '%s' is gone; dropped it", address.exchange)
            return
        made = Message(
            vhost.broker.next_sequence(), address, properties, held.body, 0, held.body_size, 0, vhost.broker.now_ms
        )
        vhost.deliver(route, made)

    def _give_back(self, vhost: VirtualHost, held: Message, name: str) -> None:
        queue = vhost.queues.get(name)
        if queue is None:
            return
        now_ms = vhost.broker.now_ms
        properties = held.properties.with_header_entries({}, [HIDDEN_QUEUE])
        made = Message(vhost.broker.next_sequence(), held.address, properties, held.body, 0, held.body_size, 0, now_ms)
        if queue.guarded and queue.has_no_room_for(made):
            self.defer(held, (), now_ms + FULL_RETRY_MS)
        else:
            vhost.deliver_to(queue, made)


ARGUMENTS: Final = {DELAYED_TYPE: "direct"}
"""Of the exchange: nothing is bound to it, so the type that routes never does."""

register(DeferringExchange)
