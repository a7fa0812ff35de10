"""What peers take for granted: queues of every type, an exchange in front of some, one that MQTT publishes to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tests.simulation.whole.peer import CLASSIC, FANNED, FANOUT, FROM_MQTT, IN, OUT, QUORUM, STREAM, TOPIC_KEY
from warren.core.clients.client import Client
from warren.core.declaring.bindings import bind
from warren.core.declaring.exchanges import declare_exchange
from warren.core.declaring.queues import declare_queue
from warren.core.messages.field_table import EMPTY_TABLE_RAW, encode_table

if TYPE_CHECKING:
    from warren.core.broker import Broker


QUORUM_ARGUMENTS: Final[dict[str, Any]] = {"x-queue-type": "quorum", "x-delivery-limit": -1}
"""Without a limit: what is returned often stays."""

STREAM_ARGUMENTS: Final[dict[str, Any]] = {"x-queue-type": "stream", "x-stream-max-segment-size-bytes": 4_000}


def declare(broker: Broker) -> None:
    """Declare what isn't there yet."""
    vhost = broker.vhosts["/"]
    if all(name in vhost.queues for name in (*CLASSIC, *QUORUM, IN, OUT, FROM_MQTT, STREAM)):
        return
    client = Client("topology", broker.users["guest"], vhost, "test", {})
    for name in (*CLASSIC, IN, OUT, FROM_MQTT):
        declare_queue(client, name, durable=True)
    for names, arguments in ((QUORUM, QUORUM_ARGUMENTS), ((STREAM,), STREAM_ARGUMENTS)):
        for name in names:
            declare_queue(client, name, durable=True, arguments=arguments, arguments_raw=encode_table(arguments))
    declare_exchange(client, FANOUT, "fanout", durable=True)
    for name, exchange, key in (*((each, FANOUT, "") for each in FANNED), (FROM_MQTT, "amq.topic", TOPIC_KEY)):
        bind(client, "queue", name, exchange, key, {}, EMPTY_TABLE_RAW)
    client.close()
