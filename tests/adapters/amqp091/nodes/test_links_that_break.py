"""Queues of another node while links are made, break, and are made anew; and who is let in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.support import core_clients
from tests.support.amqp_pair import LOGIN, opened
from tests.support.node_pair import PERSISTENT, SECRET, NodePair
from tests.support.node_pair import publish_near as publish
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.methods_between_nodes import NodeLook
from warren.adapters.amqp091.nodes.link import DIAL_MOST_MS, HEARTBEAT_S, IDLE_MS
from warren.adapters.amqp091.nodes.owning_end import NodeAccess
from warren.adapters.peers.node_proof import MECHANISM, AskingNode
from warren.core.cluster.remote_queue import HELD_BYTES_MAX, HELD_MS
from warren.core.cluster.replacing import replace as replace_queue
from warren.core.declaring.queues import delete_queue
from warren.core.errors import NotFound
from warren.core.messages.message import Message
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.routing.receipt import Receipt


@pytest.fixture
def pair() -> Iterator[NodePair]:
    pair = NodePair(SimulatedBroker(), SimulatedBroker())
    yield pair
    pair.settle()


def test_what_is_published_before_there_is_a_link_waits_for_it(pair: NodePair) -> None:
    own, remote = pair.declare()
    pair.cut = True
    waiting = publish(pair, b"1", b"2")
    assert waiting == [None, None]
    pair.cut = False
    pair.advance(1000)
    assert waiting == [True, True]
    assert [each.body for each in own.browse(0, 9)] == [b"1", b"2"]
    assert remote.state == "running"


def test_what_waits_too_long_is_refused_and_what_is_too_much(pair: NodePair) -> None:
    own, remote = pair.declare()
    pair.cut = True
    waiting = publish(pair, b"1")
    large = bytes(HELD_BYTES_MAX)
    assert publish(pair, large) == [False]
    given: list[object] = []
    remote.get(given.append, no_ack=True)
    remote.purge(given.append)
    pair.advance(HELD_MS)
    assert waiting == [False]
    assert [type(each) for each in given] == [NotFound, NotFound]
    pair.cut = False
    pair.advance(5000)
    assert remote.state == "running"
    assert publish(pair, b"2") == [True]
    assert [each.body for each in own.browse(0, 9)] == [b"2"]


def test_a_publish_that_is_on_its_way_when_the_link_breaks_is_refused(pair: NodePair) -> None:
    own, _ = pair.declare()
    assert publish(pair, b"1") == [True]
    vhost = pair.near.vhost
    route = vhost.route("", "q")
    told: list[bool] = []
    for body in (b"2", b"3"):
        receipt = Receipt()
        message = Message(vhost.broker.next_sequence(), route.address, PERSISTENT, body, 0, 1, 0, 0)
        vhost.publish(route, message, None, 0, receipt)
        receipt.then(told.append)
    pair.near.settle()
    assert not told
    pair.lose_links()
    assert told == [False, False]
    pair.advance(1000)
    assert publish(pair, b"4") == [True]
    assert [each.body for each in own.browse(0, 9)] in ([b"1", b"4"], [b"1", b"2", b"3", b"4"])


def test_deliveries_go_back_when_the_link_breaks_and_consumers_go_on(pair: NodePair) -> None:
    own, remote = pair.declare()
    publish(pair, b"1", b"2", b"3")
    consumer = SimulatedConsumer(remote, credit=2)
    remote.add_consumer(consumer)
    pair.settle()
    assert consumer.bodies == [b"1", b"2"]
    pair.lose_links()
    assert own.unacked_count == 0
    assert not consumer.told
    # What was delivered by the way that is lost is settled for nothing.
    consumer.acknowledge(2)
    pair.settle()
    assert (own.ready_count, remote.unacked_count) == (3, 0)
    consumer.give(3)
    pair.advance(1000)
    assert consumer.bodies == [b"1", b"2", b"3"]
    assert consumer.redelivered == [True, True, False]
    consumer.acknowledge(3)
    pair.settle()
    assert (own.kept_count, remote.unacked_count) == (0, 0)


def test_who_asks_for_it_is_cancelled_when_the_link_breaks(pair: NodePair) -> None:
    _, remote = pair.declare()
    asks = SimulatedConsumer(remote, arguments={"x-cancel-on-ha-failover": True})
    other = SimulatedConsumer(remote)
    remote.add_consumer(asks)
    remote.add_consumer(other)
    pair.settle()
    pair.lose_links()
    assert (asks.told, other.told) == (True, False)
    assert remote.consumers == [other]


def test_a_link_that_says_nothing_stays_as_long_as_it_is_heard(pair: NodePair) -> None:
    _, remote = pair.declare()
    assert publish(pair, b"1") == [True]
    (socket,) = pair.sockets
    for _ in range(20):
        pair.advance(HEARTBEAT_S * 500)
    assert pair.sockets == [socket]
    socket.silent = True
    for _ in range(5):
        pair.advance(HEARTBEAT_S * 500)
    assert socket not in pair.sockets or socket.asking.closing
    pair.advance(DIAL_MOST_MS)
    assert publish(pair, b"2") == [True]
    assert remote.state == "running"


def test_a_link_that_nobody_wants_ends_after_a_while(pair: NodePair) -> None:
    own, remote = pair.declare()
    publish(pair, b"1")
    remote.close()
    pair.settle()
    assert "q" not in pair.far.vhost.queues
    assert own.ready_count == 0
    assert len(pair.sockets) == 1
    pair.advance(IDLE_MS)
    assert pair.sockets == []
    pair.declare("r")
    assert publish(pair, b"2", key="r") == [True]


def test_looking_into_a_queue_of_another_node(pair: NodePair) -> None:
    _, remote = pair.declare()
    publish(pair, b"1", b"2", b"3")
    found: list[object] = []
    remote.browse_far(1, 5, lambda answer: found.append(answer))
    pair.settle()
    (arrivals,) = found
    assert isinstance(arrivals, list)
    assert [(each.tag, each.message.body, each.redelivered) for each in arrivals] == [
        (1, b"2", False),
        (2, b"3", False),
    ]


def test_a_node_with_another_secret_is_not_let_in(caplog: pytest.LogCaptureFixture) -> None:
    pair = NodePair(SimulatedBroker(), SimulatedBroker(), b"another secret")
    own, _ = pair.declare()
    waiting = publish(pair, b"1")
    pair.advance(HELD_MS)
    assert waiting == [False]
    assert own.ready_count == 0
    assert "the other node doesn't know the secret of this cluster" in caplog.text


def test_clients_cannot_log_in_where_nodes_do(pair: NodePair) -> None:
    pair.far.settings = replace(pair.far.settings, nodes=NodeAccess(SECRET, "far"))
    with pytest.raises(AssertionError, match="by PLAIN, only by WARREN-NODE-SHA-256"):
        opened(pair.far)


def test_nodes_cannot_log_in_where_clients_do(pair: NodePair) -> None:
    login = replace(LOGIN, mechanism=MECHANISM, node=AskingNode(SECRET, "near"))
    with pytest.raises(AssertionError, match=f"by {MECHANISM}, only by PLAIN"):
        opened(pair.far, login)
    client = pair.far.connect()
    client.send(1, NodeLook())
    assert client.expect(methods.ChannelClose).reply_code == 403


def test_a_queue_of_a_third_node_is_not_reached_by_the_second(pair: NodePair) -> None:
    third = NodePair(pair.far, SimulatedBroker())
    third.declare()
    pair.remote()
    waiting = publish(pair, b"1")
    pair.advance(HELD_MS)
    assert waiting == [False]


def test_clients_go_on_when_another_node_has_it(pair: NodePair) -> None:
    """First it is the far node's, then the near one's, then the far one's again."""
    own, remote = pair.declare()
    consumer = SimulatedConsumer(remote, credit=2)
    remote.add_consumer(consumer)
    pair.settle()
    publish(pair, b"1", b"2", b"3")
    assert consumer.bodies == [b"1", b"2"]
    here = ClassicQueue(pair.near.vhost, "q", durable=True)
    replace_queue(pair.near.vhost, remote, here)
    pair.settle()
    assert (own.ready_count, own.unacked_count, len(own.consumers)) == (3, 0, 0)
    for message, _ in consumer.taken:
        remote.acknowledge(message)
    consumer.taken.clear()
    consumer.give(2)
    publish(pair, b"4")
    assert consumer.bodies == [b"4"]
    again = pair.remote_beside()
    replace_queue(pair.near.vhost, here, again)
    pair.settle()
    assert consumer.bodies == [b"4", b"1"]
    assert not consumer.told
    consumer.give(5)
    pair.settle()
    assert consumer.bodies == [b"4", b"1", b"2", b"3"]
    assert publish(pair, b"5") == [True]


def test_a_node_that_has_lost_it_sends_others_away(pair: NodePair) -> None:
    """The other node hasn't heard of it yet; its clients notice nothing."""
    own, remote = pair.declare()
    consumer = SimulatedConsumer(remote)
    remote.add_consumer(consumer)
    pair.settle()
    third = NodePair(pair.far, SimulatedBroker())
    core_clients.queue(third.far, "q", durable=True)
    replace_queue(pair.far.vhost, own, third.remote_beside())
    pair.settle()
    third.settle()
    assert not consumer.told
    assert len(third.far.vhost.queue("q").consumers) == 0
    waiting = publish(pair, b"1")
    replace_queue(pair.far.vhost, pair.far.vhost.queue("q"), own)
    pair.advance(1500)
    assert waiting == [True]
    assert consumer.bodies == [b"1"]


def test_it_is_not_deleted_by_who_knew_the_one_before(pair: NodePair) -> None:
    own, remote = pair.declare()
    publish(pair, b"1")
    delete_queue(core_clients.guest(pair.far), "q")
    core_clients.queue(pair.far, "q", durable=True)
    given: list[object] = []
    remote.close(given.append)
    pair.settle()
    assert pair.far.vhost.queue("q") is not own
    assert len(given) == 1
