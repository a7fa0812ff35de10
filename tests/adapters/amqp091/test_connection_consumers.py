"""Consumers on the wire: prefetch of both kinds, credit that is never lost, cancelling."""

from __future__ import annotations

import random

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import Event, SimulatedClient
from warren.adapters.amqp091.codec import methods


@pytest.fixture
def broker() -> SimulatedBroker:
    return SimulatedBroker()


@pytest.fixture
def client(broker: SimulatedBroker) -> SimulatedClient:
    """Queues q and r; channel 3 is for publishing."""
    client = broker.connect(channels=3)
    client.declare("q")
    client.declare("r")
    return client


def fill(client: SimulatedClient, count: int, queue: str = "q") -> None:
    for number in range(count):
        client.publish(queue, b"%s%d" % (queue.encode(), number), channel=3)


def delivered(client: SimulatedClient) -> list[tuple[int, str, bytes]]:
    """Delivery tag, consumer tag and body of the deliveries that arrived; nothing else may have."""
    found = []
    for event in client.take():
        assert isinstance(event.method, methods.BasicDeliver), event
        found.append((event.method.delivery_tag, event.method.consumer_tag, event.body))
    return found


def tags(client: SimulatedClient) -> list[int]:
    return [tag for tag, _, _ in delivered(client)]


# basic.qos for each consumer


def test_prefetch_holds_for_consumers_made_afterwards_each(client: SimulatedClient) -> None:
    fill(client, 10)
    client.qos(2)
    client.consume("q", "a")
    client.qos(3)
    client.consume("q", "b")
    found = delivered(client)
    assert [tag for _, tag, _ in found].count("a") == 2
    assert [tag for _, tag, _ in found].count("b") == 3
    client.qos(0)
    assert delivered(client) == []


@pytest.mark.parametrize("settle", ["ack", "nack", "discard", "reject", "multiple", "all"])
def test_every_way_of_settling_gives_credit_back(client: SimulatedClient, settle: str) -> None:
    fill(client, 9)
    client.qos(3)
    client.consume("q", "a")
    assert tags(client) == [1, 2, 3]
    if settle == "ack":
        client.ack(2)
    elif settle == "nack":
        client.nack(2)
    elif settle == "discard":
        client.nack(2, requeue=False)
    elif settle == "reject":
        client.send(1, methods.BasicReject(2, requeue=False))
    elif settle == "multiple":
        client.ack(2, multiple=True)
    else:
        client.ack(0, multiple=True)
    count = {"multiple": 2, "all": 3}.get(settle, 1)
    assert len(tags(client)) == count
    assert len(client.connection.channels.by_number[1].deliveries.unacked) == 3
    client.broker.check()


def test_recover_gives_credit_back_and_marks(client: SimulatedClient) -> None:
    fill(client, 3)
    client.qos(2)
    client.consume("q", "a")
    assert tags(client) == [1, 2]
    client.send(1, methods.BasicRecover(requeue=True))
    client.expect(methods.BasicRecoverOk)
    again = client.events
    assert [event.body for event in again] == [b"q0", b"q1"]
    assert all(isinstance(event.method, methods.BasicDeliver) and event.method.redelivered for event in again)
    client.events.clear()
    client.send(1, methods.BasicRecoverAsync(requeue=True))
    assert [event.body for event in client.take()] == [b"q0", b"q1"]


def test_polled_messages_need_no_credit(client: SimulatedClient) -> None:
    fill(client, 5)
    client.qos(1)
    client.consume("q", "a")
    assert tags(client) == [1]
    assert client.get("q") is not None
    client.ack(2)
    assert delivered(client) == []
    client.ack(1)
    assert tags(client) == [3]


def test_no_ack_ignores_prefetch(client: SimulatedClient) -> None:
    fill(client, 5)
    client.qos(1)
    client.consume("q", "a", no_ack=True)
    assert len(tags(client)) == 5


# basic.qos with global


def test_a_global_limit_is_shared(client: SimulatedClient) -> None:
    fill(client, 10)
    fill(client, 10, "r")
    client.qos(3, global_=True)
    for tag, queue in [("a", "q"), ("b", "q"), ("c", "r")]:
        client.consume(queue, tag)
    found = [event for event in client.events if isinstance(event.method, methods.BasicDeliver)]
    assert len(found) == 3
    client.events.clear()
    assert delivered(client) == []
    client.ack(1)
    assert len(tags(client)) == 1
    client.ack(0, multiple=True)
    assert len(tags(client)) == 3
    client.broker.check()


