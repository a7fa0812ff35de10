"""What nodes ask each other for people who look: without NATS, by a clock that jumps."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest
import trio
from trio.testing import MockClock

from tests.support.amqp_pair import Pair, opened
from tests.support.asked_nodes import AskedNode, Bus, asking_nodes, no_hub
from tests.support.node_pair import NodePair, publish_near
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp091.codec import methods
from warren.adapters.peers.errors import PeerError
from warren.core.administration.listing.selecting import Query, equals, select
from warren.core.broker import Broker
from warren.core.errors import NotFound
from warren.gateway.cluster.answering import LIMIT, PART_BYTES, ROWS_MAX
from warren.gateway.cluster.asking import ANSWER_S, FRESH_S
from warren.gateway.cluster.names import ask_subject

MANY = 400
"""Connections whose rows don't fit into one part."""


@dataclass
class Two:
    """near: the node where somebody looks.  far: the one that is asked."""

    pair: NodePair
    bus: Bus
    near: AskedNode
    far: AskedNode


@asynccontextmanager
async def two(pair: NodePair) -> AsyncIterator[Two]:
    """What the two had before they knew each other stays."""
    bus = Bus()
    near = AskedNode("near", pair.near.broker, no_hub(), bus)
    far = AskedNode("far", pair.far.broker, no_hub(), bus)
    async with asking_nodes(bus, near, far):
        yield Two(pair, bus, near, far)


def queues(broker: Broker) -> dict[str, tuple[object, ...]]:
    """What a listing says of each: messages, of these the ready ones, its state and its node."""
    columns = ("name", "messages", "messages_ready", "state", "node")
    rows = select(broker, Query("queues", None, columns)).finish().rows
    return {str(row["name"]): tuple(row[column] for column in columns[1:]) for row in rows}


def pair_with_queues() -> NodePair:
    pair = NodePair(SimulatedBroker(), SimulatedBroker())
    for name in ("q", "r"):
        pair.declare(name)
    assert publish_near(pair, b"1", b"2", b"3") == [True] * 3
    return pair


async def test_a_node_is_asked_once_for_all_its_queues(autojump_clock: MockClock) -> None:
    async with two(pair_with_queues()) as nodes:
        assert queues(nodes.near.broker)["r"] == (None, None, "running", "far")
        nodes.bus.asked.clear()
        await trio.sleep(2 * FRESH_S)
        nodes.bus.asked.clear()
        await nodes.near.asking.count()
        assert queues(nodes.near.broker) == {"q": (3, 3, "running", "far"), "r": (0, 0, "running", "far")}
        # What was said a moment ago serves whoever comes next.
        await nodes.near.asking.count()
        assert nodes.bus.asked == [(ask_subject("far"), "queues")]
        publish_near(nodes.pair, b"4")
        await trio.sleep(2 * FRESH_S)
        await nodes.near.asking.count()
        assert queues(nodes.near.broker)["q"] == (4, 4, "running", "far")
        # A node that has none of others' asks nobody.
        nodes.bus.asked.clear()
        await nodes.far.asking.count()
        assert nodes.bus.asked == []


async def test_one_queue_is_asked_for_by_its_name(autojump_clock: MockClock) -> None:
    async with two(pair_with_queues()) as nodes:
        near = nodes.pair.near.vhost
        await nodes.near.asking.count(near.queues["q"])
        assert near.queues["q"].kept_count == 3
        publish_near(nodes.pair, b"4")
        await nodes.near.asking.count(near.queues["q"])
        assert near.queues["q"].kept_count == 4
        # Of a queue that is here there is nothing to ask.
        nodes.bus.asked.clear()
        await nodes.far.asking.count(nodes.pair.far.vhost.queues["q"])
        assert nodes.bus.asked == []


async def test_who_cannot_wait_sees_it_a_moment_later(autojump_clock: MockClock) -> None:
    async with two(pair_with_queues()) as nodes:
        queue = nodes.pair.near.vhost.queues["q"]
        assert queue.ready_count == 0
        await trio.sleep(0.1)
        assert queue.ready_count == 3
        assert nodes.bus.asked == [(ask_subject("far"), "queues")]


