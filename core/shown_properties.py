"""The properties of a message as a consumer sees them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from core.mqtt_sessions.headers import without_internal

if TYPE_CHECKING:
    from core.message import Message
    from core.properties import Properties
    from core.queues.base import Queue


def shown_properties(queue: Queue, message: Message, *, redelivered: bool) -> Properties:
    """The published ones, with x-delivery-count after failed deliveries where those are counted."""
    properties = without_internal(message.properties)
    if redelivered and queue.counts_deliveries:
        failures = queue.failures(message)
        if failures:
            return properties.with_header_entries({"x-delivery-count": failures})
    return properties
