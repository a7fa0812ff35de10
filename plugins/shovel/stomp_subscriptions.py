"""Durable subscriptions that a shovel leaves at STOMP brokers: queues that go on collecting messages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from warren.adapters.stomp.message_headers import TRUE
from warren.core.frozen import frozen
from warren.gateway.plugin import connect_stomp
from warren.plugins.shovel.stomp_definition import StompDestinationDefinition, StompSourceDefinition

if TYPE_CHECKING:
    import trio

    from warren.adapters.stomp.client.uri import StompUri
    from warren.core.storage.definitions.store import JSON
    from warren.plugins.shovel.definition import ShovelDefinition
    from warren.plugins.shovel.left_behind import Key

DURABLE: Mapping[str, str] = {"durable": "true"}
"""Without it, UNSUBSCRIBE ends the consumer alone (spec B.4)."""


@frozen
class KeptSubscription:
    """A durable subscription.  Two of the same id and destination, broker, virtual host and user are one."""

    id: str
    destination: str
    uri: StompUri
    headers: Mapping[str, str]

    @property
    def key(self) -> Key:
        uri = self.uri
        return "stomp", self.id, uri.host, uri.port, uri.vhost, uri.user, self.destination

    @property
    def shown(self) -> str:
        return f"the durable subscription '{self.id}' to '{self.destination}' at {self.uri.shown}"

    def note(self, before: Mapping[str, JSON]) -> Mapping[str, JSON]:
        return {"headers": dict(self.headers)}

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


def subscription_from(
    key: Key, more: Mapping[str, JSON], definitions: Sequence[ShovelDefinition]
) -> KeptSubscription | None:
    """The subscription that was noted; None if none of these shovels knows how to log in there."""
    _, id, host, port, vhost, user, destination = key
    for definition in definitions:
        for end in (definition.source, definition.destination):
            for uri in end.uris if isinstance(end, StompSourceDefinition | StompDestinationDefinition) else ():
                if (uri.host, uri.port, uri.vhost, uri.user) == (host, port, vhost, user):
                    return KeptSubscription(str(id), str(destination), uri, _texts(more))
    return None


def _texts(more: Mapping[str, JSON]) -> dict[str, str]:
    """The headers that a note has."""
    headers = more.get("headers")
    return {name: str(value) for name, value in headers.items()} if isinstance(headers, dict) else {}
