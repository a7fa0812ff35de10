"""Shovels to and from Kafka, as librdkafka's own cluster is it: everything arrives as it was, in order."""

from __future__ import annotations

from typing import Any

import pytest
import trio

from tests.plugins.shovel.brokers import ask, edge, fill, set_shovel, status, take, until, until_gone, until_state
from tests.plugins.shovel.kafka_clusters import Cluster, cluster, until_committed
from tests.plugins.shovel.stomp_brokers import next_of
from warren.core.messages.field_table import Typed
from warren.core.messages.properties import encode_properties

BODIES = [b"%d" % number for number in range(200)]
MODES = ["on-confirm", "on-publish", "no-ack"]


def to(there: Cluster, topic: str = "in", **more: Any) -> dict[str, Any]:
    return {
        "src_uri": "amqp://",
        "src_queue": "out",
        "dest_protocol": "kafka",
        "dest_uri": there.url,
        "dest_topic": topic,
        **more,
    }


def of(there: Cluster, **more: Any) -> dict[str, Any]:
    return {
        "src_protocol": "kafka",
        "src_uri": there.url,
        "src_topics": "out",
        "src_group": "g",
        "dest_uri": "amqp://",
        "dest_queue": "in",
        **more,
    }


@pytest.mark.parametrize("mode", MODES)
async def test_from_a_queue_here_to_a_topic_there(mode: str) -> None:
    with cluster() as there:
        async with edge() as broker, broker.connect() as here:
            await fill(here, "out", BODIES)
            await set_shovel(broker, **to(there, ack_mode=mode))
            found = await until_state(broker, "running")
            while found["forwarded"] < len(BODIES) or found["pending"]:
                await trio.sleep(0.02)
                found = await status(broker)
            records = await trio.to_thread.run_sync(there.records, "in", len(BODIES))
            assert [record.value() for record in records] == BODIES, "one key, one partition, one order"
            assert {record.key() for record in records} == {b"out"}
            assert found["dest_uri"] == there.url


async def test_topic_key_and_headers_are_the_messages_own() -> None:
    rich = encode_properties(
        content_type="text/plain",
        message_id="m",
        type="t",
        priority=3,
        delivery_mode=2,
        headers={"site": Typed("l", 7), "text": "ä", "content-type": "theirs"},
    )
    with cluster() as there:
        async with edge() as broker, broker.connect() as here:
            await here.declare_queue("out", durable=True)
            await here.bind_queue("out", "amq.topic", "#")
            await here.publish("amq.topic", "site.7/a b", b"1", rich)
            await set_shovel(broker, **to(there, "x.{topic}", dest_key="{exchange} {message_id}"))
            await until_state(broker, "running")
            (record,) = await trio.to_thread.run_sync(there.records, "x.site.7_2Fa_b", 1)
            assert record.key() == b"amq.topic m"
            assert dict(record.headers()) == {
                "content-type": b"text/plain",
                "amqp-message-id": b"m",
                "amqp-type": b"t",
                "amqp-priority": b"3",
                "amqp-delivery-mode": b"2",
                "site": b"7",
                "text": "ä".encode(),
            }


@pytest.mark.parametrize("mode", MODES)
async def test_from_a_topic_there_to_a_queue_here(mode: str) -> None:
    with cluster() as there:
        await trio.to_thread.run_sync(lambda: there.publish("out", *BODIES))
        async with edge() as broker, broker.connect() as here:
            await here.declare_queue("in", durable=True)
            await set_shovel(broker, **of(there, ack_mode=mode))
            assert await take(here, "in", len(BODIES)) == BODIES
            await until_committed(there, "g", "out", len(BODIES))


async def test_what_a_record_says_of_itself() -> None:
    headers = [
        ("content-type", b"text/csv"),
        ("amqp-priority", b"4"),
        ("amqp-type", b"\xff"),
        ("own", b"x"),
        ("no", None),
    ]
    with cluster() as there:
        await trio.to_thread.run_sync(
            lambda: there.publish("out", b"1", key=b"k", headers=headers, timestamp=1_700_000_000_123)
        )
        async with edge() as broker, broker.connect() as here:
            await here.declare_queue("in", durable=True)
            await here.bind_queue("in", "amq.topic", "out")
            keys = of(there)
            del keys["dest_queue"]
            await set_shovel(broker, **keys, dest_deduplication_header="stamp")
            delivery = await next_of(here, "in")
            properties = delivery.properties
            assert (delivery.exchange, delivery.routing_key, delivery.body) == ("amq.topic", "out", b"1")
            assert (properties.content_type, properties.priority, properties.type) == ("text/csv", 4, None)
            assert (properties.timestamp, properties.delivery_mode) == (1_700_000_000, 2)
            found = dict(properties.headers or {})
            assert len(str(found.pop("stamp"))) == 32
            assert found == {
                "kafka-topic": "out",
                "kafka-partition": 0,
                "kafka-offset": 0,
                "kafka-key": "k",
                "amqp-type": b"\xff",
                "own": "x",
                "no": None,
            }


