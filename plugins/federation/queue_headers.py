"""What a message is given on its way from an upstream's queue into a federated one (spec E.2).

`x-original-exchange` and `x-original-routing-key` keep where it was published; it is set on the first way alone, as it
comes into the queue through the default exchange from then on.  `x-received-from` gets an entry per upstream queue that
it came from, the latest first, with how often it came from there.  CC would have this broker route it to other queues
as well, so it is renamed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from warren.core.messages.field_table import Typed
from warren.plugins.federation.known_properties import KnownProperties
from warren.plugins.federation.messages import without_user_id
from warren.plugins.federation.ways import RECEIVED_FROM

if TYPE_CHECKING:
    from warren.adapters.amqp091.client.incoming import Incoming
    from warren.core.messages.field_table import Encodable, FieldValue
    from warren.core.messages.properties import Properties

ORIGINAL_EXCHANGE: Final = "x-original-exchange"
ORIGINAL_ROUTING_KEY: Final = "x-original-routing-key"
ORIGINAL_COPIES: Final = "x-original-cc"
COPIES: Final = "CC"
VISIT_COUNT: Final = "visit-count"


class QueueHeaders:
    """Implements bridging.ends.Rewriting.

    queue: the federated one.  uri, upstream_queue: where messages come from, as headers show it.  trust_user_id: keep
    the property user_id, which this broker can't check.
    """

    def __init__(self, queue: str, uri: str, upstream_queue: str, *, trust_user_id: bool) -> None:
        self._queue = queue
        self._uri = uri
        self._upstream_queue = upstream_queue
        self._trust_user_id = trust_user_id
        self._known = KnownProperties()

    def address(self, message: Incoming) -> tuple[str, str]:
        """The default exchange, and the queue."""
        return "", self._queue

    def properties(self, message: Incoming) -> Properties:
        """Its properties, with the headers as they are to be."""
        along = message.redelivered, message.exchange, message.routing_key
        return self._known.of(message.properties, along, lambda: self._made(message))

    def _made(self, message: Incoming) -> Properties:
        properties = message.properties if self._trust_user_id else without_user_id(message.properties)
        headers = properties.headers or {}
        entries: dict[str, Encodable] = {}
        before = headers.get(RECEIVED_FROM)
        if not isinstance(before, list):
            before = []
            entries[ORIGINAL_EXCHANGE] = message.exchange
            entries[ORIGINAL_ROUTING_KEY] = message.routing_key
        visits = [way for way in before if self._is_from_here(way)]
        others = [way for way in before if not self._is_from_here(way)]
        entries[RECEIVED_FROM] = [
            {
                "uri": self._uri,
                "queue": self._upstream_queue,
                "redelivered": message.redelivered,
                VISIT_COUNT: Typed("l", _count(visits) + 1),
            },
            *others,
        ]
        if COPIES in headers:
            entries[ORIGINAL_COPIES] = headers[COPIES]
        return properties.with_header_entries(entries, (COPIES,))

    def _is_from_here(self, way: FieldValue) -> bool:
        return isinstance(way, dict) and (way.get("uri"), way.get("queue")) == (self._uri, self._upstream_queue)


def _count(visits: list[FieldValue]) -> int:
    """How often the message came this way; a header that a stranger has set counts for what it says, or nothing."""
    for way in visits:
        count = way.get(VISIT_COUNT) if isinstance(way, dict) else None
        if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 1 << 62:
            return count
    return 0
