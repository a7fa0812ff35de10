"""Durable subscriptions that a shovel leaves at STOMP brokers: queues that go on collecting messages."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from warren.adapters.stomp.message_headers import TRUE
from warren.gateway.plugin import connect_stomp
from warren.plugins.shovel.stomp_definition import StompSourceDefinition

if TYPE_CHECKING:
    import trio

    from warren.adapters.stomp.client.uri import StompUri
    from warren.plugins.shovel.definition import ShovelDefinition

DURABLE: Mapping[str, str] = {"durable": "true"}
"""Without it, UNSUBSCRIBE ends the consumer alone (spec B.4)."""


@dataclass(frozen=True, slots=True)
class KeptSubscription:
    """A durable subscription.  Two of the same id and destination, broker, virtual host and user are one."""

    id: str
    destination: str
    uri: StompUri
    headers: Mapping[str, str]

    @property
    def key(self) -> Hashable:
        uri = self.uri
        return "stomp", self.id, self.destination, uri.host, uri.port, uri.vhost, uri.user

    @property
    def shown(self) -> str:
        return f"the durable subscription '{self.id}' to '{self.destination}' at {self.uri.shown}"

    async def end(self, peers: trio.Nursery) -> None:
        """Subscribe once more, for one message that stays unacknowledged: only who has subscribed can unsubscribe."""
        peer = await connect_stomp(peers, self.uri)
        try:
            headers = {**self.headers, "prefetch-count": "1"}
            await peer.subscribe(self.id, self.destination, "client-individual", headers)
            await peer.unsubscribe(self.id, DURABLE)
        finally:
            await peer.aclose()


def kept_subscriptions(definition: ShovelDefinition, own_id: Callable[[str], str]) -> Iterator[KeptSubscription]:
    """Those that a shovel may have left.  own_id: the id where the definition names none."""
    source = definition.source
    if not isinstance(source, StompSourceDefinition):
        return
    if not any(source.headers.get(name) in TRUE for name in ("durable", "persistent")):
        return
    headers = {name: value for name, value in source.headers.items() if name != "id"}
    for uri in source.uris:
        for id, destination in source.subscriptions(own_id("source")):
            yield KeptSubscription(id, destination, uri, headers)
