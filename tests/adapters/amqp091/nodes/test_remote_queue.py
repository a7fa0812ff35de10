"""Queues of another node, by links between two brokers: publishing, consuming, settling, and links that break."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import core_clients
from tests.support.node_pair import NodePair
from tests.support.node_pair import publish_near as publish
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.adapters.amqp091.codec import methods
from warren.core.cluster.remote_queue import HELD_MS
from warren.core.declaring.queues import declare_queue, delete_queue, end_consumer
from warren.core.errors import AccessRefused, NotFound, NotImplementedByBroker, ResourceLocked
from warren.core.messages.field_table import Encodable
from warren.core.messages.message import Message
from warren.core.messages.properties import encode_properties
from warren.core.policies.policy import POLICY, make_policy
from warren.core.queues.answer import ignore


@pytest.fixture
def pair() -> Iterator[NodePair]:
    pair = NodePair(SimulatedBroker(), SimulatedBroker())
    yield pair
    pair.settle()


def test_publishing_and_consuming(pair: NodePair) -> None:
    own, remote = pair.declare()
    assert publish(pair, b"1", b"2", b"3") == [True, True, True]
    assert own.ready_count == 3
    consumer = SimulatedConsumer(remote, credit=2)
    remote.add_consumer(consumer)
    pair.settle()
    assert consumer.bodies == [b"1", b"2"]
    assert (own.ready_count, own.unacked_count, remote.unacked_count) == (1, 2, 2)
    consumer.acknowledge(2)
    pair.settle()
    assert (own.ready_count, own.unacked_count, remote.unacked_count) == (1, 0, 0)
    consumer.give(3)
    pair.settle()
    assert consumer.bodies == [b"3"]


def test_a_message_is_what_it_was(pair: NodePair) -> None:
    own, remote = pair.declare()
    properties = encode_properties(
        delivery_mode=2, content_type="text/plain", expiration="60000", headers={"x-hidden-deaths": ["a"], "n": 1}
    )
    vhost = pair.near.vhost
    core_clients.exchange(pair.near, "x", "topic")
    core_clients.bind(pair.near, "q", "x", "a.#")
    route = vhost.route("x", "a.b")
    message = Message(vhost.broker.next_sequence(), route.address, properties, b"body", 0, 4, 0, vhost.broker.now_ms)
    vhost.publish(route, message)
    pair.settle()
    (there,) = own.browse(0, 9)
    assert (there.address.exchange, there.address.routing_key) == ("x", "a.b")
    assert there.properties.raw == properties.raw
    consumer = SimulatedConsumer(remote)
    remote.add_consumer(consumer)
    pair.settle()
    ((back, redelivered),) = consumer.taken
    assert (back.body, back.address.encoded, back.properties.raw, redelivered) == (
        b"body",
        message.address.encoded,
        properties.raw,
        False,
    )


@pytest.mark.parametrize("size", [0, 1, 131_072, 1_000_000])
def test_bodies_of_any_size_come_in_any_cut(pair: NodePair, size: int) -> None:
    own, remote = pair.declare()
    bodies = [bytes([number]) * size for number in range(3)]
    assert publish(pair, *bodies) == [True] * 3
    assert [each.body for each in own.browse(0, 9)] == bodies
    consumer = SimulatedConsumer(remote)
    for socket in pair.sockets:
        socket.cut = 10_000 if size > 100 else 1
    remote.add_consumer(consumer)
    pair.settle()
    assert consumer.bodies == bodies


def test_dead_letters_come_from_the_node_that_has_the_queue(pair: NodePair) -> None:
    core_clients.queue(pair.far, "dead", durable=True)
    arguments: dict[str, Encodable] = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}
    own, remote = pair.declare("q", arguments)
    publish(pair, b"1", b"2")
    consumer = SimulatedConsumer(remote)
    remote.add_consumer(consumer)
    pair.settle()
    remote.discard(consumer.taken[0][0])
    pair.settle()
    assert core_clients.take(pair.far.vhost.queue("dead")) == [b"1"]
    assert (own.unacked_count, remote.unacked_count) == (1, 1)


def test_a_full_queue_refuses(pair: NodePair) -> None:
    arguments: dict[str, Encodable] = {"x-max-length": 2, "x-overflow": "reject-publish"}
    own, _ = pair.declare("q", arguments)
    assert publish(pair, b"1", b"2", b"3") == [True, True, False]
    assert own.ready_count == 2


def test_credit_is_granted_as_it_is_there(pair: NodePair) -> None:
    own, remote = pair.declare()
    publish(pair, *[b"m"] * 20)
    slow, quick = SimulatedConsumer(remote, credit=1), SimulatedConsumer(remote, credit=3)
    remote.add_consumer(slow)
    remote.add_consumer(quick)
    pair.settle()
    assert (len(slow.taken), len(quick.taken), own.unacked_count) == (1, 3, 4)
    quick.acknowledge(3)
    quick.give(3)
    pair.settle()
    assert (len(slow.taken), len(quick.taken), own.unacked_count) == (1, 3, 4)


def test_a_consumer_leaves_what_it_did_not_take(pair: NodePair) -> None:
    own, remote = pair.declare()
    publish(pair, b"1", b"2", b"3")
    consumer = SimulatedConsumer(remote, credit=2)
    remote.add_consumer(consumer)
    pair.settle()
    end_consumer(consumer)
    pair.settle()
    assert (own.ready_count, own.unacked_count, len(own.consumers)) == (1, 2, 0)
    consumer.acknowledge(1)
    consumer.requeue()
    pair.settle()
    assert [each.body for each in own.browse(0, 9)] == [b"2", b"3"]


def test_priorities_count_over_nodes(pair: NodePair) -> None:
    own, remote = pair.declare()
    here = SimulatedConsumer(own, credit=2)
    own.add_consumer(here)
    there = SimulatedConsumer(remote, credit=2, arguments={"x-priority": 5})
    remote.add_consumer(there)
    pair.settle()
    publish(pair, b"1", b"2", b"3")
    assert (there.bodies, here.bodies) == ([b"1", b"2"], [b"3"])


def test_an_exclusive_consumer_keeps_those_of_other_nodes_out(pair: NodePair) -> None:
    own, remote = pair.declare()
    own.add_consumer(SimulatedConsumer(own, exclusive=True))
    refused = SimulatedConsumer(remote)
    remote.add_consumer(refused)
    pair.settle()
    assert refused.told
    assert not remote.consumers
    assert len(own.consumers) == 1


def test_a_queue_that_goes_ends_its_consumers(pair: NodePair) -> None:
    _, remote = pair.declare()
    consumer = SimulatedConsumer(remote)
    remote.add_consumer(consumer)
    pair.settle()
    delete_queue(core_clients.guest(pair.far), "q")
    pair.settle()
    assert consumer.told
    assert publish(pair, b"1") == [False]
    waiting = publish(pair, b"1")
    assert waiting == [None]
    pair.advance(HELD_MS)
    assert waiting == [False]
    assert remote.state == "down"
    with pytest.raises(NotFound, match="home node 'far' of queue 'q'"):
        remote.check_usable()
    assert publish(pair, b"2") == [False]


@pytest.mark.parametrize("said_by", ["argument", "policy", "both"])
def test_who_keeps_a_message_for_too_long_is_found_by_the_node_that_the_client_is_on(
    pair: NodePair, said_by: str
) -> None:
    arguments: dict[str, dict[str, Encodable]] = {
        "argument": {"x-consumer-timeout": 1000},
        "policy": {},
        "both": {"x-consumer-timeout": 3_600_000},
    }
    own, _ = pair.declare("q", arguments[said_by])
    client = pair.near.connect()
    client.send(1, methods.BasicConsume(queue="q", consumer_tag="t"))
    client.expect(methods.BasicConsumeOk)
    pair.settle()
    publish(pair, b"held")
    assert client.take_bodies() == [b"held"]
    if said_by != "argument":
        for node in (pair.near, pair.far):
            node.broker.policies.set(node.vhost, make_policy(POLICY, "p", "q", {"consumer-timeout": 1000}))
    for _ in range(20):
        pair.advance(100)
    (cancel,) = client.take_methods()
    assert isinstance(cancel, methods.BasicCancel)
    assert (own.ready_count, own.unacked_count, own.consumers) == (1, 0, [])


def test_declaring_it_again_puts_off_its_expiry_where_it_is(pair: NodePair) -> None:
    arguments: dict[str, Encodable] = {"x-expires": 1000}
    pair.declare("q", arguments)
    decoded, raw = core_clients.table(arguments)
    client = core_clients.guest(pair.near)
    for _ in range(4):
        declare_queue(client, "q", durable=True, arguments=decoded, arguments_raw=raw).when_ready(ignore)
        pair.settle()
        pair.advance(600)
    assert "q" in pair.far.vhost.queues
    pair.advance(1000)
    assert "q" not in pair.far.vhost.queues


def test_a_poll_says_how_many_are_left(pair: NodePair) -> None:
    _, remote = pair.declare()
    publish(pair, b"1", b"2", b"3")
    polled: list[object] = []
    remote.get(polled.append, no_ack=True)
    pair.settle()
    assert len(polled) == 1
    assert remote.ready_count == 2


def test_a_poll_that_is_refused_disturbs_no_consumer(pair: NodePair) -> None:
    own, remote = pair.declare("q", {"x-single-active-consumer": True})
    consumer = SimulatedConsumer(remote, credit=1)
    remote.add_consumer(consumer)
    publish(pair, b"1", b"2")
    with pytest.raises(ResourceLocked, match="single active consumer"):
        remote.get(ignore, no_ack=True)
    with pytest.raises(AccessRefused, match="in exclusive use"):
        remote.add_consumer(SimulatedConsumer(remote, exclusive=True))
    pair.settle()
    assert consumer.bodies == [b"1"]
    assert own.unacked_count == 1
    assert not consumer.told


def test_a_quorum_queue_stays_one_here(pair: NodePair) -> None:
    """Consumers aren't exclusive, and it isn't deleted on conditions."""
    _, remote = pair.declare("q", {"x-queue-type": "quorum"})
    consumers = [SimulatedConsumer(remote, credit=1, exclusive=True) for _ in range(2)]
    for consumer in consumers:
        remote.add_consumer(consumer)
    publish(pair, b"1", b"2")
    assert [consumer.bodies for consumer in consumers] == [[b"1"], [b"2"]]
    for if_unused in (True, False):
        with pytest.raises(NotImplementedByBroker, match="not supported by quorum queues"):
            delete_queue(core_clients.guest(pair.near), "q", if_unused=if_unused, if_empty=not if_unused)
