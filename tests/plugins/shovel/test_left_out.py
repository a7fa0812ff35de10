"""What isn't moved: messages that the filter leaves out, and those that the destination refuses too often."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from tests.plugins.shovel.brokers import ask, edge, set_shovel, take, until, until_gone, until_state
from tests.plugins.shovel.publishers import OverAmqp, edge_with_queue, over_amqp
from warren.core.messages.properties import encode_properties
from warren.gateway import open_broker
from warren.gateway.embedding import EmbeddedBroker
from warren.gateway.plugin import BrokerClient

DEAD = {"x-dead-letter-exchange": "", "x-dead-letter-routing-key": "dead"}


async def fill_by_site(client: BrokerClient, sites: list[int], queue: str = "out") -> None:
    for number, site in enumerate(sites):
        await client.publish("", queue, b"%d" % number, encode_properties(delivery_mode=2, headers={"site": site}))


async def row(broker: EmbeddedBroker) -> dict[str, Any]:
    columns = ("forwarded", "left_out", "dead_lettered", "pending", "remaining")
    rows = (await ask(broker, "shovel_status", *columns))["rows"]
    assert isinstance(rows, list)
    return dict(rows[0])


async def until_row(broker: EmbeddedBroker, **wanted: int) -> None:
    while not wanted.items() <= (await row(broker)).items():
        await trio.sleep(0.005)


def source_of(kind: str, broker: EmbeddedBroker) -> dict[str, Any]:
    """The queue `out` of a broker, over its socket or STOMP."""
    if kind == "stomp":
        address = "{}:{}".format(*broker.address("stomp"))
        return {"src_protocol": "stomp", "src_uri": f"stomp://{address}", "src_destination": "/amq/queue/out"}
    return {"src_uri": broker.url(), "src_queue": "out", "src_predeclared": True}


@pytest.mark.parametrize("kind", ["local", "amqp", "stomp"])
@pytest.mark.parametrize("mode", ["on-confirm", "on-publish"])
@pytest.mark.parametrize("otherwise", ["drop", "dead-letter"])
async def test_what_the_filter_leaves_out(kind: str, mode: str, otherwise: str) -> None:
    listen = ("amqp=127.0.0.1:0", "stomp=127.0.0.1:0")
    async with (
        open_broker(listen=listen) as far,
        far.connect() as there,
        edge() as broker,
        broker.connect() as here,
    ):
        origin, client = (broker, here) if kind == "local" else (far, there)
        await client.declare_queue("dead", durable=True)
        await client.declare_queue("out", durable=True, arguments=DEAD)
        await fill_by_site(client, [1, 2, 2, 1, 1, 2])
        source = {"src_uri": "amqp://", "src_queue": "out", "src_predeclared": True}
        await set_shovel(
            broker,
            **(source if kind == "local" else source_of(kind, far)),
            dest_uri="amqp://",
            dest_queue="in",
            src_filter={"headers": {"site": 2}},
            filter_else=otherwise,
            ack_mode=mode,
        )
        await until_state(broker, "running")
        assert await take(here, "in", 3) == [b"1", b"2", b"5"]
        await until_row(broker, forwarded=3, left_out=3, pending=0)
        if otherwise == "dead-letter":
            assert await take(client, "dead", 3) == [b"0", b"3", b"4"]
        await until(lambda: _messages(origin, "out") == 0)
        assert _messages(origin, "dead") == 0
        # And it goes on.
        await fill_by_site(client, [1, 2])
        assert await take(here, "in", 1) == [b"1"]
        await until_row(broker, forwarded=4, left_out=4)


def _messages(broker: EmbeddedBroker, name: str) -> int:
    found = next((row for row in broker.inspect("queues") if row["name"] == name), {"messages": 0})["messages"]
    assert isinstance(found, int)
    return found


async def test_what_is_left_out_counts_for_the_end() -> None:
    async with edge() as broker, broker.connect() as here:
        await here.declare_queue("in", durable=True)
        await here.declare_queue("out", durable=True)
        await fill_by_site(here, [1, 2, 1, 2, 1])
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            src_delete_after="queue-length",
            src_filter={"headers": {"site": 2}},
            dest_uri="amqp://",
            dest_queue="in",
        )
        await until_gone(broker)
        assert await take(here, "in", 2) == [b"1", b"3"]
        assert _messages(broker, "out") == 0


@pytest.mark.parametrize(("otherwise", "told"), [("drop", "taken"), ("dead-letter", "refused")])
async def test_whoever_waits_for_the_destination_is_told_of_what_is_left_out(otherwise: str, told: str) -> None:
    """Dropping it is what was wanted of it; a dead letter is somewhere else than was wanted."""
    async with edge_with_queue() as (broker, _), over_amqp(broker) as publisher:
        assert isinstance(publisher, OverAmqp)
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_uri="amqp://",
            dest_queue="in",
            src_filter={"routing-key": "nothing"},
            filter_else=otherwise,
            confirm_upstream=True,
        )
        await until_state(broker, "running")
        publisher.publish(b"1")
        await until(lambda: publisher.told == [told])


@pytest.mark.parametrize("far", [False, True])
async def test_what_is_refused_too_often_is_dead_lettered_and_the_rest_arrives(far: bool) -> None:
    """No queue takes one of the messages, whatever is tried."""
    async with edge() as broker, broker.connect() as here:
        await here.declare_queue("dead", durable=True)
        await here.declare_queue("out", durable=True, arguments=DEAD)
        await here.declare_queue("in", durable=True)
        await here.bind_queue("out", "amq.fanout")
        await here.bind_queue("in", "amq.direct", "known")
        for body, key in ((b"0", "known"), (b"1", "unknown"), (b"2", "known")):
            await here.publish("amq.fanout", key, body, encode_properties(delivery_mode=2))
        await set_shovel(
            broker,
            src_uri=broker.url() if far else "amqp://",
            src_queue="out",
            src_predeclared=True,
            dest_uri="amqp://",
            dest_exchange="amq.direct",
            dead_letter_after=2,
        )
        await until_state(broker, "blocked", "routing key 'unknown'")
        assert await take(here, "dead", 1) == [b"1"]
        await until_state(broker, "running")
        assert sorted(await take(here, "in", 2)) == [b"0", b"2"]
        await until_row(broker, forwarded=2, dead_lettered=1, pending=0)
        await here.publish("amq.fanout", "known", b"3", encode_properties(delivery_mode=2))
        assert await take(here, "in", 1) == [b"3"]
        await until(lambda: _messages(broker, "out") == 0)
