"""What is done by AMQP 0-9-1, by which rights, and what is said without one of them."""

from __future__ import annotations

from functools import partial

from tests.adapters.rights.operation import PASSWORD, USER, Operation, configure, read, write
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient, handshake_bytes
from warren.adapters.amqp091.codec import methods
from warren.core.messages.properties import encode_properties


def amqp_client(broker: SimulatedBroker) -> SimulatedClient:
    client = broker.accept()
    client.handshake(user=USER, password=PASSWORD)
    client.open()
    return client


def amqp(method: methods.Method, broker: SimulatedBroker) -> str:
    client = amqp_client(broker)
    client.send(1, method)
    return outcome(client)


def outcome(client: SimulatedClient) -> str:
    """Of the last command on channel 1; asks for something harmless, where nothing answers by itself."""
    client.send(1, methods.BasicQos(0, 1, False))
    for event in client.take():
        if isinstance(event.method, methods.ChannelClose):
            assert "refused for user 'alice'" in event.method.reply_text
            return f"channel.close {event.method.reply_code}"
        if isinstance(event.method, methods.ConnectionClose):
            return f"connection.close {event.method.reply_code}"
    return "allowed"


def amqp_publish(exchange: str, key: str, broker: SimulatedBroker, properties: bytes = b"\0\0") -> str:
    client = amqp_client(broker)
    client.publish(key, b"body", exchange=exchange, properties=properties)
    return outcome(client)


def amqp_transaction(broker: SimulatedBroker) -> str:
    client = amqp_client(broker)
    client.send(1, methods.TxSelect())
    client.publish("bound", b"body", exchange="x")
    client.send(1, methods.TxCommit())
    return outcome(client)


def amqp_enter(broker: SimulatedBroker) -> str:
    client = broker.accept()
    client.send_bytes(handshake_bytes(user=USER, password=PASSWORD))
    last = client.take_methods()[-1]
    if isinstance(last, methods.ConnectionClose):
        return f"connection.close {last.reply_code}"
    return "allowed"


def amqp_as(broker: SimulatedBroker, name: str) -> str:
    """Publish in somebody else's name, which the tag `impersonator` allows."""
    client = amqp_client(broker)
    client.publish("bound", b"body", exchange="x", properties=encode_properties(user_id=name).raw)
    client.send(1, methods.BasicQos(0, 1, False))
    closed = [each for each in client.take_methods() if isinstance(each, methods.ChannelClose)]
    return f"channel.close {closed[0].reply_code}" if closed else "allowed"


CHANNEL_403 = "channel.close 403"

DEAD_LETTERS = {"x-dead-letter-exchange": "x"}

AMQP = (
    Operation("enter", amqp_enter, (), "connection.close 530"),
    Operation(
        "exchange.declare",
        partial(amqp, methods.ExchangeDeclare(exchange="new", type="direct")),
        (configure("exchange", "new"),),
        CHANNEL_403,
    ),
    Operation(
        "exchange.declare with an alternate",
        partial(amqp, methods.ExchangeDeclare(exchange="new", type="direct", arguments={"alternate-exchange": "x"})),
        (configure("exchange", "new"), read("exchange", "new"), write("exchange", "x")),
        CHANNEL_403,
    ),
    Operation(
        "exchange.delete",
        partial(amqp, methods.ExchangeDelete(exchange="x")),
        (configure("exchange", "x"),),
        CHANNEL_403,
    ),
    Operation(
        "exchange.bind",
        partial(amqp, methods.ExchangeBind(destination="y", source="x", routing_key="k")),
        (write("exchange", "y"), read("exchange", "x")),
        CHANNEL_403,
    ),
    Operation(
        "exchange.unbind",
        partial(amqp, methods.ExchangeUnbind(destination="y", source="x", routing_key="k")),
        (write("exchange", "y"), read("exchange", "x")),
        CHANNEL_403,
    ),
    Operation(
        "queue.declare",
        partial(amqp, methods.QueueDeclare(queue="new")),
        (configure("queue", "new"),),
        CHANNEL_403,
    ),
    Operation(
        "queue.declare with dead letters",
        partial(amqp, methods.QueueDeclare(queue="new", arguments=dict(DEAD_LETTERS))),
        (configure("queue", "new"), read("queue", "new"), write("exchange", "x")),
        CHANNEL_403,
    ),
    *(
        Operation(
            f"queue.declare, passive, by {right[0]}",
            partial(amqp, methods.QueueDeclare(queue="q", passive=True)),
            (right,),
            CHANNEL_403,
        )
        for right in (configure("queue", "q"), write("queue", "q"), read("queue", "q"))
    ),
    Operation("queue.delete", partial(amqp, methods.QueueDelete(queue="q")), (configure("queue", "q"),), CHANNEL_403),
    Operation("queue.purge", partial(amqp, methods.QueuePurge(queue="q")), (read("queue", "q"),), CHANNEL_403),
    Operation(
        "queue.bind",
        partial(amqp, methods.QueueBind(queue="q", exchange="x", routing_key="k")),
        (write("queue", "q"), read("exchange", "x")),
        CHANNEL_403,
    ),
    Operation(
        "queue.bind to a topic",
        partial(amqp, methods.QueueBind(queue="q", exchange="t", routing_key="k")),
        (write("queue", "q"), read("exchange", "t"), ("read", "topic", "t", "k")),
        CHANNEL_403,
    ),
    Operation(
        "queue.unbind",
        partial(amqp, methods.QueueUnbind(queue="q", exchange="x", routing_key="bound")),
        (write("queue", "q"), read("exchange", "x")),
        CHANNEL_403,
    ),
    Operation("basic.get", partial(amqp, methods.BasicGet(queue="q")), (read("queue", "q"),), CHANNEL_403),
    Operation("basic.consume", partial(amqp, methods.BasicConsume(queue="q")), (read("queue", "q"),), CHANNEL_403),
    Operation("basic.publish", partial(amqp_publish, "x", "bound"), (write("exchange", "x"),), CHANNEL_403),
    Operation(
        "basic.publish by the default exchange",
        partial(amqp_publish, "", "q"),
        (write("exchange", "amq.default"),),
        CHANNEL_403,
    ),
    Operation(
        "basic.publish to a topic",
        partial(amqp_publish, "t", "k"),
        (write("exchange", "t"), ("write", "topic", "t", "k")),
        CHANNEL_403,
    ),
    Operation(
        "basic.publish with CC",
        partial(amqp_publish, "t", "k", properties=encode_properties(headers={"CC": ["other"]}).raw),
        (write("exchange", "t"), ("write", "topic", "t", "k"), ("write", "topic", "t", "other")),
        CHANNEL_403,
    ),
    Operation("tx.commit", amqp_transaction, (write("exchange", "x"),), CHANNEL_403),
)