def test_a_global_limit_never_starves_a_consumer_for_good(client: SimulatedClient) -> None:
    client.qos(1, global_=True)
    client.consume("q", "a")
    client.consume("r", "b")
    fill(client, 20)
    fill(client, 20, "r")
    seen = set()
    for _ in range(40):
        [(tag, _, body)] = delivered(client)
        seen.add(body)
        client.ack(tag)
    assert len(seen) == 40
    assert delivered(client) == []


def test_a_global_limit_counts_what_was_outstanding_before(client: SimulatedClient) -> None:
    fill(client, 10)
    client.consume("q", "a")
    assert len(tags(client)) == 10
    client.get("q")
    client.qos(4, global_=True)
    fill(client, 10)
    assert delivered(client) == [], "10 are outstanding, 4 are allowed"
    client.ack(6, multiple=True)
    assert delivered(client) == []
    client.ack(7)
    assert len(tags(client)) == 1
    client.ack(10, multiple=True)
    assert len(tags(client)) == 3


def test_raising_and_lifting_a_global_limit(client: SimulatedClient) -> None:
    client.qos(1, global_=True)
    client.consume("q", "a")
    fill(client, 10)
    assert len(tags(client)) == 1
    client.qos(3, global_=True)
    assert len(client.take()) == 2
    client.qos(2, global_=True)
    assert client.take() == []
    client.ack(1)
    assert delivered(client) == []
    client.qos(0, global_=True)
    assert len(client.take()) == 7


def test_polled_messages_do_not_count_towards_a_global_limit(client: SimulatedClient) -> None:
    fill(client, 5)
    client.qos(1, global_=True)
    assert client.get("q") is not None
    client.consume("q", "a")
    assert len(client.take()) == 1
    client.ack(1)
    assert delivered(client) == []
    client.ack(2)
    assert len(tags(client)) == 1


def test_acks_of_an_open_transaction_keep_their_share(client: SimulatedClient) -> None:
    client.send(1, methods.TxSelect())
    client.expect(methods.TxSelectOk)
    fill(client, 10)
    client.qos(3, global_=True)
    client.consume("q", "a")
    client.take()
    client.ack(2, multiple=True)
    assert delivered(client) == []
    client.qos(4, global_=True)
    assert len(client.take()) == 1
    client.send(1, methods.TxCommit())
    client.expect(methods.TxCommitOk)
    assert len(client.events) == 2, "a limit of 4, of which 2 are outstanding"


def test_a_cancelled_consumer_is_not_kept_among_the_starved(client: SimulatedClient) -> None:
    fill(client, 2)
    client.qos(1, global_=True)
    client.consume("q", "a")
    for _ in range(5):
        client.consume("q", "b")
        client.send(1, methods.BasicCancel("b"))
        client.expect(methods.BasicCancelOk)
    assert client.connection.channels.by_number[1].shared_credit.waiting_tags == ["a"]


def test_a_limit_of_each_and_a_shared_one_together(client: SimulatedClient) -> None:
    fill(client, 20)
    client.qos(2)
    client.qos(3, global_=True)
    client.consume("q", "a")
    client.consume("q", "b")
    found = [event.method for event in client.events if isinstance(event.method, methods.BasicDeliver)]
    client.events.clear()
    assert len(found) == 3
    chance = random.Random(3)
    outstanding = [method.delivery_tag for method in found]
    total = 3
    while outstanding:
        tag = outstanding.pop(chance.randrange(len(outstanding)))
        client.ack(tag)
        new = tags(client)
        total += len(new)
        outstanding += new
        assert len(outstanding) == min(3, 20 - total + len(outstanding))
    assert total == 20


