"""Two Warrens and a real RabbitMQ that federate an exchange in a ring: every message is everywhere, once."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import trio

from tests.interop.clients import need
from tests.interop.test_federation_rabbitmq_downstream import ctl
from tests.plugins.federation.amqp_client import AmqpClient, amqp_client
from tests.plugins.federation.brokers import federated, set_policy, set_upstream, until_link
from tests.support.rabbitmq import RabbitMQ, rabbitmq, rabbitmq_available
from warren.core.messages.properties import encode_properties
from warren.gateway.embedding import EmbeddedBroker

PERSISTENT = encode_properties(delivery_mode=2)
MESSAGES = 20


@pytest.fixture(scope="module")
def node() -> Iterator[RabbitMQ]:
    need(rabbitmq_available(), "RabbitMQ")
    with rabbitmq(plugins=("rabbitmq_federation",)) as running:
        yield running


async def take_part(client: AmqpClient) -> None:
    """The client's broker has the exchange, and a queue that gets all of it."""
    await client.declare_exchange("fed.ring", "fanout")
    await client.declare_queue("ring")
    await client.bind("ring", "fed.ring", "")


def links_queues(broker: EmbeddedBroker) -> list[str]:
    return [str(row["destination_name"]) for row in broker.inspect("bindings") if row["source_name"] == "fed.ring"]


@asynccontextmanager
async def ring(node: RabbitMQ, max_hops: int) -> AsyncIterator[list[AmqpClient]]:
    """one <- RabbitMQ <- two <- one: each takes from the one before it."""
    url = f"amqp://guest:guest@127.0.0.1:{node.amqp_port}"
    async with (
        federated("one") as one,
        federated("two") as two,
        amqp_client(one.url()) as at_one,
        amqp_client(two.url()) as at_two,
        amqp_client(url) as at_node,
    ):
        for client in (at_one, at_two, at_node):
            await take_part(client)
        await set_upstream(two, "before", one.url(), max_hops=max_hops)
        await set_upstream(one, "before", url, max_hops=max_hops)
        for warren in (one, two):
            await set_policy(warren)
        upstream = {"uri": two.url(), "reconnect-delay": 1, "max-hops": max_hops}
        await ctl(node, "set_parameter", "federation-upstream", "before", json.dumps(upstream))
        await ctl(node, "set_policy", "--apply-to", "exchanges", "ring", "^fed", '{"federation-upstream": "before"}')
        try:
            for warren in (one, two):
                await until_link(warren)
            while not any(name.startswith("federation: fed.ring -> ") for name in links_queues(two)):
                await trio.sleep(0.02)
            yield [at_one, at_two, at_node]
        finally:
            await ctl(node, "clear_policy", "ring")
            await ctl(node, "clear_parameter", "federation-upstream", "before")
            await at_node.delete_queue("ring")


@pytest.mark.parametrize(("max_hops", "brokers_reached"), [(1, 2), (2, 3), (9, 3)])
async def test_each_message_is_everywhere_it_may_come_once(node: RabbitMQ, max_hops: int, brokers_reached: int) -> None:
    async with ring(node, max_hops) as clients:
        readers = [await client.consume("ring") for client in clients]
        for number in range(MESSAGES):
            for place, client in enumerate(clients):
                await client.publish("fed.ring", "", b"%d at %d" % (number, place), PERSISTENT)
        for place, reader in enumerate(readers):
            wanted = sorted(
                b"%d at %d" % (number, (place - back) % 3)
                for number in range(MESSAGES)
                for back in range(brokers_reached)
            )
            assert sorted([(await reader.next()).body for _ in wanted]) == wanted
        # What goes on around the ring would be in front of these.
        for place, client in enumerate(clients):
            await client.publish("fed.ring", "", b"last at %d" % place, PERSISTENT)
        for place, reader in enumerate(readers):
            wanted = sorted(b"last at %d" % ((place - back) % 3) for back in range(brokers_reached))
            assert sorted([(await reader.next()).body for _ in wanted]) == wanted
            assert not reader.arrived
