"""`gateway.open_broker`: what a program gets between entering and leaving the block."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pika
import pytest
import trio
from pika.adapters.blocking_connection import BlockingChannel, BlockingConnection
from pika.exceptions import ProbableAuthenticationError

from tests.embedding.clients import in_thread, on_channel, parameters_of
from warren.core.errors import StorageError
from warren.gateway import open_broker
from warren.gateway.configuration.config import Config
from warren.gateway.process.data_directory import DataDirectoryInUseError


def declare(channel: BlockingChannel) -> None:
    channel.queue_declare("queue", durable=True)


def publish(channel: BlockingChannel) -> None:
    """A persistent message, confirmed, in a durable queue."""
    declare(channel)
    properties = pika.BasicProperties(delivery_mode=pika.DeliveryMode.Persistent)
    channel.basic_publish("", "queue", b"kept", properties)


def take(channel: BlockingChannel) -> bytes | None:
    """The next message of the queue; None without one."""
    declare(channel)
    _, _, body = channel.basic_get("queue", auto_ack=True)
    assert body is None or isinstance(body, bytes)
    return body


async def test_a_message_goes_through() -> None:
    async with open_broker() as broker:
        await on_channel(broker, publish)
        assert await on_channel(broker, take) == b"kept"
        assert await on_channel(broker, take) is None


async def test_the_addresses_are_those_it_listens_on() -> None:
    async with open_broker(listen=["amqp=127.0.0.1:0", "amqp=127.0.0.1:0"]) as broker:
        first, second = broker.listening["amqp"]
        assert broker.address("amqp") == broker.address() == first
        assert first != second
        for host, port in (first, second):
            assert host == "127.0.0.1"
            await (await trio.open_tcp_stream(host, port)).aclose()
        with pytest.raises(KeyError):
            broker.address("carrier-pigeon")


async def test_the_url_is_one_that_clients_take() -> None:
    async with open_broker() as broker:

        def connect() -> bool:
            with BlockingConnection(pika.URLParameters(broker.url())) as connection:
                return bool(connection.is_open)

        assert await in_thread(connect)


async def test_the_port_is_free_again_after_the_block() -> None:
    async with open_broker() as broker:
        host, port = broker.address()
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind((host, port))


async def test_two_brokers_side_by_side_know_nothing_of_each_other() -> None:
    async with open_broker() as one, open_broker() as other:
        assert one.address() != other.address()
        await on_channel(one, publish)
        assert [row["name"] for row in one.inspect("queues")] == ["queue"]
        assert other.inspect("queues") == []
        assert await on_channel(other, take) is None
        assert await on_channel(one, take) == b"kept"


async def test_one_of_two_brokers_may_stop_first() -> None:
    async with open_broker() as one:
        async with open_broker() as other:
            await on_channel(other, publish)
        await on_channel(one, publish)
        assert await on_channel(one, take) == b"kept"


async def test_a_data_directory_is_kept(tmp_path: Path) -> None:
    async with open_broker(tmp_path / "data") as broker:
        await on_channel(broker, publish)
    async with open_broker(tmp_path / "data") as broker:
        assert [row["name"] for row in broker.inspect("queues")] == ["queue"]
        assert await on_channel(broker, take) == b"kept"
    async with open_broker(str(tmp_path / "data")) as broker:
        assert await on_channel(broker, take) is None


async def test_without_one_nothing_is_kept() -> None:
    async with open_broker() as broker:
        await on_channel(broker, publish)
    async with open_broker() as broker:
        assert broker.inspect("queues") == []


async def test_a_data_directory_has_one_broker_at_a_time(tmp_path: Path) -> None:
    async with open_broker(tmp_path):
        with pytest.RaisesGroup(DataDirectoryInUseError, allow_unwrapped=True, flatten_subgroups=True):
            async with open_broker(tmp_path):
                pytest.fail("it has started")
    async with open_broker(tmp_path):
        pass


async def test_an_address_that_is_taken() -> None:
    async with open_broker() as broker:
        host, port = broker.address()
        with pytest.RaisesGroup(
            pytest.RaisesExc(StorageError, match=f"can't listen on amqp={host}:{port}"),
            allow_unwrapped=True,
            flatten_subgroups=True,
        ):
            async with open_broker(listen=[f"amqp={host}:{port}"]):
                pytest.fail("it has started")


async def test_a_data_directory_that_is_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("in the way")
    with pytest.raises(StorageError, match="not a directory"):
        async with open_broker(path):
            pytest.fail("it has started")
    assert path.read_text() == "in the way"


async def test_an_address_that_makes_no_sense() -> None:
    with pytest.raises(ValueError, match="HOST:PORT"):
        async with open_broker(listen=["amqp=nowhere"]):
            pytest.fail("it has started")


async def test_other_settings_come_by_configuration() -> None:
    config = Config(in_memory=True, default_user="owner", default_pass="secret", heartbeat_s=7)
    async with open_broker(config=config) as broker:

        def connect(user: str, password: str) -> int:
            with BlockingConnection(parameters_of(broker, user, password)) as connection:
                return int(connection._impl.params.heartbeat or 0)

        assert await in_thread(lambda: connect("owner", "secret")) == 7
        with pytest.raises(ProbableAuthenticationError):
            await in_thread(lambda: connect("guest", "guest"))


async def test_inspection_shows_who_is_there() -> None:
    async with open_broker() as broker:

        def look(channel: BlockingChannel) -> dict[str, int]:
            channel.queue_declare("queue", exclusive=True)
            channel.basic_consume("queue", lambda *_: None)
            names = ("connections", "channels", "consumers", "queues", "vhosts")
            return {what: len(trio.from_thread.run_sync(broker.inspect, what)) for what in names}

        assert await on_channel(broker, look) == dict.fromkeys(
            ("connections", "channels", "consumers", "queues", "vhosts"), 1
        )


async def test_an_alarm_blocks_publishers_until_it_is_cleared() -> None:
    async with open_broker() as broker:

        def meet_an_alarm() -> list[str]:
            told: list[str] = []
            with BlockingConnection(parameters_of(broker)) as connection:
                connection.add_on_connection_blocked_callback(lambda *_: told.append("blocked"))
                connection.add_on_connection_unblocked_callback(lambda *_: told.append("unblocked"))
                channel = connection.channel()
                declare(channel)
                trio.from_thread.run_sync(broker.set_alarm, "disk", True)
                # Whoever publishes is told. In memory nothing watches the disk, so the alarm stays until it is cleared.
                channel.basic_publish("", "queue", b"held back")
                while told != ["blocked"]:
                    connection.process_data_events(time_limit=1)
                trio.from_thread.run_sync(broker.set_alarm, "disk", False)
                while told != ["blocked", "unblocked"]:
                    connection.process_data_events(time_limit=1)
            return told

        assert await in_thread(meet_an_alarm) == ["blocked", "unblocked"]
        assert await on_channel(broker, take) == b"held back"


async def in_asyncio() -> None:
    async with open_broker():
        pass


def test_outside_of_trio_it_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match=r"open_broker runs on Trio, and this is asyncio\. .*warren_url"):
        asyncio.run(in_asyncio())
    with pytest.raises(RuntimeError, match=r"write an `async def` and give it to trio\.run"):
        in_asyncio().send(None)
