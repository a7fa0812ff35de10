"""Both brokers are killed again and again, and the link between them cuts, stalls and resets: nothing is lost."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import trio

from tests.plugins.shovel.brokers import until
from tests.support.faulty_link import LOOPBACK, Faults, FaultyLink, faulty_link
from tests.support.warren_process import WarrenProcess, start_warren
from warren.adapters.amqp091.client.channel import Confirm
from warren.adapters.amqp091.client.uri import parse_uri
from warren.adapters.amqp091.codec import methods
from warren.adapters.peers.errors import PeerError
from warren.core.messages.properties import encode_properties
from warren.gateway.peers.amqp import AmqpPeer, connect_amqp

ROUNDS = 6
MESSAGES_A_ROUND = 400
PERSISTENT = encode_properties(delivery_mode=2)

pytestmark = pytest.mark.limits(seconds=300)


class Place:
    """A broker with a data directory, that can be killed and started again."""

    def __init__(self, directory: Path, *options: str) -> None:
        self._directory = directory
        self._options = options
        self._running: WarrenProcess | None = None
        directory.mkdir()

    async def start(self) -> tuple[str, int]:
        """Where it listens."""
        self._running = await trio.to_thread.run_sync(
            lambda: start_warren(self._directory, data_directory=self._directory / "data", options=self._options)
        )
        return LOOPBACK, self._running.amqp_port

    async def kill(self) -> None:
        if self._running is not None:
            await trio.to_thread.run_sync(self._running.kill)
            self._running = None

    @property
    def log(self) -> str:
        return (self._directory / "warren.log").read_text()

    def end(self) -> None:
        if self._running is not None:
            self._running.kill()


@contextmanager
def places(tmp_path: Path, port: int) -> Iterator[tuple[Place, Place]]:
    """An edge that shovels through a port, and an upstream."""
    shovel = {
        "up": {
            "src-uri": "amqp://",
            "src-queue": "out",
            "dest-uri": f"amqp://{LOOPBACK}:{port}?heartbeat=1&connection_timeout=2000",
            "dest-queue": "in",
            "reconnect-delay": 0.05,
        }
    }
    with ExitStack() as stack:
        edge = Place(tmp_path / "edge", "--set", "plugins=shovel", "--set", f"shovel_static={json.dumps(shovel)}")
        upstream = Place(tmp_path / "upstream")
        stack.callback(edge.end)
        stack.callback(upstream.end)
        yield edge, upstream


class Publisher:
    """Publishes numbers to the edge, each once, whatever happens to it.  confirmed: those that the edge has."""

    def __init__(self) -> None:
        self.published = 0
        self.confirmed: list[int] = []

    async def publish(self, peers: trio.Nursery, address: tuple[str, int], count: int) -> None:
        """So many numbers, or fewer if the edge is killed meanwhile."""
        host, port = address
        try:
            peer = await connect_amqp(
                peers, parse_uri(f"amqp://{host}:{port}"), product="test", version="1", name="publisher"
            )
        except PeerError:
            return
        try:
            await self._publish(peer, count)
        except PeerError:
            return
        finally:
            await peer.aclose()

    async def _publish(self, peer: AmqpPeer, count: int) -> None:
        channel = peer.open_channel()
        await peer.ask(channel, methods.QueueDeclare(queue="out", durable=True), methods.QueueDeclareOk)
        await peer.ask(channel, methods.ConfirmSelect(), methods.ConfirmSelectOk)
        first = self.published
        last_confirmed = 0
        try:
            for _ in range(count // 20):
                for _ in range(20):
                    channel.publish("", "out", PERSISTENT, b"%d" % self.published)
                    self.published += 1
                peer.flush()
                while not channel.confirmed:
                    await peer.channel_progress(channel)
                last_confirmed = max(last_confirmed, _highest(channel.confirmed))
                channel.confirmed.clear()
            while last_confirmed < count:
                await peer.channel_progress(channel)
                last_confirmed = max(last_confirmed, _highest(channel.confirmed))
                channel.confirmed.clear()
        finally:
            # The broker confirms in order, so everything up to the highest number is confirmed.
            last_confirmed = max(last_confirmed, _highest(channel.confirmed))
            self.confirmed.extend(range(first, first + last_confirmed))


def _highest(confirms: Sequence[Confirm]) -> int:
    return max((number for number, _, taken in confirms if taken), default=0)


async def arrived(peers: trio.Nursery, address: tuple[str, int], wanted: set[int]) -> list[int]:
    """The numbers in the upstream's queue, in order, read until all that are wanted have come."""
    host, port = address
    peer = await connect_amqp(peers, parse_uri(f"amqp://{host}:{port}"), product="test", version="1", name="reader")
    try:
        channel = peer.open_channel()
        await peer.ask(channel, methods.QueueDeclare(queue="in", durable=True), methods.QueueDeclareOk)
        await peer.ask(channel, methods.BasicConsume(queue="in", no_ack=True), methods.BasicConsumeOk)
        found: list[int] = []
        missing = set(wanted)
        while missing:
            while not channel.arrived:
                await peer.channel_progress(channel)
            while channel.arrived:
                found.append(int(channel.arrived.popleft().body))
                missing.discard(found[-1])
        return found
    finally:
        await peer.aclose()


@pytest.mark.parametrize("seed", [4711])
async def test_every_confirmed_message_arrives_in_order(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    publisher = Publisher()
    async with trio.open_nursery() as peers, faulty_link(seed) as link:
        with places(tmp_path, link.port) as (edge, upstream):
            at_edge = await edge.start()
            link.target = await upstream.start()
            for number in range(ROUNDS):
                link.faults = Faults(bytes_max=60_000)
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(publisher.publish, peers, at_edge, MESSAGES_A_ROUND)
                    struck_at = publisher.published + chance.randrange(MESSAGES_A_ROUND // 2)
                    await until(lambda at=struck_at: publisher.published >= at or not nursery.child_tasks)  # type: ignore[misc]
                    if number % 2:
                        await upstream.kill()
                        link.target = None
                        link.target = await upstream.start()
                    else:
                        await edge.kill()
                        at_edge = await edge.start()
            link.heal()
            found = await arrived(peers, link.target, set(publisher.confirmed))
            check(publisher, found, link)


def check(publisher: Publisher, found: list[int], link: FaultyLink) -> None:
    assert len(publisher.confirmed) > MESSAGES_A_ROUND, "there was something to lose"
    assert sum(link.happened.values()) > 0, "the link has gone wrong"
    assert set(found) <= set(range(publisher.published))
    wanted = set(publisher.confirmed)
    first_seen = [number for number in dict.fromkeys(found) if number in wanted]
    assert first_seen == sorted(first_seen), "what comes again comes behind, nothing overtakes"
