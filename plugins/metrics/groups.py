"""What is measured of each object: families in groups, named as RabbitMQ's `/metrics/detailed?family=` names them.

A family's value is that of a column of the object's listing (core/administration/listing), or of one name in a column
that holds many.  A column that an object doesn't have, or that has no number, makes no series.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from warren.core.frozen import frozen
from warren.plugins.metrics.encoding import TOTAL

if TYPE_CHECKING:
    from warren.core.administration.listing.column import Row
    from warren.core.administration.listing.exchanges import ExchangeRow
    from warren.plugins.metrics.encoding import Kind


class Measure(NamedTuple):
    """One family, without the prefix of its name.

    column: whose value it is, or what computes that.  key: what is meant in a column that holds a mapping.
    """

    name: str
    about: str
    column: str | Callable[[Row], object]
    key: str = ""

    @property
    def kind(self) -> Kind:
        """Counters are those whose names say so."""
        return "counter" if self.name.endswith(TOTAL) else "gauge"

    def of(self, row: Row) -> float | None:
        """The value; None where there is none."""
        value = row.value(self.column) if isinstance(self.column, str) else self.column(row)
        if isinstance(value, Mapping):
            value = value.get(self.key, 0)
        return float(value) if isinstance(value, int | float) else None


@frozen
class Group:
    """Families of the objects of one listing.

    name: for `family=`.  listing: the kind of the objects.  labels: which columns they are told apart by.  summed:
    whether `/metrics` has the sum of each; counters of which objects that are gone are missing would go back there, so
    that `totals` has those.
    """

    name: str
    listing: str
    labels: tuple[tuple[str, str], ...]
    measures: tuple[Measure, ...]
    summed: bool = True


def _stats(prefix: str, **about: str) -> tuple[Measure, ...]:
    """Counters out of `message_stats`.  about: by the name there, the family's name and its help, with `|` between."""
    found = []
    for key, both in about.items():
        name, _, text = both.partition("|")
        found.append(Measure(prefix + name + TOTAL, text, "message_stats", key))
    return tuple(found)


QUEUE: Final = (("vhost", "vhost"), ("queue", "name"))
CHANNEL: Final = (("channel", "name"), ("vhost", "vhost"))
CONNECTION: Final = (("connection", "name"), ("vhost", "vhost"))
EXCHANGE: Final = (("vhost", "vhost"), ("exchange", "name"))

CONSUMERS: Final = Measure("queue_consumers", "Consumers of a queue.", "consumers")

