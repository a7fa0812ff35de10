"""Brokers of one process that ask each other what they have, as nodes of a cluster do, over a bus instead of NATS."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Generator, Mapping, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, TypeVar, cast

import trio

from warren.core.administration.listing.far import FarRow
from warren.core.administration.steps import Steps
from warren.core.cluster.figures import ClusterFigures, LinkFigures, ShardFigures
from warren.core.cluster.hook import Node
from warren.gateway.cluster.asking import Asking
from warren.gateway.cluster.names import ask_subject
from warren.gateway.nats.calls import Reply
from warren.gateway.nats.codec import Message
from warren.gateway.nats.errors import NoResponders
from warren.gateway.nats.headers import Headers

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.cluster.beyond import Beyond
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost
    from warren.gateway.nats.calls import Call
    from warren.gateway.nats.trio_client import TrioClient
    from warren.gateway.network.hub import Hub

Found = TypeVar("Found")


class Bus:
    """What stands for NATS.  silent: nodes that hear nothing.  asked: what was asked, in order.  parts: of answers."""

    def __init__(self) -> None:
        self.silent: set[str] = set()
        self.asked: list[tuple[str, str]] = []
        self.parts = 0
        self._inboxes = 0
        self._subscriptions: dict[str, trio.MemorySendChannel[Message]] = {}

    def hears(self, node: str) -> bool:
        """Whether it can be asked by now."""
        return ask_subject(node) in self._subscriptions

    async def publish(self, subject: str, payload: bytes, reply: str = "") -> None:
        """As TrioClient.publish; nobody need be there."""
        await trio.lowlevel.checkpoint()
        self.parts += subject.startswith("_INBOX")
        put = self._subscriptions.get(subject)
        if put is not None and subject not in {ask_subject(name) for name in self.silent}:
            put.send_nowait(Message(subject, 1, reply, b"", payload))

    @asynccontextmanager
    async def subscribe(self, subject: str) -> AsyncIterator[trio.MemoryReceiveChannel[Message]]:
        """As TrioClient.subscribe."""
        put, take = trio.open_memory_channel[Message](float("inf"))
        self._subscriptions[subject] = put
        try:
            yield take
        finally:
            del self._subscriptions[subject]

    async def call(self, call: Call[Found]) -> Found:
        """As TrioClient.call."""
        if call.subject not in self._subscriptions:
            raise NoResponders(f"nobody answers at {call.subject}")
        question = json.loads(call.payload)
        self.asked.append((call.subject, str(question[0])))
        self._inboxes += 1
        inbox = f"_INBOX.{self._inboxes}"
        replies: list[Reply] = []
        async with self.subscribe(inbox) as answers:
            await self.publish(call.subject, call.payload, inbox)
            while True:
                replies.append(Reply(Headers(), (await answers.receive()).payload))
                if call.is_last(replies[-1]):
                    return call.answer(replies)

    async def ask(self, node: str, payload: bytes) -> bytes:
        """What a node answers, whatever it is asked."""
        async with self.subscribe("_INBOX.raw") as answers:
            await self.publish(ask_subject(node), payload, "_INBOX.raw")
            return (await answers.receive()).payload


class AskedNode:
    """A node; a core.cluster.hook.ClusterHook, as far as it is asked here.  owners: of its shards.

    shards, links: what is measured of them.
    """

    def __init__(self, name: str, broker: Broker, hub: object, bus: Bus) -> None:
        self.name = name
        self.broker = broker
        self.hub = cast("Hub", hub)
        self.nodes: dict[str, Node] = {}
        self.owners: list[str] = []
        self.shards: list[ShardFigures] = []
        self.links: list[LinkFigures] = []
        self.asking = Asking(broker, name, lambda: [each for each in self.nodes if each != name], lambda: True)
        self._bus = bus
        broker.cluster = cast("Any", self)

    async def run(self) -> None:
        """Ask and answer, until cancelled."""
        await self.asking.run(self.hub, cast("TrioClient", self._bus))

    def end_of_turn(self) -> bool:
        return False

    def makes(self, made: type[Queue], *, durable: bool, exclusive: bool) -> bool:
        return False

    def beyond_of(self, vhost: VirtualHost) -> Beyond | None:
        return None

    def queue_made(self, queue: Queue) -> None:
        """Nothing of it matters here."""

    def queue_named(self, vhost: VirtualHost, name: str) -> None:
        """Nothing of it matters here."""

    def queue_unnamed(self, vhost: VirtualHost, name: str) -> None:
        """Nothing of it matters here."""

    def is_there(self, node: str) -> bool:
        return node in self.nodes

    def owners_of_shards(self) -> list[str]:
        return self.owners

    def shard_rows(self) -> Steps[list[dict[str, object]]]:
        return Steps(self._shard_rows())

    def _shard_rows(self) -> Generator[None, None, list[dict[str, object]]]:
        yield
        return [
            {"shard": number, "node": node, "state": "" if node else "no owner", "reason": ""}
            for number, node in enumerate(self.owners)
        ]

    def figures(self) -> ClusterFigures:
        return ClusterFigures(len(self.nodes), True, True, 0, 0, 0, self.shards, self.links)

    def rows_elsewhere(self, what: str, where: tuple[str, str] | None = None) -> Awaitable[Sequence[FarRow]]:
        return self.asking.rows(what, where)

    def counts_elsewhere(self) -> Awaitable[Mapping[str, int]]:
        return self.asking.counts()

    def count_elsewhere(self, queue: Queue | None = None) -> Awaitable[None]:
        return self.asking.count(queue)

    def want_counts(self) -> None:
        self.asking.want_counts()

    def close_elsewhere(
        self, reason: str, *, name: str = "", vhost: str = "", user: str = "", node: str = ""
    ) -> Awaitable[int]:
        return self.asking.close(reason, name=name, vhost=vhost, user=user, node=node)


def no_hub() -> object:
    """That of a broker whose turns a test ends."""
    return SimpleNamespace(note_time=lambda: None, request_turn=lambda: None)


@asynccontextmanager
async def asking_nodes(bus: Bus, *nodes: AskedNode) -> AsyncIterator[None]:
    """All of them know each other, and hear what they are asked, until the block ends."""
    there = {node.name: Node(node.name, "", "1.0", node.broker.started_at_ms) for node in nodes}
    async with trio.open_nursery() as nursery:
        for node in nodes:
            node.nodes = dict(there)
            nursery.start_soon(node.run)
        while not all(bus.hears(node.name) for node in nodes):
            await trio.lowlevel.checkpoint()
        yield
        nursery.cancel_scope.cancel()
