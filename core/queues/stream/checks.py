"""What a stream can't be, what its readers have to bring, and what they can't be given (spec H.2)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from warren.core.errors import NotImplementedByBroker, PreconditionFailed
from warren.core.streams.batches import COMPRESSIONS

if TYPE_CHECKING:
    from warren.core.queues.base import Queue
    from warren.core.queues.consumer import Consumer

_log = logging.getLogger("warren.queue")


def check_declaration(
    description: str, *, durable: bool, exclusive: bool, auto_delete: bool, server_named: bool
) -> None:
    """Refuse what a stream can't be (406)."""
    if server_named:
        raise PreconditionFailed("Cannot declare a server-named queue for type rabbit_stream_queue; give it a name")
    for name, wrong in (
        ("auto-delete", auto_delete),
        ("exclusive-owner", exclusive),
        ("non-durable", not durable),
    ):
        if wrong:
            raise PreconditionFailed(f"invalid property '{name}' for {description}; a stream can't have it")


def check_credit(description: str, consumer: Consumer) -> None:
    """Acknowledgements are a reader's credit, where its protocol has none of its own (406, 540)."""
    if not consumer.prefetch:
        raise PreconditionFailed(
            f"consumer prefetch count is not set for stream {description}: a reader needs one, as acknowledgements "
            "are its credit"
        )
    if consumer.no_ack:
        raise NotImplementedByBroker(f"automatic acknowledgement not supported by stream {description}")


def tell_left_out(queue: Queue, count: int, compression: int) -> None:
    """A reader isn't given so many messages, as they are in a batch that clients of streams alone can unpack."""
    queue.vhost.broker.limit_hits.warn(
        "stream batches",
        queue.store_id,
        _log,
        "%s: messages in batches of %s are left out for readers of other protocols than that of streams",
        queue.description,
        COMPRESSIONS[compression] if compression < len(COMPRESSIONS) else f"compression {compression}",
        times=count,
    )
