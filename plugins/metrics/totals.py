"""What is measured of the broker as a whole: node, churn, alarms, messages by protocol, and Warren's own.

Sums over objects that come and go are taken with those that are gone (core/ended.py, core/counters.py), so that no
counter goes back while the broker runs.

Longer than 400 lines because it is the table of all totals, and how each is added up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions.place import world_of
from warren.core.administration import operations
from warren.core.counters import DEAD_LETTER_LOST, Counts, add
from warren.core.given import add_by_type
from warren.core.message_sizes import BOUNDS_BYTES
from warren.plugins.metrics.encoding import TOTAL, Family, Series
from warren.plugins.metrics.groups import GROUPS
from warren.plugins.metrics.stalls import stall_families
from warren.plugins.metrics.walking import ROWS_PER_SLICE, rows, sums

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warren.core.administration.listing.channels import ChannelRow
    from warren.core.administration.listing.connections import ConnectionRow
    from warren.core.broker import Broker
    from warren.plugins.metrics.encoding import Kind
    from warren.plugins.metrics.node import Node

CHURN: Final = {
    "connection_created": ("connections_opened_total", "Connections opened."),
    "connection_closed": ("connections_closed_total", "Connections closed or lost."),
    "channel_created": ("channels_opened_total", "Channels opened."),
    "channel_closed": ("channels_closed_total", "Channels closed."),
    "queue_declared": ("queues_declared_total", "Declarations of queues."),
    "queue_created": ("queues_created_total", "Queues made."),
    "queue_deleted": ("queues_deleted_total", "Queues deleted."),
}

UNCONFIRMED: Final = "unconfirmed"
ROUTED: Final = "routed"
"""Counts that follow from others."""

GLOBAL: Final = {
    "messages_received_total": (("publish",), "Messages published by clients."),
    "messages_received_confirm_total": (("confirm", UNCONFIRMED), "Messages published that are to be confirmed."),
    "messages_confirmed_total": (("confirm",), "Messages confirmed to publishers."),
    "messages_routed_total": ((ROUTED,), "Messages that a queue took, or more than one."),
    "messages_unroutable_dropped_total": (("drop_unroutable",), "Messages that nothing took."),
    "messages_unroutable_returned_total": (("return_unroutable",), "Messages that nothing took, given back."),
}
"""`rabbitmq_global_…`, by protocol: counts of sessions that are added up, and the help."""

GLOBAL_BY_TYPE: Final = {
    "messages_delivered_total": (("deliver", "deliver_no_ack", "get", "get_no_ack"), "Messages given to clients."),
    "messages_delivered_consume_manual_ack_total": (("deliver",), "Given to consumers that acknowledge."),
    "messages_delivered_consume_auto_ack_total": (("deliver_no_ack",), "Given to consumers that don't."),
    "messages_delivered_get_manual_ack_total": (("get",), "Polled, to be acknowledged."),
    "messages_delivered_get_auto_ack_total": (("get_no_ack",), "Polled, and done with."),
    "messages_get_empty_total": (("get_empty",), "Polls for which there was no message."),
    "messages_redelivered_total": (("redeliver",), "Messages given out that had been given out before."),
    "messages_acknowledged_total": (("ack",), "Messages acknowledged."),
}
"""The same of what queues give, by protocol and by the queues' type."""

QUEUE_TYPES: Final = ("classic", "quorum", "stream")
"""What there are series of from the start."""

GLOBAL_PREFIX: Final = "global_"

QUEUE_SUMS: Final = next(group for group in GROUPS if group.name == "queue_delivery_metrics")
CHANNEL_SUMS: Final = tuple(
    measure
    for group in GROUPS
    if group.name in ("channel_exchange_metrics", "channel_queue_metrics")
    for measure in group.measures
)
"""Families whose sums are taken from what the broker has counted, also of what is gone."""

CONFIRMED: Final = "confirmed"