@pytest.mark.parametrize("seed", range(6))
def test_credit_is_never_lost_nor_found(seed: int) -> None:
    """Random settling, limits and cancels: at rest, nobody waits who could be served, and no limit is exceeded."""
    chance = random.Random(seed)
    broker = SimulatedBroker()
    client = broker.connect(channels=3)
    for name in ("q", "r"):
        client.declare(name)
    prefetch: dict[str, int] = {}
    current = 0
    for step in range(300):
        doing = chance.randrange(10)
        channel = client.connection.channels.by_number[1]
        if doing < 3:
            fill(client, chance.randrange(4), chance.choice("qr"))
        elif doing == 3:
            current = chance.randrange(4)
            client.qos(current)
        elif doing == 4:
            client.qos(chance.randrange(6), global_=True)
        elif doing == 5 and len(prefetch) < 4:
            tag = f"c{step}"
            prefetch[tag] = current
            client.consume(chance.choice("qr"), tag)
        elif doing == 6 and prefetch:
            tag = chance.choice(list(prefetch))
            del prefetch[tag]
            client.send(1, methods.BasicCancel(tag))
        elif channel.deliveries.unacked:
            tag_number = chance.choice(list(channel.deliveries.unacked))
            multiple = chance.random() < 0.2
            if doing == 7:
                client.nack(tag_number, multiple=multiple)
            elif doing == 8 and chance.random() < 0.2:
                client.send(1, methods.BasicRecover(requeue=True))
            else:
                client.ack(tag_number, multiple=multiple)
        client.take()
        broker.check()
        consumers = [entry[2] for entry in channel.deliveries.unacked.values() if entry[2] is not None]
        shared_left = not channel.shared_credit.limit or len(consumers) < channel.shared_credit.limit
        if channel.shared_credit.limit:
            assert channel.shared_credit.outstanding == len(consumers)
        for consumer in channel.consumers.values():
            held = sum(1 for each in consumers if each is consumer)
            limit = prefetch[consumer.tag]
            assert not limit or held <= limit
            if shared_left and (not limit or held < limit):
                assert not consumer.queue.ready_count, f"{consumer.tag} could be served"


# Cancelling


def test_cancel_ok_follows_the_last_delivery(client: SimulatedClient) -> None:
    client.consume("q", "a")
    fill(client, 1)
    client.settle()
    client.send(1, methods.BasicCancel("a"))
    fill(client, 1)
    names = [method.NAME for method in client.take_methods() if method is not None]
    assert names == ["basic.deliver", "basic.cancel-ok"]
    client.send(1, methods.BasicCancel("unknown"))
    assert client.take_methods() == [methods.BasicCancelOk("unknown")]
    client.ack(1)
    client.broker.check()


def test_a_deleted_queue_cancels_its_consumers(broker: SimulatedBroker, client: SimulatedClient) -> None:
    deaf = broker.accept()
    deaf.handshake(capabilities={})
    deaf.open()
    for each in (client, deaf):
        each.consume("q", "a")
    fill(client, 2)
    broker.settle()
    client.events.clear()
    client.send(3, methods.QueueDelete(queue="q"))
    found = client.take()
    assert Event(1, methods.BasicCancel("a", nowait=True)) in found
    assert not any(isinstance(event.method, methods.BasicCancel) for event in deaf.take())
    client.send(1, methods.BasicCancelOk("a"))
    client.ack(1)
    deaf.ack(1)
    assert client.take() == deaf.take() == []
    client.declare("q")
    client.consume("q", "a")


def test_a_used_tag_is_refused_hard(client: SimulatedClient, caplog: pytest.LogCaptureFixture) -> None:
    client.consume("q", "a")
    client.consume("q", "a", channel=2)
    client.send(1, methods.BasicConsume(queue="r", consumer_tag="a"))
    close = client.expect(methods.ConnectionClose, 0)
    assert (close.reply_code, close.class_id, close.method_id) == (530, 60, 20)
    assert "attempt to reuse consumer tag 'a'" in close.reply_text
    assert "attempt to reuse consumer tag 'a'; it is in use on channel 1" in caplog.text


def test_generated_tags_differ(client: SimulatedClient) -> None:
    first, second = client.consume("q"), client.consume("q")
    assert first != second
    assert first.startswith("amq.ctag-")


def test_an_auto_delete_queue_goes_with_its_last_consumer(broker: SimulatedBroker, client: SimulatedClient) -> None:
    client.declare("auto", auto_delete=True)
    assert client.get("auto") is None
    client.consume("auto", "a")
    client.consume("auto", "b", channel=2)
    fill(client, 2, "auto")
    client.take()
    client.send(1, methods.BasicCancel("a"))
    client.expect(methods.BasicCancelOk)
    assert "auto" in broker.vhost.queues
    client.close_channel(2)
    assert "auto" not in broker.vhost.queues
    client.ack(1)
    assert client.take() == []
