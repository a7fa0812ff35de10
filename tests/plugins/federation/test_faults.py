"""Both brokers are killed again and again, and the link between them cuts, stalls and resets: nothing is lost."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import trio

from tests.plugins.federation.amqp_client import AmqpClient, amqp_client
from tests.plugins.shovel.brokers import until
from tests.support.ctl import ctl
from tests.support.faulty_link import LOOPBACK, Faults, FaultyLink, faulty_link
from tests.support.killed_brokers import Place, Publisher
from warren.adapters.peers.errors import PeerError

ROUNDS = 6
"""More, until the link has gone wrong: on a slow machine, programs may be killed before it does."""
MESSAGES_A_ROUND = 400

PREFETCH = 20
"""So much is under way at a time that a connection brings something before it goes wrong."""

pytestmark = pytest.mark.limits(seconds=300)


@contextmanager
def places(tmp_path: Path) -> Iterator[tuple[Place, Place]]:
    """A downstream and an upstream."""
    options = ("--set", "plugins=federation", "--set")
    with ExitStack() as stack:
        both = [Place(tmp_path / name, *options, f"cluster_name={name}") for name in ("down", "up")]
        for place in both:
            stack.callback(place.end)
        yield both[0], both[1]


class Reader:
    """Takes whatever is in a queue of the downstream, wherever that listens now.  seen: the numbers, as they come."""

    def __init__(self, queue: str) -> None:
        self.seen: list[int] = []
        self.address: tuple[str, int] | None = None
        self._queue = queue

    async def run(self) -> None:
        while True:
            await until(lambda: self.address is not None)
            try:
                async with amqp_client(url_of(self.address)) as client:
                    reader = await client.consume(self._queue, prefetch=50)
                    while True:
                        message = await reader.next(ack=False)
                        self.seen.append(int(message.body))
                        reader.ack(message)
            except* PeerError:
                await trio.sleep(0.01)


def url_of(address: tuple[str, int] | None) -> str:
    assert address is not None
    return f"amqp://{address[0]}:{address[1]}"


async def federate(down: Place, port: int, kind: str) -> None:
    """Have the downstream fetch through a port, and wait until it does."""

    def tell() -> None:
        uri = f"amqp://{LOOPBACK}:{port}?heartbeat=1&connection_timeout=2000"
        upstream = json.dumps({"uri": uri, "reconnect-delay": 0.05, "prefetch-count": PREFETCH})
        ctl(down.data_directory, "set_parameter", "federation-upstream", "up", upstream)
        policy = json.dumps({"federation-upstream": "up"})
        ctl(down.data_directory, "set_policy", "fed", "^fed", policy, "--apply-to", kind)
        while "running" not in ctl(down.data_directory, "federation_status", "status"):
            pass

    await trio.to_thread.run_sync(tell)


async def declare(client: AmqpClient, kind: str) -> None:
    """What is federated, and a queue "fed.q" to read from."""
    await client.declare_queue("fed.q")
    if kind == "exchanges":
        await client.declare_exchange("fed.x", "fanout")
        await client.bind("fed.q", "fed.x", "")


@pytest.mark.parametrize(("kind", "seed"), [("exchanges", 1), ("queues", 2)])
async def test_every_confirmed_message_arrives(tmp_path: Path, kind: str, seed: int) -> None:
    chance = random.Random(seed)
    publisher = Publisher("fed.x", "") if kind == "exchanges" else Publisher("", "fed.q")
    reader = Reader("fed.q")
    async with trio.open_nursery() as peers, faulty_link(seed) as link:
        with places(tmp_path) as (down, up):
            reader.address = await down.start()
            at_upstream = link.target = await up.start()
            async with amqp_client(url_of(reader.address)) as client:
                await declare(client, kind)
            await federate(down, link.port, kind)
            peers.start_soon(reader.run)
            for number in range(ROUNDS):
                link.faults = Faults(bytes_max=60_000)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(publisher.publish, peers, at_upstream, MESSAGES_A_ROUND)
                    struck_at = publisher.published + chance.randrange(MESSAGES_A_ROUND // 2)
                    await until(lambda at=struck_at: publisher.published >= at or not nursery.child_tasks)  # type: ignore[misc]
                    if number % 2:
                        reader.address = None
                        await down.kill()
                        reader.address = await down.start()
                    else:
                        link.target = None
                        await up.kill()
                        at_upstream = link.target = await up.start()
                await until(lambda: len(set(reader.seen)) >= len(publisher.confirmed) // 2)
            await link.go_wrong()
            link.heal()
            await until(lambda: set(publisher.confirmed) <= set(reader.seen))
            check(publisher, reader, link)
            peers.cancel_scope.cancel()


def check(publisher: Publisher, reader: Reader, link: FaultyLink) -> None:
    assert len(publisher.confirmed) > MESSAGES_A_ROUND, "there was something to lose"
    assert sum(link.happened.values()) > 0, "the link has gone wrong"
    assert set(reader.seen) <= set(range(publisher.published))