DEAD_LETTERED: Final = {
    "expired": "Messages dead-lettered since their time was over.",
    "rejected": "Messages dead-lettered since a consumer rejected them.",
    "maxlen": "Messages dead-lettered since their queue was full.",
    "delivery_limit": "Messages dead-lettered since they had been given out too often.",
    CONFIRMED: "Messages dead-lettered by the strategy at-least-once: all of their queues have taken them.",
}
"""Families of dead letters by reason, and one of those that can't be lost."""

STRATEGY_LABELS: Final = {False: "at_most_once", True: "at_least_once"}
"""RabbitMQ's, by whether a dead letter is sure to arrive."""

STRATEGIES: Final = (("classic", False), ("quorum", False), ("quorum", True))
"""Types of queues, and whether they can be sure: what there are series of from the start."""

WITHOUT_SUM: Final = frozenset(
    {"queue_head_message_timestamp", "queue_consumer_capacity", "queue_consumer_utilisation"}
)
"""Points in time and shares of it: their sum would mean nothing."""

LE_LABELS: Final = (*(str(float(bound)) for bound in BOUNDS_BYTES), "+Inf")
"""Bounds of buckets as both formats write them (OpenMetrics wants a point in each number)."""

LINKS: Final = (
    ("shovels", "shovel_dynamic", "state", "Shovels, by their state."),
    ("federation_links", "federation_links", "status", "Federation links, by their state."),
)
"""Listings of other plugins: which, RabbitMQ's name of the family, the column of the state, and the help."""

NANOSECONDS: Final = 1_000_000_000
"""In a second."""

OCTETS: Final = {
    "incoming_bytes": "Bytes received.",
    "outgoing_bytes": "Bytes sent.",
    "incoming_packets": "Reads from sockets.",
    "outgoing_packets": "Writes to sockets.",
}
"""Of connections, with those that are gone."""

ALARMS: Final = {
    "memory": "alarms_memory_used_watermark",
    "disk": "alarms_free_disk_space_watermark",
    "file_descriptors": "alarms_file_descriptor_limit",
}


def one(name: str, kind: Kind, about: str, value: float | None) -> Family:
    """A family of one series without labels; of none where there is no value."""
    return Family(name, kind, about, () if value is None else (Series({}, float(value)),))


def identity(node: Node, endpoint: str) -> Iterator[Family]:
    """Which broker it is; every page has it, for dashboards to join the rest with."""
    yield Family("rabbitmq_build_info", "unknown", "Versions.", (Series(node.build(), 1),))
    yield Family("rabbitmq_identity_info", "unknown", "Names of the broker.", (Series(node.identity(endpoint), 1),))


def node_families(node: Node, prefix: str) -> Iterator[Family]:
    """The process, what may run out, what is there, and what has come and gone."""
    broker, resources = node.broker, node.context.resources()
    uptime_s = (broker.now_ms - node.context.facts.started_at_ms) / 1000
    for name, about, value in (
        ("process_open_fds", "Open file descriptors.", resources.descriptors_used),
        ("process_max_fds", "File descriptors that may be open.", resources.descriptors_max),
        ("process_resident_memory_bytes", "Memory used, in bytes.", resources.memory_used),
        ("resident_memory_limit_bytes", "Memory from which on publishers are blocked.", resources.memory_limit),
        ("disk_space_available_bytes", "Room where messages are kept, in bytes.", resources.disk_free),
        ("disk_space_available_limit_bytes", "Room under which they are blocked.", resources.disk_free_limit),
        ("erlang_uptime_seconds", "Time since the start, by the name that dashboards know.", uptime_s),
    ):
        yield one(prefix + name, "gauge", about, value)
    raised = broker.alarms.raised()
    for alarm, name in ALARMS.items():
        yield one(prefix + name, "gauge", f"1 while the alarm '{alarm}' is on.", alarm in raised)
    for what in ("connections", "channels", "consumers", "queues"):
        yield one(prefix + what, "gauge", f"How many {what} there are.", operations.overview.count(broker, what))
    for key, value in broker.churn.snapshot().items():
        name, about = CHURN[key]
        yield one(prefix + name, "counter", about, value)
    unreachable = 0 if broker.cluster is None else broker.cluster.figures().unreachable
    yield one(f"{prefix}unreachable_cluster_peers_count", "gauge", "Other nodes that can't be reached.", unreachable)
    yield from stall_families(broker.stalls)
    yield from _disk(node, prefix)


