"""Unfinished publishes: what the channels of one connection may keep in memory together."""

from __future__ import annotations

from tests.support import amqp_bytes as wire
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.settings import Amqp091Settings
from warren.adapters.amqp091.unfinished import UNFINISHED_MESSAGES_MAX

MESSAGE_BYTES_MAX = 4000
"""Below the frame_max of the simulated clients, so that a body is one frame."""


def test_unfinished_messages_are_bounded_per_connection() -> None:
    broker = SimulatedBroker(settings=Amqp091Settings(message_bytes_max=MESSAGE_BYTES_MAX))
    channels = UNFINISHED_MESSAGES_MAX + 1
    client = broker.connect(channels)
    for channel in range(1, channels + 1):
        client.send(channel, methods.BasicPublish(exchange="", routing_key="q"))
        client.send_bytes(wire.header(channel, MESSAGE_BYTES_MAX))
        client.send_bytes(wire.body(channel, b"x" * (MESSAGE_BYTES_MAX - 1)))
    broker.settle()
    answers = [method for method in client.take_methods() if isinstance(method, methods.ConnectionClose)]
    assert [answer.reply_code for answer in answers] == [506]
    broker.close()


def test_finished_messages_make_room() -> None:
    broker = SimulatedBroker(settings=Amqp091Settings(message_bytes_max=MESSAGE_BYTES_MAX))
    client = broker.connect(1)
    client.send(1, methods.QueueDeclare(queue="q"))
    for _ in range(3 * UNFINISHED_MESSAGES_MAX):
        client.send(1, methods.BasicPublish(exchange="", routing_key="q"))
        client.send_bytes(wire.header(1, MESSAGE_BYTES_MAX))
        client.send_bytes(wire.body(1, b"x" * MESSAGE_BYTES_MAX))
    broker.settle()
    assert broker.queue("q").ready_count == 3 * UNFINISHED_MESSAGES_MAX
    broker.close()
