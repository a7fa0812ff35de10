"""Warren's federated queues with a real RabbitMQ as the upstream, and both at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count

import pytest
import trio

from tests.interop.clients import need
from tests.interop.test_shovel_rabbitmq import RICH
from tests.plugins.federation.amqp_client import AmqpClient, amqp_client
from tests.plugins.federation.brokers import federated, links, set_policy, set_upstream, until_link
from tests.plugins.shovel.brokers import PERSISTENT, until
from tests.support.rabbitmq import RabbitMQ, rabbitmq, rabbitmq_available
from warren.adapters.amqp091.codec import methods
from warren.core.messages.field_table import encode_table
from warren.gateway.plugin import BrokerClient

BODIES = [b"%d" % number for number in range(500)]

_names = (f"fed-{number}" for number in count())


@pytest.fixture(scope="module")
def node() -> Iterator[RabbitMQ]:
    need(rabbitmq_available(), "RabbitMQ")
    with rabbitmq(plugins=("rabbitmq_federation",)) as running:
        yield running


@pytest.fixture
def url(node: RabbitMQ) -> str:
    return f"amqp://guest:guest@127.0.0.1:{node.amqp_port}"


async def fill(there: AmqpClient, queue: str, bodies: list[bytes]) -> None:
    await there.declare_queue(queue)
    for body in bodies:
        await there.publish("", queue, body, PERSISTENT)


async def test_messages_come_from_its_queue(url: str) -> None:
    name = next(_names)
    async with federated() as down, down.connect() as here, amqp_client(url) as there:
        await fill(there, name, BODIES)
        await there.publish("", name, b"rich", RICH)
        await here.declare_queue(name, durable=True)
        await set_upstream(down, "u", url)
        await set_policy(down, "^fed-", apply_to="queues")
        link = await until_link(down)
        assert link["uri"] == url.replace("guest:guest@", "")
        assert await there.declare_queue(name) == len(BODIES) + 1, "nobody waits here"
        async with here.consume(name, prefetch=20) as deliveries:
            for body in BODIES:
                delivery = await anext(deliveries)
                assert delivery.body == body
                delivery.ack()
            rich = await anext(deliveries)
        headers = dict(rich.properties.headers or {})
        assert headers.pop("x-received-from") == [
            {"uri": link["uri"], "queue": name, "redelivered": False, "visit-count": 1}
        ]
        assert (headers.pop("x-original-exchange"), headers.pop("x-original-routing-key")) == ("", name)
        assert headers == RICH.headers
        assert {**rich.properties.fields(), "headers": headers} == RICH.fields()
        assert await there.declare_queue(name) == 0


async def test_its_own_consumers_come_first(url: str) -> None:
    name = next(_names)
    async with federated() as down, down.connect() as here, amqp_client(url) as there:
        await there.declare_queue(name)
        await here.declare_queue(name, durable=True)
        await set_upstream(down, "u", url)
        await set_policy(down, "^fed-", apply_to="queues")
        await until_link(down)
        own = await there.consume(name, prefetch=2)
        async with here.consume(name) as deliveries:
            # Once the first of these is here, the link consumes there.
            await there.publish("", name, b"0", PERSISTENT)
            await there.publish("", name, b"1", PERSISTENT)
            for body in (b"2", b"3"):
                await there.publish("", name, body, PERSISTENT)
            assert [(await own.next(ack=False)).body for _ in range(2)] == [b"0", b"1"]
            assert [(await anext(deliveries)).body for _ in range(2)] == [b"2", b"3"]


async def test_both_take_from_each_other(node: RabbitMQ, url: str) -> None:
    name = next(_names)
    async with federated() as down, down.connect() as here, amqp_client(url) as there:
        await here.declare_queue(name, durable=True)
        await fill(there, name, BODIES)
        await set_upstream(down, "u", url)
        await set_policy(down, "^fed-", apply_to="queues")
        await until_link(down)
        upstream = json.dumps({"uri": down.url(), "prefetch-count": 10})
        policy = json.dumps({"federation-upstream": "warren"})
        await trio.to_thread.run_sync(node.ctl, "set_parameter", "federation-upstream", "warren", upstream)
        await trio.to_thread.run_sync(node.ctl, "set_policy", "--apply-to", "queues", "fed", f"^{name}$", policy)
        try:
            done: list[bytes] = []
            async with trio.open_nursery() as nursery:
                nursery.start_soon(work_here, here, name, done)
                nursery.start_soon(work_there, there, name, done)
                await until(lambda: len(done) >= len(BODIES))
                nursery.cancel_scope.cancel()
            assert sorted(map(int, done)) == list(range(len(BODIES))), "each once"
            assert sum(link["forwarded"] for link in await links(down)) > 0
        finally:
            await trio.to_thread.run_sync(node.ctl, "clear_policy", "fed")
            await trio.to_thread.run_sync(node.ctl, "clear_parameter", "federation-upstream", "warren")


async def work_here(client: BrokerClient, queue: str, done: list[bytes]) -> None:
    async with client.consume(queue, prefetch=5) as deliveries:
        async for delivery in deliveries:
            done.append(delivery.body)
            delivery.ack()


async def work_there(client: AmqpClient, queue: str, done: list[bytes]) -> None:
    reader = await client.consume(queue, prefetch=5)
    while True:
        done.append((await reader.next()).body)


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("arguments", [{}, {"x-max-length": 3}])
async def test_its_queue_that_would_go_with_the_links_consumer_is_refused(
    url: str, durable: bool, arguments: dict[str, int]
) -> None:
    name = next(_names)
    async with federated() as down, down.connect() as here, amqp_client(url) as there:
        declare = methods.QueueDeclare(
            queue=name, durable=durable, auto_delete=True, arguments_raw=encode_table(arguments)
        )
        await there.ask(declare, methods.QueueDeclareOk)
        await there.publish("", name, b"kept", PERSISTENT)
        await here.declare_queue(name, durable=True)
        await set_upstream(down, "u", url)
        await set_policy(down, "^fed-", apply_to="queues")
        await until_link(down, "error", f"the queue '{name}' at the upstream is auto-delete")
        passive = methods.QueueDeclare(queue=name, passive=True)
        assert (await there.ask(passive, methods.QueueDeclareOk)).message_count == 1
        await there.delete_queue(name)