def _disk(node: Node, prefix: str) -> Iterator[Family]:
    found = node.broker.store.statistics()
    if "writes" not in found:
        return
    for name, about, value in (
        ("io_read_ops_total", "Reads from the message log.", found["reads"]),
        ("io_read_bytes_total", "Bytes read from it.", found["read_bytes"]),
        ("io_write_ops_total", "Writes to the message log.", found["writes"]),
        ("io_write_bytes_total", "Bytes written to it.", found["written_bytes"]),
        ("io_sync_ops_total", "Syncs of the message log.", found["writes"]),
        ("io_read_time_seconds_total", "How long reads took.", found["read_ns"] / NANOSECONDS),
        ("io_write_time_seconds_total", "How long writes took, without their syncs.", found["write_ns"] / NANOSECONDS),
        ("io_sync_time_seconds_total", "How long syncs took.", found["sync_ns"] / NANOSECONDS),
    ):
        yield one(prefix + name, "counter", about, value)
    for name, about, value in (
        ("segments", "Files of the message log.", found["segments"]),
        ("bytes", "What they hold, in bytes.", found["bytes_on_disk"]),
        ("entries", "Entries that aren't settled.", found["entries"]),
    ):
        yield one(f"warren_message_log_{name}", "gauge", about, value)


def summed_families(node: Node, prefix: str) -> Iterator[Family | None]:
    """The sums over all objects, where there isn't a series for each."""
    broker = node.broker
    seen: set[str] = set()
    for group in GROUPS:
        if not group.summed:
            continue
        found: dict[str, float] = {}
        for each in sums(broker, group):
            if each is None:
                yield None
            else:
                found = each
        known = broker.listings.kind(group.listing).row.columns
        for measure in group.measures:
            has_sum = measure.name in found or measure.column in known
            has_sum = has_sum and measure.kind != "counter"  # that has them with those that are gone
            if has_sum and measure.name not in WITHOUT_SUM and measure.name not in seen:
                seen.add(measure.name)
                yield one(prefix + measure.name, measure.kind, measure.about, found.get(measure.name, 0))


