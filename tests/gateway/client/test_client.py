"""The in-process client on Trio: what waits, what wakes it, and what cancelling leaves behind."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from warren.adapters.direct.errors import ClientClosed, PublishBlocked, Refused, Unroutable
from warren.core.administration.operations import connections
from warren.core.errors import NotAllowed, NotFound, PreconditionFailed
from warren.core.messages.properties import encode_properties
from warren.core.queues.browse import MessageFilter
from warren.gateway.client.client import BrokerClient
from warren.gateway.configuration.config import Config
from warren.gateway.control.commands import run_command
from warren.gateway.control.target import Control
from warren.gateway.embedding import EmbeddedBroker, open_broker
from warren.gateway.server import Server, open_server

PERSISTENT = encode_properties(delivery_mode=2)


@pytest.fixture
async def broker() -> AsyncIterator[EmbeddedBroker]:
    async with open_broker(listen=()) as opened:
        yield opened


@pytest.fixture
async def client(broker: EmbeddedBroker) -> AsyncIterator[BrokerClient]:
    async with broker.connect(name="test") as connected:
        await connected.declare_queue("q")
        yield connected


async def messages(client: BrokerClient, queue: str = "q") -> int:
    return (await client.check_queue(queue)).messages


# Declaring


async def test_declaring_and_its_opposites(client: BrokerClient) -> None:
    made = await client.declare_queue("orders", durable=True, arguments={"x-max-length": 5})
    assert (made.name, made.messages, made.consumers) == ("orders", 0, 0)
    assert await client.declare_queue("orders", durable=True, arguments={"x-max-length": 5}) == made
    with pytest.raises(PreconditionFailed, match="x-max-length"):
        await client.declare_queue("orders", durable=True, arguments={"x-max-length": 6})
    await client.declare_exchange("in", "fanout")
    await client.declare_exchange("out", "topic", arguments={"alternate-exchange": "in"})
    await client.bind_exchange("out", "in")
    await client.bind_queue("orders", "out", "a.*")
    await client.publish("in", "a.b", b"1", mandatory=True)
    assert await messages(client, "orders") == 1
    await client.unbind_queue("orders", "out", "a.*")
    await client.unbind_exchange("out", "in")
    with pytest.raises(Unroutable):
        await client.publish("in", "a.b", b"2", mandatory=True)
    assert await client.purge_queue("orders") == 1
    await client.publish("", "orders", b"3")
    with pytest.raises(PreconditionFailed, match="not empty"):
        await client.delete_queue("orders", if_empty=True)
    assert await client.delete_queue("orders") == 1
    await client.delete_exchange("out", if_unused=True)
    for check in (client.check_queue("orders"), client.check_exchange("out")):
        with pytest.raises(NotFound):
            await check


async def test_a_name_is_made_up(client: BrokerClient) -> None:
    assert (await client.declare_queue(exclusive=True)).name.startswith("amq.gen-")


async def test_an_emptied_exchange_goes_with_its_last_binding(client: BrokerClient) -> None:
    await client.declare_exchange("brief", "fanout", auto_delete=True)
    await client.bind_queue("q", "brief")
    await client.unbind_queue("q", "brief")
    with pytest.raises(NotFound):
        await client.check_exchange("brief")


async def test_an_error_ends_nothing_but_its_call(client: BrokerClient) -> None:
    async with client.consume("q") as subscription:
        with pytest.raises(NotFound):
            await client.check_queue("nothing")
        with pytest.raises(NotFound):
            await client.publish("nothing", "", b"")
        await client.publish("", "q", b"1")
        assert (await anext(subscription)).body == b"1"


# Publishing


async def test_confirms_are_awaited_while_others_are_under_way(tmp_path: Path) -> None:
    async with open_broker(tmp_path, listen=()) as broker, broker.connect() as client:
        await client.declare_queue("q", durable=True)
        open_confirms = [await client.begin_publish("", "q", b"%d" % number, PERSISTENT) for number in range(50)]
        async with trio.open_nursery() as nursery:
            for confirmation in reversed(open_confirms):
                nursery.start_soon(confirmation.wait)
        assert all(confirmation.done for confirmation in open_confirms)
    async with open_broker(tmp_path, listen=()) as broker, broker.connect() as client:
        assert await messages(client) == 50


async def test_a_confirm_comes_when_the_message_is_on_disk_and_not_before(tmp_path: Path) -> None:
    async with open_broker(tmp_path, listen=()) as broker, broker.connect() as client:
        await client.declare_queue("q", durable=True)
        confirmation = client.publish_nowait("", "q", b"1", PERSISTENT)
        assert not confirmation.done
        (row,) = [row for row in broker.inspect("channels") if row["confirm"]]
        assert row["messages_unconfirmed"] == 1
        await confirmation.wait()
        assert confirmation.done
        await confirmation.wait()


async def test_refused_and_unroutable_raise(client: BrokerClient) -> None:
    await client.declare_queue("full", arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    await client.publish("", "full", b"1")
    with pytest.raises(Refused, match="full"):
        await client.publish("", "full", b"2")
    with pytest.raises(Unroutable):
        await client.publish("", "nowhere", b"3", mandatory=True)
    await client.publish("", "nowhere", b"4")
    await client.send("", "nowhere", b"5")
    await client.send("", "q", b"6")
    assert await messages(client) == 1


async def test_a_blocked_publish_waits_and_says_so(
    broker: EmbeddedBroker, client: BrokerClient, autojump_clock: MockClock
) -> None:
    broker.set_alarm("disk", True)
    with pytest.raises(PublishBlocked, match="low on disk"):
        client.publish_nowait("", "q", b"0")
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client.publish, "", "q", b"1")
        nursery.start_soon(client.send, "", "q", b"2")
        await trio.sleep(3600)
        assert client.blocked == "low on disk"
        (row,) = broker.inspect("connections")
        assert row["state"] == "blocked"
        assert await messages(client) == 0
        broker.set_alarm("disk", False)
    assert await messages(client) == 2
    assert client.blocked is None
    (row,) = broker.inspect("connections")
    assert row["state"] == "running"


async def test_giving_up_on_a_blocked_publish_publishes_nothing(
    broker: EmbeddedBroker, client: BrokerClient, autojump_clock: MockClock
) -> None:
    broker.set_alarm("memory", True)
    with trio.move_on_after(10) as scope:
        await client.publish("", "q", b"1")
    assert scope.cancelled_caught
    broker.set_alarm("memory", False)
    await wait_all_tasks_blocked()
    assert await messages(client) == 0
    (row,) = broker.inspect("connections")
    assert row["state"] == "running"


# Polling and looking


async def test_get(client: BrokerClient) -> None:
    assert await client.get("q") is None
    await client.publish("", "q", b"1")
    delivery = await client.get("q")
    assert delivery is not None
    assert delivery.body == b"1"
    delivery.nack()
    delivery = await client.get("q", no_ack=True)
    assert delivery is not None
    assert delivery.redelivered
    assert await messages(client) == 0


async def test_what_was_polled_goes_back_with_the_client(broker: EmbeddedBroker, client: BrokerClient) -> None:
    await client.publish("", "q", b"1")
    async with broker.connect() as other:
        delivery = await other.get("q")
    assert delivery is not None
    assert await messages(client) == 1
    with pytest.raises(ClientClosed):
        delivery.ack()


async def test_browsing_takes_nothing(client: BrokerClient) -> None:
    for number in range(5):
        await client.publish("", "q", b"%d" % number, encode_properties(type="odd" if number % 2 else "even"))
    found, position = await client.browse("q", 0, 2, MessageFilter(properties={"type": "odd"}))
    assert [each.message.body for each in found] == [b"1", b"3"]
    found, position = await client.browse("q", position, 2)
    assert ([each.message.body for each in found], position) == ([b"4"], 5)
    assert await messages(client) == 5


# Users, ends


async def test_as_a_user(broker: EmbeddedBroker, client: BrokerClient) -> None:
    async with broker.connect("guest") as guest:
        assert (guest.user, guest.vhost, client.user) == ("guest", "/", "(broker)")
        await guest.publish("", "q", b"1")
        assert [row["user"] for row in broker.inspect("connections")] == ["(broker)", "guest"]
        assert guest.name != client.name
    with pytest.raises(NotFound, match="nobody"):
        async with broker.connect("nobody"):
            pytest.fail("it is connected")
    with pytest.raises(NotAllowed):
        async with broker.connect(vhost="nowhere"):
            pytest.fail("it is connected")
    assert [row["user_provided_name"] for row in broker.inspect("connections")] == ["test"]


async def test_an_exclusive_queue_is_its_clients(broker: EmbeddedBroker, client: BrokerClient) -> None:
    async with broker.connect() as other:
        await other.declare_queue("mine", exclusive=True)
    with pytest.raises(NotFound):
        await client.check_queue("mine")


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with open_server(Config(in_memory=True, listeners=())) as opened:
        yield opened


async def test_an_administrator_closes_the_connection(server: Server) -> None:
    async with server.clients.connect("guest", "/", "shovel") as client:
        await client.declare_queue("q")
        await client.publish("", "q", b"1")

        async def receive(task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
            async with client.consume("q") as subscription:
                await anext(subscription)
                task_status.started()
                with pytest.raises(ClientClosed, match="CONNECTION_FORCED - enough"):
                    await anext(subscription)

        async with trio.open_nursery() as nursery:
            await nursery.start(receive)
            assert not client.closed
            (row,) = (
                row for row in server.broker.inspect("connections", None) if row["user_provided_name"] == "shovel"
            )
            connections.close(server.broker, str(row["name"]), "enough")
            server.changed()
        assert "enough" in await client.wait_closed()
        assert client.closed
        for call in (
            client.check_queue("q"),
            client.publish("", "q", b"2"),
            client.get("q"),
            client.send("", "q", b""),
        ):
            with pytest.raises(ClientClosed):
                await call
    async with server.clients.connect(None, "/", "") as other:
        assert await messages(other) == 1


async def test_the_stop_of_the_broker_ends_everything(server: Server) -> None:
    async with server.clients.connect(None, "/", "") as client:
        await client.declare_queue("q")
        server.broker.alarms.set("memory", True, source="test")

        async def receive() -> None:
            async with client.consume("q") as subscription:
                with pytest.raises(ClientClosed, match="shutdown"):
                    await anext(subscription)

        async def publish() -> None:
            with pytest.raises(ClientClosed, match="shutdown"):
                await client.publish("", "q", b"1")

        clients = server.clients
        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            nursery.start_soon(publish)
            nursery.start_soon(client.wait_closed)
            await wait_all_tasks_blocked()
            await server.stop_app()
        with pytest.raises(ClientClosed):
            async with clients.connect(None, "/", ""):
                pytest.fail("it is connected")
        await server.start_app()
        async with server.clients.connect(None, "/", "") as again:
            await again.declare_queue("q")


async def test_close_connection_names_it_as_the_listing_does(server: Server) -> None:
    async with server.clients.connect(None, "/", "") as client:
        control = Control(server, server.config, 0.0)
        answer = await run_command(
            control, {"command": "close_connection", "arguments": [client.name, "go away"], "options": {}}
        )
        assert answer["ok"] is True, answer
        assert "go away" in await client.wait_closed()
