"""What clients and administrators ask of a node, as its broker does it."""

from __future__ import annotations

from warren.core.broker import Broker
from warren.core.declaring.actor import Administrator
from warren.core.declaring.bindings import bind
from warren.core.declaring.exchanges import declare_exchange
from warren.core.declaring.queues import declare_queue
from warren.core.messages.field_table import EMPTY_TABLE_RAW, FieldTable, encode_table

QUORUM: FieldTable = {"x-queue-type": "quorum"}


def actor(broker: Broker, vhost: str = "/") -> Administrator:
    return Administrator(broker.vhosts[vhost])


def declare_x(broker: Broker, type_name: str = "direct") -> str:
    return declare_exchange(actor(broker), "x", type_name, durable=True).type_name


def declare_q(broker: Broker) -> str:
    raw = encode_table(QUORUM)
    return declare_queue(actor(broker), "q", durable=True, arguments=QUORUM, arguments_raw=raw).name


def bind_q(broker: Broker) -> None:
    bind(actor(broker), "queue", "q", "x", "k", {}, EMPTY_TABLE_RAW)


def set_p(broker: Broker, value: int) -> None:
    broker.parameters.set_global("p", value)
