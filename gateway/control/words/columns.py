"""The columns of each listing: rabbitmqctl's names, and which are shown when none is named (spec F.8).

A column that is known but that the broker has no value for is shown empty, so that scripts written for
RabbitMQ work; an unknown one is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Listing:
    """One `list_...` word: what it asks of `Broker.inspect`, and its columns."""

    what: str
    known: tuple[str, ...]
    default: tuple[str, ...]


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_QUEUES = Listing(
    "queues",
    _names(
        """
        name durable auto_delete arguments policy operator_policy effective_policy_definition
        pid owner_pid exclusive exclusive_consumer_pid exclusive_consumer_tag messages_ready
        messages_unacknowledged messages messages_ready_ram messages_unacknowledged_ram
        messages_ram messages_persistent message_bytes message_bytes_ready
        message_bytes_unacknowledged message_bytes_ram message_bytes_persistent
        head_message_timestamp disk_reads disk_writes consumers consumer_utilisation
        consumer_capacity memory state type leader members online vhost messages_paged_out
        """
    ),
    ("name", "messages"),
)

_EXCHANGES = Listing(
    "exchanges",
    ("name", "type", "durable", "auto_delete", "internal", "arguments", "policy", "vhost"),
    ("name", "type"),
)

_BINDINGS = Listing(
    "bindings",
    ("source_name", "source_kind", "destination_name", "destination_kind", "routing_key", "arguments"),
    ("source_name", "source_kind", "destination_name", "destination_kind", "routing_key", "arguments"),
)

_CONNECTIONS = Listing(
    "connections",
    _names(
        """
        pid name port host peer_port peer_host ssl ssl_protocol ssl_key_exchange ssl_cipher
        ssl_hash peer_cert_subject peer_cert_issuer peer_cert_validity state channels protocol
        auth_mechanism user vhost container_id timeout frame_max channel_max client_properties
        recv_oct recv_cnt send_oct send_cnt send_pend connected_at user_provided_name
        """
    ),
    ("user", "peer_host", "peer_port", "state"),
)

_CHANNELS = Listing(
    "channels",
    _names(
        """
        pid connection name number user vhost transactional confirm consumer_count
        messages_unacknowledged messages_uncommitted acks_uncommitted messages_unconfirmed
        prefetch_count global_prefetch_count
        """
    ),
    ("pid", "user", "consumer_count", "messages_unacknowledged"),
)

_CONSUMERS = Listing(
    "consumers",
    _names(
        """
        queue_name channel_pid consumer_tag ack_required prefetch_count active activity_status
        arguments
        """
    ),
    _names(
        """
        queue_name channel_pid consumer_tag ack_required prefetch_count active activity_status
        arguments
        """
    ),
)

_VHOSTS = Listing(
    "vhosts",
    ("name", "tracing", "description", "tags", "default_queue_type", "metadata", "cluster_state"),
    ("name",),
)

LISTINGS: Mapping[str, Listing] = {
    "list_queues": _QUEUES,
    "list_exchanges": _EXCHANGES,
    "list_bindings": _BINDINGS,
    "list_connections": _CONNECTIONS,
    "list_channels": _CHANNELS,
    "list_consumers": _CONSUMERS,
    "list_vhosts": _VHOSTS,
}
"""Listings with columns to choose from, by word."""


def choose_columns(listing: Listing, names: list[str]) -> tuple[str, ...]:
    """The columns to show: those named, or the default ones.  ValueError names the unknown ones and all
    known.
    """
    chosen = tuple(part for name in names for part in name.split(",") if part)
    unknown = [name for name in chosen if name not in listing.known]
    if unknown:
        raise ValueError(f"unknown column {', '.join(unknown)}; the columns are {' '.join(listing.known)}")
    return chosen or listing.default