def client_families(node: Node, prefix: str, *, per_object: bool) -> Iterator[Family | None]:
    """What clients did, by protocol, with those that are gone; and octets.

    per_object: as in `queue_families`, of connections and channels.
    """
    broker = node.broker
    by_protocol: dict[str, Counts] = {}
    given: dict[str, dict[str, Counts]] = {}
    publishers: dict[str, int] = {}
    ended = broker.ended
    octets = [ended.received_bytes, ended.sent_bytes, ended.received_packets, ended.sent_packets]
    for protocol, counts in broker.ended.counts.items():
        add(by_protocol.setdefault(label_of(protocol), {}), counts)
    for protocol, by_type in ended.by_type.items():
        add_by_type(given.setdefault(label_of(protocol), {}), by_type)
    for row in rows(broker, "connections"):
        if row is None:
            yield None
            continue
        connection: ConnectionRow = row  # type: ignore[assignment]
        transport = connection.transport
        octets[0] += transport.received_bytes
        octets[1] += transport.sent_bytes
        octets[2] += transport.received_packets
        octets[3] += transport.sent_packets
        if connection.client is not None:
            label = label_of(connection.client.protocol)
            counts = connection.client.counts.snapshot()
            add(by_protocol.setdefault(label, {}), counts)
            add_by_type(given.setdefault(label, {}), connection.client.counts.by_type())
            publishers[label] = publishers.get(label, 0) + bool(counts["publish"])
    consumers: dict[str, int] = {}
    for row in rows(broker, "channels"):
        if row is None:
            yield None
            continue
        channel: ChannelRow = row  # type: ignore[assignment]
        label = label_of(channel.client.protocol)
        consumers[label] = consumers.get(label, 0) + channel.consumer_count
        add(by_protocol.setdefault(label, {}), {UNCONFIRMED: channel.messages_unconfirmed})
    for counts in by_protocol.values():
        unroutable = counts.get("drop_unroutable", 0) + counts.get("return_unroutable", 0)
        counts[ROUTED] = counts.get("publish", 0) - unroutable
    if not per_object:
        for (name, about), value in zip(OCTETS.items(), octets, strict=True):
            yield one(f"{prefix}connection_{name}_total", "counter", about, value)
        total: Counts = {}
        for counts in by_protocol.values():
            add(total, counts)
        for measure in CHANNEL_SUMS:
            yield one(prefix + measure.name, measure.kind, measure.about, total.get(measure.key, 0))
    protocols = sorted(by_protocol)
    for name, (keys, about) in GLOBAL.items():
        series = [Series({"protocol": each}, sum(by_protocol[each].get(key, 0) for key in keys)) for each in protocols]
        yield Family(prefix + GLOBAL_PREFIX + name, "counter", about, series)
    types = {each: (given.get(each, {}), sorted({*QUEUE_TYPES, *given.get(each, {})})) for each in protocols}
    for name, (keys, about) in GLOBAL_BY_TYPE.items():
        series = [
            Series(
                {"protocol": each, "queue_type": queue_label_of(queue_type)},
                sum(by_type.get(queue_type, {}).get(key, 0) for key in keys),
            )
            for each, (by_type, queue_types) in types.items()
            for queue_type in queue_types
        ]
        yield Family(prefix + GLOBAL_PREFIX + name, "counter", about, series)
    for name, about, found in (
        ("publishers", "Connections that have published.", publishers),
        ("consumers", "Consumers.", consumers),
    ):
        series = [Series({"protocol": each}, found.get(each, 0)) for each in protocols]
        yield Family(prefix + GLOBAL_PREFIX + name, "gauge", about, series)


def size_families(node: Node, prefix: str) -> Iterator[Family]:
    """How large messages are, by protocol: buckets that each hold those before it, as Prometheus has them."""
    series: list[Series] = []
    for protocol, sizes in sorted(node.broker.message_sizes):
        label = {"protocol": label_of(protocol)}
        below = 0
        for bound, count in zip(LE_LABELS, sizes.buckets, strict=True):
            below += count
            series.append(Series({**label, "le": bound}, below, "_bucket"))
        series += (Series(label, below, "_count"), Series(label, sizes.total_bytes, "_sum"))
    yield Family(f"{prefix}message_size_bytes", "histogram", "Sizes of messages that clients published.", series)


def link_families(node: Node, prefix: str) -> Iterator[Family | None]:
    """How many shovels and federation links are in which state, while those plugins run."""
    listings = node.broker.listings
    for listing, name, column, about in LINKS:
        if listing not in listings.names():
            continue
        found: dict[str, int] = {}
        for row in rows(node.broker, listing):
            if row is None:
                yield None
            else:
                state = str(row.value(column))
                found[state] = found.get(state, 0) + 1
        series = [Series({"status": state}, count) for state, count in sorted(found.items())]
        yield Family(prefix + name, "gauge", about, series)


