"""A queue that refuses whatever is published, since somebody wants to see what publishers do then."""

from __future__ import annotations

import pytest

from tests.support.core_clients import publish, queue, take
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp091.codec import methods
from warren.core.administration import tails
from warren.core.administration.tails import Tailed
from warren.core.queues.classic import watched
from warren.core.queues.classic.bounds import Bounds
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.routing.vhost import Outcome


def refuse(broker: SimulatedBroker, name: str, refuses: bool) -> None:
    found = broker.queue(name)
    assert isinstance(found, ClassicQueue)
    watched.refuse(found, refuses)
    broker.vhost.changed()


@pytest.mark.parametrize("type_name", ["classic", "quorum"])
def test_publishers_are_refused_and_others_get_it(type_name: str) -> None:
    broker = SimulatedBroker()
    refusing = queue(broker, "refusing", {"x-queue-type": type_name}, durable=True)
    other = queue(broker, "other")
    client = broker.connect()
    for name in ("refusing", "other"):
        client.send(1, methods.QueueBind(queue=name, exchange="amq.fanout"))
        client.expect(methods.QueueBindOk)
    client.send(1, methods.ConfirmSelect())
    client.expect(methods.ConfirmSelectOk)
    client.publish("", b"before", exchange="amq.fanout")
    client.expect(methods.BasicAck)
    refuse(broker, "refusing", True)
    client.publish("", b"refused", exchange="amq.fanout")
    client.expect(methods.BasicNack)
    refuse(broker, "refusing", False)
    client.publish("", b"after", exchange="amq.fanout")
    client.expect(methods.BasicAck)
    assert take(refusing) == [b"before", b"after"]
    assert take(other) == [b"before", b"refused", b"after"]
    broker.settle()
    broker.check()


def test_a_consumer_with_room_makes_no_difference() -> None:
    broker = SimulatedBroker()
    queue(broker, "q")
    broker.connect().consume("q")
    refuse(broker, "q", True)
    assert publish(broker, "", b"1", None, "q")[1] is Outcome.REFUSED


def test_who_looks_and_who_refuses_dont_undo_each_other() -> None:
    broker = SimulatedBroker()
    looked_at = queue(broker, "q")
    assert isinstance(looked_at, ClassicQueue)
    tail = tails.begin(broker.vhost, Tailed(queue="q"))
    refuse(broker, "q", True)
    assert publish(broker, "", b"1", None, "q")[1] is Outcome.REFUSED
    tail.end()
    assert publish(broker, "", b"2", None, "q")[1] is Outcome.REFUSED
    tail = tails.begin(broker.vhost, Tailed(queue="q"))
    refuse(broker, "q", False)
    assert publish(broker, "", b"3", None, "q")[1] is Outcome.TAKEN
    assert [each.body for each in tail.take(10)[0]] == [b"3"]
    tail.end()
    assert type(looked_at.bounds) is Bounds
