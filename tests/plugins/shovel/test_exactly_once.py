"""Each message arrives once: the shovel stamps it, and the destination drops what it has seen."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import trio

from tests.plugins.shovel.brokers import ask, edge, fill, set_shovel, take, until, until_state
from tests.plugins.shovel.test_faults import AMQP_UP, MESSAGES_A_ROUND, ROUNDS, STOMP_UP, arrived, check, places
from tests.support.faulty_link import Faults, faulty_link
from tests.support.killed_brokers import Publisher
from warren.adapters.amqp091.client.incoming import Incoming
from warren.adapters.amqp091.client.uri import parse_uri
from warren.adapters.amqp091.codec import methods
from warren.core.errors import PreconditionFailed
from warren.core.messages.field_table import Encodable, encode_table
from warren.core.messages.properties import EMPTY, Properties, encode_properties
from warren.gateway.peers.amqp import connect_amqp
from warren.plugins.shovel.definition import read_definition
from warren.plugins.shovel.stamping import Stamping

HEADER = "x-deduplication-header"
DROPS_DUPLICATES = encode_table({"x-message-deduplication": True})


def incoming(properties: Properties, body: bytes = b"body") -> Incoming:
    return Incoming(1, False, "x", "k", properties, body)


class Numbered:
    """A message whose source numbers it."""

    exchange, routing_key, properties, body = "x", "k", EMPTY, b"body"

    def __init__(self, source_id: str | None) -> None:
        self.source_id = source_id


def test_a_stamp_is_the_same_for_the_same_and_another_for_another() -> None:
    stamping = Stamping(HEADER, "here", "1")
    one = encode_properties(message_id="1")
    stamps = [
        stamping.stamp(incoming(one), one),
        stamping.stamp(incoming(encode_properties(message_id="2")), EMPTY),
        stamping.stamp(incoming(one, b"other"), one),
        stamping.stamp(Numbered("topic 0 1"), EMPTY),
        stamping.stamp(Numbered("topic 0 2"), EMPTY),
    ]
    assert len(set(stamps)) == 5
    assert all(stamp is not None and len(stamp) == 32 for stamp in stamps)
    assert Stamping(HEADER, "elsewhere", "2").stamp(incoming(one), one) == stamps[0]
    assert stamping.unstamped == 0


def test_what_nobody_can_name_gets_none_and_is_counted() -> None:
    stamping = Stamping(HEADER, "here", "1")
    assert stamping.stamp(incoming(EMPTY), EMPTY) is None
    assert stamping.stamp(Numbered(None), EMPTY) is None
    assert stamping.unstamped == 2


def test_a_stamp_that_a_message_has_stays() -> None:
    stamping = Stamping(HEADER, "here", "1")
    named = encode_properties(message_id="1", headers={HEADER: 7})
    assert stamping.stamp(incoming(named), named) is None
    assert stamping.unstamped == 0


def test_it_needs_confirms() -> None:
    with pytest.raises(PreconditionFailed, match="needs the 'ack-mode' 'on-confirm'"):
        read_definition(
            {
                "src-uri": "amqp://",
                "src-queue": "a",
                "dest-uri": "amqp://",
                "dest-deduplication-header": HEADER,
                "ack-mode": "no-ack",
            }
        )


async def test_messages_that_look_alike_are_told_apart() -> None:
    async with edge() as broker, broker.connect() as here:
        await fill(here, "out", [b"same"] * 5)
        await here.declare_queue("in", durable=True, arguments={"x-message-deduplication": True})
        await set_shovel(
            broker,
            src_uri="amqp://",
            src_queue="out",
            dest_uri="amqp://",
            dest_queue="in",
            dest_predeclared=True,
            dest_deduplication_header=HEADER,
        )
        assert await take(here, "in", 5) == [b"same"] * 5
        answer = await ask(broker, "shovel_status", "unstamped")
        assert answer["rows"] == [{"unstamped": 0}]


async def test_a_stamp_outlives_the_broker(tmp_path: Path) -> None:
    """A destination that takes nothing: a full queue, whose dead letters tell what was tried."""
    seen: list[list[str]] = []
    for run in range(2):
        async with edge(tmp_path, in_memory=False) as broker, broker.connect() as here:
            if not run:
                await fill(here, "out", [b"same"] * 5)
            await here.declare_queue("dead", durable=True)
            full: dict[str, Encodable] = {
                "x-max-length": 0,
                "x-overflow": "reject-publish-dlx",
                "x-dead-letter-exchange": "",
                "x-dead-letter-routing-key": "dead",
            }
            await here.declare_queue("full", durable=True, arguments=full)
            await set_shovel(
                broker,
                src_uri="amqp://",
                src_queue="out",
                dest_uri="amqp://",
                dest_queue="full",
                dest_predeclared=True,
                dest_deduplication_header=HEADER,
            )
            await until_state(broker, "blocked")
            stamps: list[str] = []
            async with here.consume("dead") as deliveries:
                async for delivery in deliveries:
                    stamps.append(str((delivery.properties.headers or {})[HEADER]))
                    delivery.ack()
                    if len(stamps) == 5:
                        break
            seen.append(stamps)
    assert seen[0] == seen[1]
    assert len(set(seen[0])) == 5


@pytest.mark.limits(seconds=300)
@pytest.mark.parametrize(("definition", "protocol"), [(AMQP_UP, "amqp"), (STOMP_UP, "stomp")], ids=["amqp", "stomp"])
async def test_each_arrives_once_whatever_dies(tmp_path: Path, definition: dict[str, object], protocol: str) -> None:
    chance = random.Random(2718)
    definition = {**definition, "dest-deduplication-header": HEADER}
    if protocol == "amqp":
        definition["dest-predeclared"] = True
    else:
        definition["dest-destination"] = "/amq/queue/in"
    publisher = Publisher("", "out", declares="out")
    async with trio.open_nursery() as peers, faulty_link(2718) as link:
        with places(tmp_path, link.port, definition) as (at_edge, at_upstream):
            source, destination = await at_edge.start(), await at_upstream.start()
            await _declare(peers, destination)
            link.target = at_upstream.address(protocol)
            for number in range(ROUNDS):
                link.faults = Faults(bytes_max=12_000)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(publisher.publish, peers, source, MESSAGES_A_ROUND)
                    struck_at = publisher.published + chance.randrange(MESSAGES_A_ROUND // 2)
                    await until(lambda at=struck_at: publisher.published >= at or not nursery.child_tasks)  # type: ignore[misc]
                    if number % 2:
                        await at_upstream.kill()
                        link.target = None
                        destination = await at_upstream.start()
                        link.target = at_upstream.address(protocol)
                    else:
                        await at_edge.kill()
                        source = await at_edge.start()
            await link.go_wrong()
            link.heal()
            # What has left the queue might come again; so it stays there while it is read.
            found = await arrived(peers, destination, set(publisher.confirmed), no_ack=False)
            check(publisher, found, link, in_order=True)
            assert len(found) == len(set(found)), "each is there once"


async def _declare(peers: trio.Nursery, address: tuple[str, int]) -> None:
    peer = await connect_amqp(
        peers, parse_uri("amqp://{}:{}".format(*address)), product="test", version="1", name="declarer"
    )
    channel = peer.open_channel()
    declare = methods.QueueDeclare(queue="in", durable=True, arguments_raw=DROPS_DUPLICATES)
    await peer.ask(channel, declare, methods.QueueDeclareOk)
    await peer.aclose()
