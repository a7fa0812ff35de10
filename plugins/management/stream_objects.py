"""Publishers and consumers of the stream protocol, as the API shows them; see objects.py."""

from __future__ import annotations

from msgspec import UNSET

from warren.plugins.management.objects import Missing, Object, QueueName


class StreamConnectionDetails(Object):
    """The connection that one is on."""

    name: str
    user: str
    node: str
    peer_host: str | Missing = UNSET
    peer_port: int | Missing = UNSET


class StreamConsumer(Object):
    """One that reads a stream."""

    connection_details: StreamConnectionDetails | Missing = UNSET
    queue: QueueName | Missing = UNSET
    subscription_id: int | Missing = UNSET
    messages_consumed: int | Missing = UNSET
    offset: int | Missing = UNSET
    offset_lag: int | Missing = UNSET
    credits: int | Missing = UNSET
    active: bool | Missing = UNSET
    activity_status: str | Missing = UNSET
    properties: dict[str, str] | Missing = UNSET


class StreamPublisher(Object):
    """One that writes to a stream."""

    connection_details: StreamConnectionDetails | Missing = UNSET
    queue: QueueName | Missing = UNSET
    publisher_id: int | Missing = UNSET
    reference: str | Missing = UNSET
    messages_published: int | Missing = UNSET
    messages_confirmed: int | Missing = UNSET
    messages_errored: int | Missing = UNSET


class StreamTracking(Object):
    """What a stream keeps, by reference: stored offsets of readers, and last publishing ids of writers."""

    offsets: dict[str, int] | Missing = UNSET
    writers: dict[str, int] | Missing = UNSET