GROUPS: Final = (
    Group(
        "queue_coarse_metrics",
        "queues",
        QUEUE,
        (
            Measure("queue_messages_ready", "Messages that wait for a consumer.", "messages_ready"),
            Measure("queue_messages_unacked", "Messages given out and not settled.", "messages_unacknowledged"),
            Measure("queue_messages", "Messages in a queue, ready or not settled.", "messages"),
        ),
    ),
    Group("queue_consumer_count", "queues", QUEUE, (CONSUMERS,)),
    Group(
        "queue_metrics",
        "queues",
        QUEUE,
        (
            CONSUMERS,
            Measure("queue_consumer_capacity", "How much of the time consumers had room, 0 to 1.", "consumer_capacity"),
            Measure("queue_consumer_utilisation", "The same, by its older name.", "consumer_utilisation"),
            Measure("queue_process_memory_bytes", "Memory that a queue takes, in bytes.", "memory"),
            Measure("queue_messages_ram", "Messages whose bodies are in memory.", "messages_ram"),
            Measure("queue_messages_ready_ram", "Ready ones among them.", "messages_ready_ram"),
            Measure("queue_messages_unacked_ram", "Unsettled ones among them.", "messages_unacknowledged_ram"),
            Measure("queue_messages_persistent", "Messages that outlive a restart.", "messages_persistent"),
            Measure("queue_messages_bytes", "Bodies of messages, ready or not settled, in bytes.", "message_bytes"),
            Measure("queue_messages_unacked_bytes", "Of those that aren't settled.", "message_bytes_unacknowledged"),
            Measure("queue_messages_ram_bytes", "Of those that are in memory.", "message_bytes_ram"),
            Measure("queue_messages_persistent_bytes", "Of those that outlive a restart.", "message_bytes_persistent"),
            Measure("queue_messages_ready_bytes", "Bodies of ready messages, in bytes.", "message_bytes_ready"),
            Measure("queue_messages_paged_out", "Ready messages that are on disk alone.", "messages_paged_out"),
            Measure("queue_messages_paged_out_bytes", "Their bodies, in bytes.", "message_bytes_paged_out"),
            Measure("queue_head_message_timestamp", "Timestamp of the next message.", "head_message_timestamp"),
        ),
    ),
    Group(
        "queue_delivery_metrics",
        "queues",
        QUEUE,
        _stats(
            "queue_",
            publish="messages_published|Messages that came into a queue.",
            deliver="messages_delivered_ack|Messages given to consumers that acknowledge.",
            deliver_no_ack="messages_delivered|Messages given to consumers that don't.",
            redeliver="messages_redelivered|Messages given out that had been given out before.",
            ack="messages_acked|Messages acknowledged.",
            get="get_ack|Messages polled, to be acknowledged.",
            get_no_ack="get|Messages polled, and done with.",
            get_empty="get_empty|Polls for which there was no message.",
        ),
        summed=False,
    ),
    Group(
        "channel_metrics",
        "channels",
        CHANNEL,
        (
            Measure("channel_consumers", "Consumers on a channel.", "consumer_count"),
            Measure("channel_messages_unacked", "Messages given out and not settled.", "messages_unacknowledged"),
            Measure("channel_messages_unconfirmed", "Messages published and not confirmed.", "messages_unconfirmed"),
            Measure("channel_messages_uncommitted", "Messages of an open transaction.", "messages_uncommitted"),
            Measure("channel_acks_uncommitted", "Acknowledgements of an open transaction.", "acks_uncommitted"),
            Measure("consumer_prefetch", "Unsettled messages that a consumer may have.", "prefetch_count"),
            Measure("channel_prefetch", "Those that a whole channel may have.", "global_prefetch_count"),
        ),
    ),
    Group(
        "channel_exchange_metrics",
        "channels",
        CHANNEL,
        _stats(
            "channel_messages_",
            publish="published|Messages published.",
            confirm="confirmed|Messages published and confirmed.",
            return_unroutable="unroutable_returned|Messages that nothing took, given back.",
            drop_unroutable="unroutable_dropped|Messages that nothing took.",
        ),
        summed=False,
    ),
    Group(
        "channel_queue_metrics",
        "channels",
        CHANNEL,
        _stats(
            "channel_",
            get="get_ack|Messages polled, to be acknowledged.",
            get_no_ack="get|Messages polled, and done with.",
            get_empty="get_empty|Polls for which there was no message.",
            deliver="messages_delivered_ack|Messages given to consumers that acknowledge.",
            deliver_no_ack="messages_delivered|Messages given to consumers that don't.",
            redeliver="messages_redelivered|Messages given out that had been given out before.",
            ack="messages_acked|Messages acknowledged.",
        ),
        summed=False,
    ),
    Group(
        "connection_coarse_metrics",
        "connections",
        CONNECTION,
        (
            Measure("connection_incoming_bytes_total", "Bytes received.", "recv_oct"),
            Measure("connection_outgoing_bytes_total", "Bytes sent.", "send_oct"),
        ),
        summed=False,
    ),
    Group(
        "connection_metrics",
        "connections",
        CONNECTION,
        (
            Measure("connection_incoming_packets_total", "Reads from the socket.", "recv_cnt"),
            Measure("connection_outgoing_packets_total", "Writes to it.", "send_cnt"),
            Measure("connection_channels", "Channels of a connection.", "channels"),
            Measure(
                "connection_pending_packets", "Bytes that wait for the socket, as RabbitMQ counts them.", "send_pend"
            ),
        ),
    ),
    Group(
        "exchange_metrics",
        "exchanges",
        EXCHANGE,
        _stats(
            "exchange_messages_",
            publish_in="published|Messages published to an exchange.",
            publish_out="routed|Copies of them that queues took.",
        ),
        summed=False,
    ),
)
"""In the order in which they are shown."""


def _binding_count(row: Row) -> int | None:
    """Of an exchange but the default one, whose bindings are the queues."""
    exchange = cast("ExchangeRow", row).exchange
    return None if exchange is None else len(exchange.bindings)


CLUSTER_GROUPS: Final = (
    Group(
        "vhost_status",
        "vhosts",
        (("vhost", "name"),),
        (Measure("vhost_status", "1 for a virtual host that runs.", lambda row: 1),),
    ),
    Group(
        "exchange_bindings",
        "exchanges",
        (*EXCHANGE, ("type", "type")),
        (Measure("exchange_bindings", "Bindings of an exchange.", _binding_count),),
    ),
    Group(
        "exchange_names",
        "exchanges",
        (*EXCHANGE, ("type", "type")),
        (Measure("exchange_name", "1 for each exchange.", lambda row: 1),),
    ),
)
"""Those whose names begin otherwise (`rabbitmq_cluster_`), and that only `/metrics/detailed` has."""

NOT_HERE: Final = frozenset(
    {
        "channel_process_metrics",
        "channel_queue_exchange_metrics",
        "node_memory",
        "queue_exchange_metrics",
        "ra_metrics",
        "stream_consumer_metrics",
    }
)
"""Families of RabbitMQ that nothing here corresponds to, so that asking for them gives nothing and is no error."""
