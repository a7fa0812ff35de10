"""The edge is killed and the link to Kafka cuts, stalls and resets: nothing is lost, either way."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import trio

from tests.plugins.shovel.kafka_clusters import cluster
from tests.plugins.shovel.test_faults import arrived
from tests.support.faulty_link import LOOPBACK, Faults, faulty_link
from tests.support.kafka_link import renamed
from tests.support.killed_brokers import Place, Publisher
from warren.adapters.amqp091.client.uri import parse_uri
from warren.adapters.amqp091.codec import methods
from warren.core.messages.properties import EMPTY, Properties
from warren.gateway.peers.amqp import connect_amqp
from warren.plugins.shovel.kafka_definition import KafkaDestinationDefinition, parse_kafka_uri
from warren.plugins.shovel.kafka_ends import open_destination

ROUNDS = 3
MESSAGES_A_ROUND = 200

pytestmark = pytest.mark.limits(seconds=600)

KAFKA = {"reconnect-delay": 0.05}


def edge_with(directory: Path, **keys: Any) -> Place:
    static = json.dumps({"s": {**KAFKA, **{name.replace("_", "-"): value for name, value in keys.items()}}})
    return Place(directory, "--set", "plugins=shovel", "--set", f"shovel_static={static}")


async def test_every_confirmed_message_is_there(tmp_path: Path) -> None:
    with cluster() as there:
        async with (
            trio.open_nursery() as peers,
            faulty_link(31) as link,
            renamed(there.port, link.port) as port,
        ):
            link.target = LOOPBACK, port
            place = edge_with(
                tmp_path / "edge",
                src_uri="amqp://",
                src_queue="out",
                dest_protocol="kafka",
                dest_uri=f"kafka://{LOOPBACK}:{link.port}?connection_timeout=2000",
                dest_topic="in",
            )
            publisher = Publisher("", "out", declares="out")
            try:
                for _ in range(ROUNDS):
                    link.faults = Faults(bytes_max=20_000, ways=("cut", "reset"))
                    address = await place.start()
                    with trio.move_on_after(20):
                        await publisher.publish(peers, address, MESSAGES_A_ROUND)
                    await trio.to_thread.run_sync(there.records, "in", 1)
                    await place.kill()
                await place.start()
                await link.go_wrong()
                link.heal()
                wanted = set(publisher.confirmed)

                def all_there(records: list[Any]) -> bool:
                    return wanted <= {int(record.value()) for record in records}

                records = await trio.to_thread.run_sync(there.records_until, "in", all_there)
                found = [int(record.value()) for record in records]
            finally:
                place.end()
            assert sum(link.happened.values()) > 0
            first_seen = [number for number in dict.fromkeys(found) if number in wanted]
            assert first_seen == sorted(first_seen), f"something overtakes: {found}"


class One(NamedTuple):
    """A message from a source."""

    body: bytes
    exchange: str = ""
    routing_key: str = "out"
    properties: Properties = EMPTY


async def test_nothing_is_sent_behind_what_was_given_up() -> None:
    with cluster() as there:
        async with AsyncExitStack() as held, trio.open_nursery() as peers:
            definition = KafkaDestinationDefinition((parse_kafka_uri(there.url),), "in")
            end = await open_destination(peers, held, definition, definition.uris[0], "test")
            first = One(b"first")
            end.publish(first, first.exchange, first.routing_key, first.properties)
            assert [each.refused for each in await end.outcomes()] == [None]
            # It is being closed: what is under way comes again later, and so does what is published from now on.
            await end.aclose()
            second = One(b"second")
            end.publish(second, second.exchange, second.routing_key, second.properties)
            (outcome,) = await end.outcomes()
            assert (outcome.refused, outcome.passing) == ("Kafka: not sent, as the connection is being closed", True)
            assert await trio.to_thread.run_sync(end.producer.flush, 10.0) == 0
            assert [record.value() for record in await trio.to_thread.run_sync(there.records, "in", 1)] == [b"first"]


async def test_every_record_arrives(tmp_path: Path) -> None:
    count = ROUNDS * MESSAGES_A_ROUND
    with cluster() as there:
        await trio.to_thread.run_sync(lambda: there.publish("out", *(b"%d" % number for number in range(count))))
        async with (
            trio.open_nursery() as peers,
            faulty_link(32) as link,
            renamed(there.port, link.port) as port,
        ):
            link.target = LOOPBACK, port
            place = edge_with(
                tmp_path / "edge",
                src_protocol="kafka",
                src_uri=f"kafka://{LOOPBACK}:{link.port}?connection_timeout=2000",
                src_topics="out",
                src_prefetch_count=50,
                rate_limit=400,
                dest_uri="amqp://",
                dest_queue="in",
            )
            try:
                for number in range(ROUNDS):
                    link.faults = Faults(bytes_max=20_000, ways=("cut", "reset"))
                    address = await place.start()
                    with trio.move_on_after(20):
                        await _until_there(peers, address, number * MESSAGES_A_ROUND // 2 + 1)
                    await place.kill()
                address = await place.start()
                await link.go_wrong()
                link.heal()
                await _until_there(peers, address, 1)
                found = await arrived(peers, address, set(range(count)))
            finally:
                place.end()
            assert sum(link.happened.values()) > 0
            first_seen = list(dict.fromkeys(found))
            assert first_seen == sorted(first_seen)


async def _until_there(peers: trio.Nursery, address: tuple[str, int], count: int) -> None:
    """Wait until the edge's queue has so many messages."""
    peer = await connect_amqp(
        peers, parse_uri("amqp://{}:{}".format(*address)), product="test", version="1", name="looker"
    )
    try:
        found = 0
        while found < count:
            channel = peer.open_channel()
            declare = methods.QueueDeclare(queue="in", durable=True)
            found = (await peer.ask(channel, declare, methods.QueueDeclareOk)).message_count
            channel.close()
            await trio.sleep(0.05)
    finally:
        await peer.aclose()
