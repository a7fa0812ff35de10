"""The properties of a message as a consumer sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.messages.internal_headers import without_internal

if TYPE_CHECKING:
    from warren.core.messages.field_table import Encodable
    from warren.core.messages.message import Message
    from warren.core.messages.properties import Properties
    from warren.core.queues.base import Queue


def shown_properties(queue: Queue, message: Message, *, redelivered: bool) -> Properties:
    """The published ones, with the counts of earlier deliveries where those are counted (spec A.7).

    x-delivery-count: those that failed; x-acquired-count: all of them, as far as they are known.
    """
    return _with_counts(queue, message, without_internal(message.properties), redelivered=redelivered)


def carried_properties(queue: Queue, message: Message, *, redelivered: bool) -> Properties:
    """The same as they go to another node of a cluster, which takes off itself what consumers don't see."""
    return _with_counts(queue, message, message.properties, redelivered=redelivered)


def _with_counts(queue: Queue, message: Message, properties: Properties, *, redelivered: bool) -> Properties:
    if redelivered and queue.counts_deliveries:
        failures = queue.failures(message)
        acquired = max(failures, queue.returns(message))
        counts = {"x-delivery-count": failures, "x-acquired-count": acquired}
        known: dict[str, Encodable] = {name: count for name, count in counts.items() if count}
        if known:
            return properties.with_header_entries(known)
    return properties
