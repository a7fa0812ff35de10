"""Two embedded brokers, linked by sockets as nodes of a cluster are; where queues are is the test's say."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import trio

from tests.support import core_clients
from tests.support.tls_broker import DESCRIPTORS_MAX, TIME_LIMIT_S, run_of
from warren.adapters.amqp091.settings import Amqp091Settings
from warren.core.cluster.remote_queue import RemoteQueue
from warren.core.messages.field_table import Encodable
from warren.gateway import EmbeddedBroker, open_broker
from warren.gateway.cluster.links import ClusterLinks
from warren.gateway.cluster.settings import LinkSettings
from warren.gateway.configuration.config import Config
from warren.gateway.tls.contexts import TlsContexts
from warren.gateway.tls.settings import TlsSettings

SECRET = b"a secret of two brokers"


@dataclass
class Linked:
    """One of the two.  addresses: where each node listens, by its name."""

    name: str
    broker: EmbeddedBroker
    links: ClusterLinks
    addresses: dict[str, str]

    def remote(self, name: str, node: str, arguments: Mapping[str, Encodable] | None = None) -> RemoteQueue:
        """Have a queue stand here for that of the other node."""
        run = run_of(self.broker)
        vhost = run.broker.vhosts["/"]
        decoded, raw = core_clients.table(arguments or {})
        queue = self.links.remote(node, vhost, name, arguments=decoded, arguments_raw=raw)
        vhost.queues[name] = queue
        vhost.changed()
        run.hub.request_turn()
        return queue


@asynccontextmanager
async def linked_brokers(
    config: Config | None = None, settings: LinkSettings | None = None, listen: tuple[str, ...] = ()
) -> AsyncIterator[tuple[Linked, Linked]]:
    """Nodes `a` and `b`.  settings: of their links, without an address."""
    config = config or Config(in_memory=True)
    addresses: dict[str, str] = {}
    with trio.fail_after(TIME_LIMIT_S):
        async with (
            open_broker(listen=listen, config=config) as one,
            open_broker(listen=listen, config=config) as other,
            trio.open_nursery() as nursery,
        ):
            both = [_node(name, broker, config, settings, addresses) for name, broker in (("a", one), ("b", other))]
            for each in both:
                nursery.start_soon(each.links.run)
            yield both[0], both[1]
            nursery.cancel_scope.cancel()


def _node(
    name: str, broker: EmbeddedBroker, config: Config, settings: LinkSettings | None, addresses: dict[str, str]
) -> Linked:
    run = run_of(broker)
    settings = settings or LinkSettings(address="127.0.0.1:0")
    contexts = TlsContexts(config.section(TlsSettings), run.broker.now_ms) if settings.tls else None
    links = ClusterLinks(run.hub, name, SECRET, settings, config.section(Amqp091Settings), addresses.get, contexts)
    addresses[name] = links.listen(DESCRIPTORS_MAX)
    return Linked(name, broker, links, addresses)