async def test_an_offset_is_committed_when_the_destination_has_it() -> None:
    with cluster() as there:
        await trio.to_thread.run_sync(lambda: there.publish("out", *BODIES[:10]))
        async with edge() as broker, broker.connect() as here:
            await here.declare_queue("in", durable=True, arguments={"x-max-length": 4, "x-overflow": "reject-publish"})
            await set_shovel(broker, **of(there, dest_predeclared=True))
            await until_state(broker, "blocked")
            await until_committed(there, "g", "out", 4)
            assert (await ask(broker, "restart_shovel", "s"))["ok"]
            assert await take(here, "in", 10) == BODIES[:10]
            await until_committed(there, "g", "out", 10)


async def test_latest_begins_behind_what_is_there() -> None:
    with cluster() as there:
        await trio.to_thread.run_sync(lambda: there.publish("out", b"old"))
        async with edge() as broker, broker.connect() as here:
            await here.declare_queue("in", durable=True)
            await set_shovel(broker, **of(there, src_start="latest"))
            await until_state(broker, "running")
            bodies: list[bytes] = []
            async with trio.open_nursery() as nursery, here.consume("in") as deliveries:

                async def publish() -> None:
                    while not bodies:
                        await trio.to_thread.run_sync(lambda: there.publish("out", b"new"))
                        await trio.sleep(0.1)

                nursery.start_soon(publish)
                bodies.append((await anext(deliveries)).body)
            assert bodies == [b"new"]


async def test_it_ends_after_so_many() -> None:
    with cluster() as there:
        await trio.to_thread.run_sync(lambda: there.publish("out", *BODIES))
        async with edge() as broker, broker.connect() as here:
            await here.declare_queue("in", durable=True)
            await set_shovel(broker, **of(there, src_delete_after=30))
            await until_gone(broker)
            assert (await here.check_queue("in")).messages == 30
            await until_committed(there, "g", "out", 30)


async def test_a_cluster_that_isnt_there_is_told_and_found_when_it_is() -> None:
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", [b"1"])
        keys = {"src_uri": "amqp://", "src_queue": "out", "dest_protocol": "kafka", "dest_topic": "in"}
        await set_shovel(broker, **keys, dest_uri="kafka://user:s3cret@127.0.0.1:1?connection_timeout=1500")
        found = await until_state(broker, "terminated", "Kafka: ")
        assert "s3cret" not in str(found)
        assert (await here.check_queue("out")).messages == 1


async def test_a_cluster_that_goes_is_told() -> None:
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", [b"1"])
        with cluster() as there:
            await set_shovel(broker, **to(there, dest_uri=f"{there.url}?connection_timeout=1000"))
            await until_state(broker, "running")
            await until(lambda: broker.inspect("queues")[0]["messages"] == 0)
        await until_state(broker, "terminated", "Kafka: ")


async def test_a_peer_that_speaks_something_else_is_told() -> None:
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", [b"1"])
        host, port = broker.address("amqp")
        keys = {"src_uri": "amqp://", "src_queue": "out", "dest_protocol": "kafka", "dest_topic": "in"}
        await set_shovel(broker, **keys, dest_uri=f"kafka://{host}:{port}?connection_timeout=1500")
        await until_state(broker, "terminated", "Kafka: ")


async def test_a_file_that_isnt_there_is_told() -> None:
    async with edge() as broker:
        keys = {"src_uri": "amqp://", "src_queue": "out", "dest_protocol": "kafka", "dest_topic": "in"}
        await set_shovel(broker, **keys, dest_uri="kafkas://127.0.0.1:1?cacertfile=/nowhere.pem")
        await until_state(broker, "terminated", "ssl.ca.location failed")


async def test_a_library_that_isnt_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "confluent_kafka", None)
    async with edge() as broker:
        keys = {"src_uri": "amqp://", "src_queue": "out", "dest_protocol": "kafka", "dest_topic": "in"}
        await set_shovel(broker, **keys, dest_uri="kafka://127.0.0.1")
        await until_state(broker, "terminated", "install warren-mq[kafka]")