def own_families(node: Node) -> Iterator[Family]:
    """What RabbitMQ has no name for: limits that did something, MQTT sessions, and what plugins count."""
    broker = node.broker
    hits = [Series({"limit": name}, found.times) for name, found in sorted(broker.limit_hits.by_limit.items())]
    yield Family(f"warren_limit_hits{TOTAL}", "counter", "How often a limit refused or dropped something.", hits)
    paced = [Series({}, sum(1 for each in broker.rate_limits.paced.values() if each.reason))]
    yield Family("warren_rate_limited_connections", "gauge", "Held back by a limit of a rate.", paced)
    world = world_of(broker)
    per_vhost: dict[str, list[Series]] = {name: [] for name in MQTT}
    for vhost in list(broker.vhosts.values()):
        sessions = world.of(vhost)
        for name, value in (
            ("sessions", len(sessions.sessions)),
            ("clients_connected", sessions.connected_count),
            ("subscriptions", sessions.subscription_count),
            ("retained_messages", len(sessions.retained)),
            ("retained_bytes", sessions.retained.body_bytes),
        ):
            per_vhost[name].append(Series({"vhost": vhost.name}, value))
    for name, about in MQTT.items():
        yield Family(f"warren_mqtt_{name}", "gauge", about, per_vhost[name])
    series = [
        Series({"plugin": plugin, "name": name}, value)
        for plugin, counters in node.context.counters().items()
        for name, value in counters.items()
    ]
    yield Family("warren_plugin", "gauge", "What plugins count.", series)


MQTT: Final = {
    "sessions": "MQTT sessions, of clients that are connected or away.",
    "clients_connected": "MQTT clients that are connected.",
    "subscriptions": "Their subscriptions.",
    "retained_messages": "Retained messages.",
    "retained_bytes": "Their bodies, in bytes.",
}


def queue_families(node: Node, prefix: str, *, per_object: bool) -> Iterator[Family | None]:
    """What queues have counted together, also those that are gone.

    per_object: there is a series for each queue, so that only what has none follows.
    """
    counted: Counts = dict(node.broker.ended.queue_counts)
    for vhost in list(node.broker.vhosts.values()):
        add(counted, vhost.counts.gone)
        for number, queue in enumerate(list(vhost.queues.values()), 1):
            add(counted, queue.message_counts)
            if number % ROWS_PER_SLICE == 0:
                yield None
    for measure in () if per_object else QUEUE_SUMS.measures:
        yield one(prefix + measure.name, measure.kind, measure.about, counted.get(measure.key, 0))
    yield from _dead_letters(node.broker, prefix + GLOBAL_PREFIX)
    lost = [
        Series({"cause": key.removeprefix(DEAD_LETTER_LOST)}, value)
        for key, value in sorted(counted.items())
        if key.startswith(DEAD_LETTER_LOST)
    ]
    yield Family(f"warren_dead_letters_lost{TOTAL}", "counter", "Dead letters that nothing took.", lost)


def _dead_letters(broker: Broker, prefix: str) -> Iterator[Family]:
    """By the type of the queues that they come from, and the dead letter strategy that these had."""
    found: dict[tuple[str, bool], Counts] = {}
    for queue_type, at_least_once in STRATEGIES:
        found[queue_label_of(queue_type), at_least_once] = {}
    for (queue_type, at_least_once, reason), count in broker.dead_letters.snapshot().items():
        counts = {reason: count, CONFIRMED: count} if at_least_once else {reason: count}
        add(found.setdefault((queue_label_of(queue_type), at_least_once), {}), counts)
    for reason, about in DEAD_LETTERED.items():
        series = [
            Series({"queue_type": label, "dead_letter_strategy": STRATEGY_LABELS[is_sure]}, counts.get(reason, 0))
            for (label, is_sure), counts in sorted(found.items())
            if is_sure or reason != CONFIRMED
        ]
        yield Family(f"{prefix}messages_dead_lettered_{reason}{TOTAL}", "counter", about, series)


def queue_label_of(queue_type: str) -> str:
    """RabbitMQ's label of a queue's type, as the queue is counted (`Queue.counted_as`)."""
    return f"rabbit_{queue_type}_queue"


def label_of(protocol: str) -> str:
    """RabbitMQ's label of a protocol: `AMQP 0-9-1` is `amqp091`, `MQTT 5-0` is `mqtt50`."""
    return "".join(character for character in protocol.lower() if character.isalnum())
