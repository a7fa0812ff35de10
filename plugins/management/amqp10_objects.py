"""Sessions of AMQP 1.0 and their links, as the API shows them; see objects.py."""

from __future__ import annotations

from msgspec import UNSET

from warren.plugins.management.objects import Missing, Object


class Amqp10IncomingLink(Object):
    """One that the client sends by."""

    handle: int
    link_name: str
    snd_settle_mode: str
    target_address: str | None
    max_message_size: int | None
    delivery_count: int | None
    credit: int | None
    unconfirmed_messages: int | None


class Amqp10OutgoingLink(Object):
    """One that it receives by."""

    handle: int
    link_name: str
    source_address: str | None
    queue_name: str | None
    send_settled: bool | None
    max_message_size: int | None
    delivery_count: int | None
    credit: int | None


class Amqp10Session(Object):
    """A session of a connection of AMQP 1.0."""

    channel_number: int | Missing = UNSET
    handle_max: int | Missing = UNSET
    next_incoming_id: int | Missing = UNSET
    incoming_window: int | Missing = UNSET
    next_outgoing_id: int | Missing = UNSET
    remote_incoming_window: int | Missing = UNSET
    remote_outgoing_window: int | Missing = UNSET
    outgoing_unsettled_deliveries: int | Missing = UNSET
    incoming_links: list[Amqp10IncomingLink] | Missing = UNSET
    outgoing_links: list[Amqp10OutgoingLink] | Missing = UNSET
