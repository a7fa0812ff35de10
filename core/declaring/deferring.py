"""Deferring a message: holding it until the time that its publisher, or its consumer, has named.

What holds it is an exchange of the virtual host's own (core.exchanges.delaying.deferring), so that deferred messages
are stored, listed and cancelled as those of x-delayed-message exchanges are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.declaring.exchanges import add_exchange
from warren.core.exchanges.delaying.deferring import ARGUMENTS, EXCHANGE, DeferringExchange
from warren.core.exchanges.delaying.headers import TIME_MS_MAX
from warren.core.messages.checks import HIDDEN_QUEUE
from warren.core.messages.field_table import encode_table
from warren.core.messages.message import Message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost


def defer(vhost: VirtualHost, message: Message, at_ms: int, extra_keys: Sequence[str] = ()) -> bool:
    """Hold a message, and publish it at `at_ms`; whether a confirm has to wait for the next flush.

    Raises PreconditionFailed (406) where the exchange can't be made.
    """
    _exchange(vhost).defer(message, extra_keys, min(at_ms, TIME_MS_MAX))
    return message.properties.persistent and vhost.broker.store.durable


def put_off(queue: Queue, message: Message, at_ms: int) -> None:
    """Hold a message that has left `queue`, and give it back to it at `at_ms`."""
    properties = message.properties.with_header_entries({HIDDEN_QUEUE: queue.name})
    held = Message(
        message.sequence, message.address, properties, message.body, 0, message.body_size, 0, message.published_at_ms
    )
    _exchange(queue.vhost).defer(held, (), min(at_ms, TIME_MS_MAX))


def _exchange(vhost: VirtualHost) -> DeferringExchange:
    found = vhost.exchanges.get(EXCHANGE)
    if not isinstance(found, DeferringExchange):
        found = DeferringExchange(
            EXCHANGE, durable=True, internal=True, arguments=ARGUMENTS, arguments_raw=encode_table(ARGUMENTS)
        )
        add_exchange(vhost, found)
    return found
