"""Brokers that are killed and started again, and who publishes to one of them meanwhile."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import trio

from tests.support.warren_process import WarrenProcess, start_warren
from warren.adapters.amqp091.client.channel import Confirm
from warren.adapters.amqp091.client.uri import parse_uri
from warren.adapters.amqp091.codec import methods
from warren.adapters.peers.errors import PeerError
from warren.core.messages.properties import encode_properties
from warren.gateway.peers.amqp import AmqpPeer, connect_amqp

LOOPBACK = "127.0.0.1"
PERSISTENT = encode_properties(delivery_mode=2)


class Place:
    """A broker with a data directory, that can be killed and started again.  protocols: what it listens for."""

    def __init__(self, directory: Path, *options: str, protocols: Sequence[str] = ("amqp",)) -> None:
        self._directory = directory
        self._options = options
        self._listen = [f"{each}={LOOPBACK}:0" for each in protocols]
        self._running: WarrenProcess | None = None
        directory.mkdir()

    async def start(self) -> tuple[str, int]:
        """Where it listens."""
        self._running = await trio.to_thread.run_sync(
            lambda: start_warren(
                self._directory, data_directory=self.data_directory, listen=self._listen, options=self._options
            )
        )
        return LOOPBACK, self._running.amqp_port

    def address(self, protocol: str) -> tuple[str, int]:
        """Where it listens for a protocol, while it runs."""
        assert self._running is not None
        return self._running.addresses[protocol]

    async def kill(self) -> None:
        if self._running is not None:
            await trio.to_thread.run_sync(self._running.kill)
            self._running = None

    @property
    def data_directory(self) -> Path:
        return self._directory / "data"

    @property
    def log(self) -> str:
        return (self._directory / "warren.log").read_text()

    def end(self) -> None:
        if self._running is not None:
            self._running.kill()


class Publisher:
    """Publishes numbers to a broker, each once, whatever happens to it.  confirmed: those that it has.

    declares: a durable queue that is made first, if it isn't there; empty for none.
    """

    def __init__(self, exchange: str, key: str, declares: str = "") -> None:
        self.published = 0
        self.confirmed: list[int] = []
        self._exchange = exchange
        self._key = key
        self._declares = declares

    async def publish(self, peers: trio.Nursery, address: tuple[str, int], count: int) -> None:
        """So many numbers, or fewer if it is killed meanwhile."""
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
        if self._declares:
            await peer.ask(channel, methods.QueueDeclare(queue=self._declares, durable=True), methods.QueueDeclareOk)
        await peer.ask(channel, methods.ConfirmSelect(), methods.ConfirmSelectOk)
        first = self.published
        last_confirmed = 0
        try:
            for _ in range(count // 20):
                for _ in range(20):
                    channel.publish(self._exchange, self._key, PERSISTENT, b"%d" % self.published)
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
