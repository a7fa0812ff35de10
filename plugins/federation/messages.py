"""What a link takes of the messages that come from an upstream, and how it hands them on (spec E.2)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from warren.plugins.federation.known_properties import KnownProperties
from warren.plugins.federation.ways import RECEIVED_FROM, Place, may_come

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.incoming import Incoming
    from warren.core.messages.field_table import Encodable
    from warren.core.messages.properties import Properties
    from warren.plugins.bridging.amqp_ends import AmqpSource
    from warren.plugins.bridging.remembered import Remembered


class FederatedSource:
    """Implements bridging.ends.Source: what comes from the upstream, but what has been here already.

    wanted: whether a message may come over this link.  dropped: called with how many weren't sent on.
    """

    def __init__(
        self,
        source: AmqpSource,
        remembered: Remembered,
        wanted: Callable[[Incoming], bool],
        dropped: Callable[[int], None],
    ) -> None:
        self.waiting: int | None = None
        self._source = source
        self._remembered = remembered
        self._wanted = wanted
        self._dropped = dropped

    async def receive(self) -> Sequence[Incoming]:
        while True:
            arrived = await self._source.receive()
            wanted, remembered = self._wanted, self._remembered
            taken = []
            for message in arrived:
                if wanted(message) and not remembered.is_known(message):
                    remembered.forwarded(message)
                    taken.append(message)
                else:
                    self._source.ack_alone(message)
            if len(taken) < len(arrived):
                self._dropped(len(arrived) - len(taken))
            if taken:
                return taken

    # Remembered first: over a link that has just broken the upstream can't be told, and delivers again.

    def ack(self, message: Incoming) -> None:
        self._remembered.acknowledged(message.tag)
        self._source.ack(message)

    def ack_alone(self, message: Incoming) -> None:
        self._remembered.acknowledged_alone(message.tag)
        self._source.ack_alone(message)


def may_come_to(downstream: Place, max_hops: int) -> Callable[[Incoming], bool]:
    """For FederatedSource: messages that haven't come over too many links, nor been at `downstream`."""
    return lambda message: (
        not message.properties.has_headers or may_come(message.properties.headers, max_hops, downstream)
    )


class ExchangeRewriting:
    """Implements bridging.ends.Rewriting for the messages of a federated exchange.

    exchange: where they are published here.  way: what x-received-from says of this link, but for `redelivered`.
    """

    def __init__(self, exchange: str, way: Way, *, trust_user_id: bool) -> None:
        self._exchange = exchange
        self._way = way
        self._trust_user_id = trust_user_id
        self._known = KnownProperties()

    def address(self, message: Incoming) -> tuple[str, str]:
        return self._exchange, message.routing_key

    def properties(self, message: Incoming) -> Properties:
        return self._known.of(message.properties, message.redelivered, lambda: self._made(message))

    def _made(self, message: Incoming) -> Properties:
        properties = message.properties if self._trust_user_id else without_user_id(message.properties)
        return with_way(properties, self._way.entry(redelivered=message.redelivered))


class Way:
    """The entry of one link in x-received-from.

    uri: of the upstream, as it is shown.  kind, name: the exchange or the queue there.  upstream: where that is.
    """

    def __init__(self, uri: str, kind: str, name: str, upstream: Place) -> None:
        self._before: dict[str, Encodable] = {"uri": uri, kind: name}
        self._behind: dict[str, Encodable] = {"cluster-name": upstream.cluster, "vhost": upstream.vhost}

    def entry(self, *, redelivered: bool) -> dict[str, Encodable]:
        return {**self._before, "redelivered": redelivered, **self._behind}


def with_way(properties: Properties, entry: dict[str, Encodable]) -> Properties:
    """The properties with one entry more in front of x-received-from."""
    before = (properties.headers or {}).get(RECEIVED_FROM)
    return properties.with_header_entries({RECEIVED_FROM: [entry, *(before if isinstance(before, list) else ())]})


def without_user_id(properties: Properties) -> Properties:
    """The properties without a user_id, which only the broker that the message was published to has checked."""
    return properties if properties.user_id is None else properties.with_changes(user_id=None)
