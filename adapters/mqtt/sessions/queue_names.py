"""The names of the queues behind sessions, and behind groups that share a subscription."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.codec.topics import SHARE_PREFIX
from warren.adapters.mqtt.sessions.publishing import QUEUE_PREFIX
from warren.adapters.mqtt.sessions.stream_reading import STREAM_PREFIX

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.subscription import MqttSubscription

SESSION_QUEUE_PREFIX: Final = "mqtt-subscription-"
SHARED_QUEUE_PREFIX: Final = "mqtt-shared-"

NAME_BYTES_MAX: Final = 255
"""A queue's name is a shortstr (AMQP 0-9-1 4.2.5.3)."""


def queue_name_of(client_id: str, subscription: MqttSubscription) -> str:
    """The name of the queue that a subscription's messages come by."""
    if subscription.queue_name:
        return subscription.queue_name
    return shared_queue_name(subscription) if subscription.group else session_queue_name(client_id)


def session_queue_name(client_id: str) -> str:
    """The name of a session's queue, `mqtt-subscription-CLIENT`; with a hash where that would be too long.

    So a client identifier that is the hash of another has the same: the queue is that one's who has it first.
    """
    return _name(SESSION_QUEUE_PREFIX, client_id)


def shared_queue_name(subscription: MqttSubscription) -> str:
    """The name of the queue that a group shares, `mqtt-shared-GROUP/FILTER`."""
    return _name(SHARED_QUEUE_PREFIX, f"{subscription.group}/{subscription.topic_filter}")


def source_queue_name(client_id: str, source: str) -> str:
    """The queue that a client's messages come from by a filter; `source` is empty for those of its own queue."""
    if source.startswith(SHARE_PREFIX):
        return _name(SHARED_QUEUE_PREFIX, source[len(SHARE_PREFIX) :])
    return queue_name_in(source) or session_queue_name(client_id)


def queue_name_in(filter: str) -> str:
    """NAME of the filter `$queue/NAME` or `$stream/NAME`; empty for any other filter."""
    if filter.startswith(STREAM_PREFIX):
        return filter[len(STREAM_PREFIX) :]
    return filter[len(QUEUE_PREFIX) :] if filter.startswith(QUEUE_PREFIX) else ""


def _name(prefix: str, text: str) -> str:
    name = prefix + text
    if len(name.encode("utf-8", "surrogateescape")) <= NAME_BYTES_MAX:
        return name
    return prefix + hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