async def test_of_a_node_that_does_not_answer_nothing_is_made_up(
    autojump_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with two(pair_with_queues()) as nodes:
        await nodes.near.asking.count()
        nodes.bus.silent.add("far")
        await trio.sleep(2 * FRESH_S)
        began_s = trio.current_time()
        await nodes.near.asking.count()
        assert trio.current_time() - began_s == pytest.approx(ANSWER_S)
        assert queues(nodes.near.broker)["q"] == (None, None, "no answer", "far")
        assert await nodes.near.asking.rows("connections") == []
        # It is said once, and again once it has answered meanwhile.
        assert caplog.text.count("node 'far' doesn't say what it has of") == 1
        nodes.bus.silent.clear()
        await trio.sleep(2 * FRESH_S)
        await nodes.near.asking.count()
        assert queues(nodes.near.broker)["q"] == (3, 3, "running", "far")


async def test_a_node_that_cannot_be_asked_is_not_waited_for(autojump_clock: MockClock) -> None:
    pair = pair_with_queues()
    bus = Bus()
    near = AskedNode("near", pair.near.broker, no_hub(), bus)
    async with asking_nodes(bus, near):
        near.nodes["far"] = near.nodes["near"]
        began_s = trio.current_time()
        await near.asking.count()
        assert await near.asking.rows("channels") == []
        assert await near.asking.counts() == {"connections": 0, "channels": 0}
        assert trio.current_time() == began_s
        assert queues(pair.near.broker)["q"] == (None, None, "no answer", "far")


async def test_queues_that_other_nodes_do_not_know_are_not_told_of(autojump_clock: MockClock) -> None:
    async with two(pair_with_queues()) as nodes:
        client = opened(nodes.pair.far)
        channel = client.channel()
        client.ask(channel, methods.QueueDeclare(queue="own", exclusive=True), methods.QueueDeclareOk)
        answer = await nodes.bus.ask("far", b'["queues", null]')
        assert b'"own"' not in answer
        assert answer.count(b'"messages_ready"') == 2
        assert b"[]" in await nodes.bus.ask("far", b'["queues", [["/", "own"], ["/", "none"], ["none", "q"]]]')


# Connections


async def test_connections_and_channels_of_all_nodes_are_one_listing(autojump_clock: MockClock) -> None:
    async with two(NodePair(SimulatedBroker(), SimulatedBroker())) as nodes:
        here, there = opened(nodes.pair.near), opened(nodes.pair.far)
        there.channel()
        for what, column in (("connections", "name"), ("channels", "connection")):
            also = await nodes.near.asking.rows(what)
            columns = (column, "user", "vhost", "node")
            found = select(nodes.near.broker, Query(what, None, columns, sort="node", also=also)).finish()
            rows = [tuple(row.values()) for row in found.rows]
            # The one here has no channel open.
            own = [(name_of(here), "guest", "/", "near")] if what == "connections" else []
            assert rows == [(name_of(there), "guest", "/", "far"), *own]
            assert found.total_count == len(rows)
            of_none = Query(what, ("other",), columns, also=also)
            assert select(nodes.near.broker, of_none).finish().rows == []
            named = Query(what, None, None, [equals("user", "guest"), equals("node", "far")], also=also)
            (row,) = select(nodes.near.broker, named).finish().rows
            assert row[column] == name_of(there)
        assert await nodes.near.asking.counts() == {"connections": 1, "channels": 1}


async def test_a_column_that_a_plugin_has_added_is_not_known_of_other_nodes(autojump_clock: MockClock) -> None:
    async with two(NodePair(SimulatedBroker(), SimulatedBroker())) as nodes:
        opened(nodes.pair.far)
        broker = nodes.near.broker
        broker.listings.add_column("connections", "doubled", lambda row: 2 * row.session.number)
        also = await nodes.near.asking.rows("connections")
        (named,) = select(broker, Query("connections", None, ("name", "doubled"), also=also)).finish().rows
        assert named["doubled"] is None
        (whole,) = select(broker, Query("connections", also=also)).finish().rows
        assert "doubled" not in whole


async def test_many_rows_come_in_parts_and_in_turns(autojump_clock: MockClock) -> None:
    async with two(NodePair(SimulatedBroker(), SimulatedBroker())) as nodes:
        names = {name_of(opened(nodes.pair.far)) for _ in range(MANY)}
        rows = await nodes.near.asking.rows("connections")
        assert {row.value("name") for row in rows} == names
        assert len(rows) == MANY
        assert nodes.bus.parts > 1
        assert LIMIT not in nodes.far.broker.limit_hits.by_limit
    assert ROWS_MAX > MANY
    assert PART_BYTES < 1024 * 1024, "NATS takes a megabyte"


async def test_one_row_is_asked_for_by_what_a_column_holds(autojump_clock: MockClock) -> None:
    async with two(NodePair(SimulatedBroker(), SimulatedBroker())) as nodes:
        first, second = opened(nodes.pair.far), opened(nodes.pair.far)
        for wanted in (first, second):
            (row,) = await nodes.near.asking.rows("connections", ("name", name_of(wanted)))
            assert row.value("name") == name_of(wanted)
        assert await nodes.near.asking.rows("connections", ("user", "nobody")) == []
        assert len(await nodes.near.asking.rows("connections", ("user", "guest"))) == 2


async def test_a_connection_is_closed_on_its_node(autojump_clock: MockClock) -> None:
    async with two(NodePair(SimulatedBroker(), SimulatedBroker())) as nodes:
        first, second = opened(nodes.pair.far), opened(nodes.pair.far)
        close = nodes.near.asking.close
        assert await close("enough", name=name_of(first), vhost="", user="", node="far") == 1
        assert "enough" in why_closed(first)
        first.exchange()
        assert await close("enough", name=name_of(first), vhost="", user="", node="far") == 0
        assert await close("no more", name="", vhost="", user="nobody", node="") == 0
        assert await close("no more", name="", vhost="/", user="guest", node="") == 1
        assert "no more" in why_closed(second)
        nodes.bus.silent.add("far")
        with pytest.raises(NotFound, match="node 'far' doesn't answer; close the connection there"):
            await close("enough", name="any", vhost="", user="", node="far")
        assert await close("enough", name="any", vhost="", user="", node="") == 0


async def test_what_is_no_question_is_refused_in_words(autojump_clock: MockClock) -> None:
    async with two(NodePair(SimulatedBroker(), SimulatedBroker())) as nodes:
        for question, words in (
            (b"none", "it isn't understood"),
            (b'["unheard of", null]', "there is no question 'unheard of'"),
            (b'["close", {}]', "it isn't understood"),
            (b'["queues", [7]]', "it isn't understood"),
        ):
            answer = await nodes.bus.ask("far", question)
            assert answer.startswith(b"!")
            assert words in answer.decode()
        # Nobody hears what comes of a question that says nothing of an answer.
        await nodes.bus.publish(ask_subject("far"), b'["connections", null]')
        assert await nodes.near.asking.rows("connections") == []


def name_of(pair: Pair) -> str:
    return pair.peer.connection.connection_row().name


def why_closed(pair: Pair) -> str:
    pair.exchange()
    closed = pair.client.closed
    assert isinstance(closed, PeerError)
    return closed.text
