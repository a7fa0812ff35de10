"""What goes to many consumers at once comes to each in its own frames: tag, channel, delivery tags, credit."""

from __future__ import annotations

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import SimulatedClient, publish_frames
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.consumer import JOINED_BYTES_MAX

# Consumer tag, channel, deliveries it has had before, prefetch; where none is set, it doesn't acknowledge.
CONSUMERS = (("c", 1, 0, 0), ("c", 1, 0, 0), ("other", 1, 0, 0), ("c", 2, 0, 0), ("c", 1, 200, 0), ("c", 1, 7, 50))


def consumers(broker: SimulatedBroker) -> list[SimulatedClient]:
    made = []
    for number, (tag, channel, before, prefetch) in enumerate(CONSUMERS):
        client = broker.connect(channels=2)
        queue = f"q{number}"
        client.declare(queue)
        client.send(1, methods.QueueBind(queue=queue, exchange="amq.fanout", routing_key=""))
        client.expect(methods.QueueBindOk)
        if prefetch:
            client.qos(prefetch, channel=channel)
        client.consume(queue, tag, channel=channel, no_ack=not prefetch)
        for index in range(before):
            client.publish(queue, b"before %d" % index)
        client.settle()
        made.append(client)
    broker.settle()
    for client in made:
        client.take()
    return made


@pytest.mark.parametrize("counts", [(300,), (3, 600), (250, 4, 260)])
@pytest.mark.parametrize("size", [5, JOINED_BYTES_MAX + 10])
def test_each_gets_its_own_frames(counts: tuple[int, ...], size: int) -> None:
    broker = SimulatedBroker()
    clients = consumers(broker)
    publisher = broker.connect(channels=2)
    sent: list[bytes] = []
    for count in counts:
        bodies = [b"%05d" % (len(sent) + number) + b"x" * (size - 5) for number in range(count)]
        publisher.send_bytes(b"".join([publish_frames("", body, exchange="amq.fanout") for body in bodies]))
        broker.settle()
        sent += bodies
    for client, (tag, channel, before, prefetch) in zip(clients, CONSUMERS, strict=True):
        events = client.take()
        got = sent[: prefetch - before] if prefetch else sent
        assert [each.body for each in events] == got
        assert {each.channel for each in events} == {channel}
        for number, each in enumerate(events, before + 1):
            assert isinstance(each.method, methods.BasicDeliver)
            assert (each.method.consumer_tag, each.method.delivery_tag, each.method.redelivered) == (tag, number, False)
            assert (each.method.exchange, each.method.routing_key) == ("amq.fanout", "")
    last = clients[-1]
    last.ack(0, multiple=True)
    broker.settle()
    assert [each.body for each in last.take()] == sent[43:93]
    broker.close()
