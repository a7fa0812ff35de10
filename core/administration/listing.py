"""What a broker can tell of itself: rows of its objects, with the columns of spec F.8."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from warren.core.exchanges.delaying.exchange import DelayedMessageExchange
from warren.core.queues.classic.queue import ClassicQueue

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.routing.vhost import VirtualHost

Row = dict[str, object]


def rows(broker: Broker, what: str, vhost: str | None) -> list[Row]:
    """Rows of `what`; those of all virtual hosts when `vhost` is None.  Raises KeyError for an unknown `what`."""
    return list(_LISTINGS[what](broker, vhost))


def _vhosts_of(broker: Broker, vhost: str | None) -> list[VirtualHost]:
    if vhost is None:
        return list(broker.vhosts.values())
    return [broker.vhosts[vhost]] if vhost in broker.vhosts else []


def _queues(broker: Broker, vhost: str | None) -> Iterator[Row]:
    for found in _vhosts_of(broker, vhost):
        for queue in found.queues.values():
            ready = queue.ready_count
            unacked = queue.unacked_count
            exclusive = queue.exclusive_consumer if isinstance(queue, ClassicQueue) else None
            yield {
                "vhost": found.name,
                "name": queue.name,
                "durable": queue.durable,
                "auto_delete": queue.auto_delete,
                "exclusive": queue.exclusive,
                "arguments": dict(queue.arguments),
                "type": queue.type_name,
                "pid": queue.name,
                "owner_pid": queue.owner.name if queue.owner else None,
                "exclusive_consumer_tag": exclusive.tag if exclusive else None,
                "exclusive_consumer_pid": exclusive.session_name() if exclusive else None,
                "messages": ready + unacked + queue.untaken_count,
                "messages_ready": ready,
                "messages_unacknowledged": unacked,
                "messages_dlx": queue.untaken_count,
                "message_bytes_ready": queue.ready_bytes if isinstance(queue, ClassicQueue) else None,
                "messages_paged_out": queue.paged_count if isinstance(queue, ClassicQueue) else 0,
                "consumers": len(queue.consumers),
                "memory": queue.resident_bytes if isinstance(queue, ClassicQueue) else None,
                "state": "running",
                "policy": queue.policy,
                "operator_policy": queue.operator_policy,
                "effective_policy_definition": dict(queue.effective_policy),
            }


def _exchanges(broker: Broker, vhost: str | None) -> Iterator[Row]:
    for found in _vhosts_of(broker, vhost):
        yield _exchange_row(found.name, "", "direct", durable=True)
        for exchange in found.exchanges.values():
            row = _exchange_row(found.name, exchange.name, exchange.type_name, durable=exchange.durable)
            row["auto_delete"] = exchange.auto_delete
            row["internal"] = exchange.internal
            row["arguments"] = dict(exchange.arguments)
            if isinstance(exchange, DelayedMessageExchange):
                row["messages_delayed"] = exchange.messages_delayed
            row["policy"] = exchange.policy
            row["operator_policy"] = exchange.operator_policy
            row["effective_policy_definition"] = dict(exchange.effective_policy)
            yield row


def _exchange_row(vhost: str, name: str, type_name: str, *, durable: bool) -> Row:
    return {
        "vhost": vhost,
        "name": name,
        "type": type_name,
        "durable": durable,
        "auto_delete": False,
        "internal": False,
        "arguments": {},
        "policy": None,
    }


def _bindings(broker: Broker, vhost: str | None) -> Iterator[Row]:
    for found in _vhosts_of(broker, vhost):
        for queue in found.queues.values():
            yield {
                "vhost": found.name,
                "source_name": "",
                "source_kind": "exchange",
                "destination_name": queue.name,
                "destination_kind": "queue",
                "routing_key": queue.name,
                "arguments": {},
            }
        for exchange in found.exchanges.values():
            for binding in exchange.bindings:
                yield {
                    "vhost": found.name,
                    "source_name": exchange.name,
                    "source_kind": "exchange",
                    "destination_name": binding.target.name,
                    "destination_kind": binding.target.kind,
                    "routing_key": binding.routing_key,
                    "arguments": dict(binding.arguments),
                }


def _connections(broker: Broker, vhost: str | None) -> Iterator[Row]:
    for session in broker.sessions:
        row = session.describe()
        if vhost is None or row.get("vhost") == vhost:
            yield row


def _channels(broker: Broker, vhost: str | None) -> Iterator[Row]:
    for session in broker.sessions:
        for row in session.describe_channels():
            if vhost is None or row.get("vhost") == vhost:
                yield row


def _consumers(broker: Broker, vhost: str | None) -> Iterator[Row]:
    for found in _vhosts_of(broker, vhost):
        for queue in found.queues.values():
            for consumer in queue.consumers:
                yield {
                    "vhost": found.name,
                    "queue_name": queue.name,
                    "channel_pid": consumer.session_name(),
                    "consumer_tag": consumer.tag,
                    "ack_required": not consumer.no_ack,
                    "exclusive": consumer.exclusive,
                    "prefetch_count": consumer.prefetch,
                    "active": queue.is_active(consumer),
                    "activity_status": "single_active" if queue.is_active(consumer) else "waiting",
                    "arguments": dict(consumer.arguments),
                }


def _vhosts(broker: Broker, vhost: str | None) -> Iterator[Row]:
    for found in _vhosts_of(broker, vhost):
        metadata = {key: value for key, value in found.metadata.items() if key != "tracing"}
        yield {"name": found.name, **metadata, "tracing": found.tracing, "metadata": metadata}


_LISTINGS: dict[str, Callable[[Broker, str | None], Iterator[Row]]] = {
    "queues": _queues,
    "exchanges": _exchanges,
    "bindings": _bindings,
    "connections": _connections,
    "channels": _channels,
    "consumers": _consumers,
    "vhosts": _vhosts,
}
