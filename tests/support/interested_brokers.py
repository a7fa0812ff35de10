"""Embedded brokers, linked by sockets, that tell each other what their own queues bind, over a bus in the process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import trio

from tests.support.linked_brokers import SECRET
from tests.support.tls_broker import DESCRIPTORS_MAX, TIME_LIMIT_S, run_of
from warren.adapters.amqp091.settings import Amqp091Settings
from warren.gateway import EmbeddedBroker, open_broker
from warren.gateway.cluster.interest import InterestExchange
from warren.gateway.cluster.links import ClusterLinks
from warren.gateway.cluster.settings import LinkSettings
from warren.gateway.configuration.config import Config

if TYPE_CHECKING:
    from warren.core.cluster.beyond import Beyond
    from warren.core.queues.base import Queue
    from warren.core.routing.vhost import VirtualHost
    from warren.gateway.nats.trio_client import TrioClient


class Bus:
    """What stands for NATS: what is published reaches all subscriptions, but those of nodes that are cut off."""

    def __init__(self) -> None:
        self.cut: set[str] = set()
        self._subscriptions: list[tuple[str, trio.MemorySendChannel[Any]]] = []

    def client(self, node: str) -> TrioClient:
        """That of a node."""
        return cast("TrioClient", BusClient(self, node))

    def publish(self, node: str, payload: bytes) -> None:
        """Said by a node."""
        if node not in self.cut:
            for other, put in self._subscriptions:
                if other not in self.cut:
                    put.send_nowait(SimpleNamespace(payload=payload))

    @asynccontextmanager
    async def subscription(self, node: str) -> AsyncIterator[trio.MemoryReceiveChannel[Any]]:
        """What a node hears."""
        put, take = trio.open_memory_channel[Any](float("inf"))
        self._subscriptions.append((node, put))
        try:
            yield take
        finally:
            self._subscriptions.remove((node, put))


class BusClient:
    """As TrioClient, as far as it is used."""

    def __init__(self, bus: Bus, node: str) -> None:
        self._bus = bus
        self._node = node

    async def publish(self, subject: str, payload: bytes, headers: Mapping[str, str] | None = None) -> None:
        """See Bus."""
        await trio.lowlevel.checkpoint()
        self._bus.publish(self._node, payload)

    @asynccontextmanager
    async def subscribe(self, subject: str) -> AsyncIterator[trio.MemoryReceiveChannel[Any]]:
        """See Bus."""
        async with self._bus.subscription(self._node) as take:
            yield take


@dataclass
class Interested:
    """A node; a core.cluster.hook.ClusterHook, as far as it is asked here."""

    name: str
    broker: EmbeddedBroker
    links: ClusterLinks
    interest: InterestExchange

    def end_of_turn(self) -> bool:
        self.interest.end_of_turn()
        return False

    def makes(self, made: type[Queue], *, durable: bool, exclusive: bool) -> bool:
        return False

    def beyond_of(self, vhost: VirtualHost) -> Beyond | None:
        return self.interest.audiences.of(vhost)

    def queue_made(self, queue: Queue) -> None:
        self.interest.bindings.made(queue)

    def queue_named(self, vhost: VirtualHost, name: str) -> None:
        self.interest.bindings.named(vhost.name, name)

    def queue_unnamed(self, vhost: VirtualHost, name: str) -> None:
        self.interest.bindings.unnamed(vhost.name, name)

    def knows(self, other: Interested) -> bool:
        """Whether this node has put in place all that the other one's queues bind."""
        audiences = self.interest.audiences
        own = other.interest.own
        return (
            not own.is_anything_new
            and audiences.others.interests(other.name) == own.interests
            and not audiences.is_working
            and all(each.far.is_open for each in self._audiences(other.name))
        )

    def _audiences(self, name: str) -> list[Any]:
        beyond = [vhost.beyond for vhost in run_of(self.broker).broker.vhosts.values()]
        return [each.audiences[name] for each in beyond if each is not None and name in each.audiences]


async def agreed(*nodes: Interested) -> None:
    """Return once each knows what all others' queues bind, and has its links."""
    while not all(one.knows(other) for one in nodes for other in nodes if one is not other):
        for each in nodes:
            run_of(each.broker).hub.request_turn()
        await trio.sleep(0.005)


@asynccontextmanager
async def interested_brokers(
    count: int = 2, config: Config | None = None, listen: tuple[str, ...] = (), bus: Bus | None = None
) -> AsyncIterator[list[Interested]]:
    """Nodes `a`, `b`, `c`."""
    config = config or Config(in_memory=True)
    bus = bus or Bus()
    addresses: dict[str, str] = {}
    names = "abc"[:count]
    with trio.fail_after(TIME_LIMIT_S):
        async with AsyncExitStack() as stack:
            brokers = [await stack.enter_async_context(open_broker(listen=listen, config=config)) for _ in names]
            nursery = await stack.enter_async_context(trio.open_nursery())
            nodes = []
            for number, (name, broker) in enumerate(zip(names, brokers, strict=True), 1):
                run = run_of(broker)
                links = ClusterLinks(
                    run.hub,
                    name,
                    SECRET,
                    LinkSettings(address="127.0.0.1:0"),
                    config.section(Amqp091Settings),
                    addresses.get,
                )
                addresses[name] = links.listen(DESCRIPTORS_MAX)
                interest = InterestExchange(run.broker, name, number, links.audience)
                node = Interested(name, broker, links, interest)
                run.broker.cluster = cast("Any", node)
                interest.begin()
                nodes.append(node)
            for node in nodes:
                nursery.start_soon(node.links.run)
                nursery.start_soon(node.interest.run, run_of(node.broker).hub, bus.client(node.name))
                node.interest.set_nodes(name for name in names if name != node.name)
            yield nodes
            nursery.cancel_scope.cancel()
