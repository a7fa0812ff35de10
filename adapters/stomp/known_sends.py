"""SENDs whose head (command and headers, as raw bytes) was seen before in this session.

Destination, properties, checks and route belong to the head, so the same head means the same of them
(core.routing.known_routes says for how long), if nothing about it makes the broker act on each message by itself.

Who asks for receipts writes another one into each head.  So a head is remembered without the line of its receipt, if
that is of the plain kind that programs write: it means the same in every version, and nothing in it is escaped.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from warren.core.routing.known_routes import KnownRoute, KnownRoutes, may_be_remembered

if TYPE_CHECKING:
    from warren.adapters.stomp.codec.frames import Frame
    from warren.core.clients.client import Client
    from warren.core.counters import SessionCounts
    from warren.core.messages.properties import Properties
    from warren.core.routing.route import Route

KNOWN_SENDS_MAX: Final = 1024
"""Remembered heads per session; one that varies them endlessly starts over."""

KNOWN_HEAD_BYTES_MAX: Final = 1024
"""Longer heads are hardly constant, and not looked for."""

END_OF_HEAD: Final = b"\n\n"
"""The empty line behind the headers; heads with carriage returns in them aren't remembered."""


RECEIPT_LINE: Final = re.compile(rb"\nreceipt:([A-Za-z0-9._-]{1,64})(?=\n|\Z)")
"""Within a head, behind the command."""


class KnownSend(KnownRoute):
    """What a head led to.  body_size: by its content-length, -1 without.  store_ids: empty for transient messages."""

    __slots__ = ("body_size", "properties")

    def __init__(self, route: Route, counts: SessionCounts, properties: Properties, body_size: int) -> None:
        super().__init__(route, counts)
        if not properties.persistent:
            self.store_ids = ()
        self.properties = properties
        self.body_size = body_size


_NOTHING_KNOWN: Final[Mapping[bytes, KnownSend]] = {}


class KnownSends:
    """Of one session; there is nothing to know before it has entered its virtual host."""

    __slots__ = ("_client", "_head", "_routes")

    def __init__(self) -> None:
        self._client: Client | None = None
        self._routes: KnownRoutes[KnownSend] | None = None
        self._head = b""

    def entered(self, client: Client) -> None:
        """The session has entered its virtual host."""
        self._client = client
        self._routes = KnownRoutes(client.vhost, KNOWN_SENDS_MAX)

    def now(self) -> Mapping[bytes, KnownSend]:
        """What is remembered and still holds, by the head without the empty line that ends it."""
        return self._routes.now() if self._routes is not None else _NOTHING_KNOWN

    def comes(self, frame: Frame, data: bytes, start: int) -> None:
        """`frame` is about to be handled; `data` holds all of it from `start` on, if that isn't -1."""
        stop = frame.body_at - len(END_OF_HEAD)
        self._head = b""
        is_short = frame.body_at - start <= KNOWN_HEAD_BYTES_MAX
        if 0 <= start <= stop and is_short and data.find(END_OF_HEAD, start, frame.body_at) == stop:
            self._head = data[start:stop]

    def comes_late(self) -> None:
        """A frame is about to be handled whose bytes are gone."""
        self._head = b""

    def remember(self, frame: Frame, route: Route, properties: Properties) -> None:
        """The SEND that came went this way: the next one with the same head does so, too, if nothing can vary."""
        client, routes = self._client, self._routes
        if (
            (head := self._head_without_receipt(frame))
            and client is not None
            and routes is not None
            and "transaction" not in frame.headers
            and properties.expiration is None
            and properties.priority is None
            and may_be_remembered(client.vhost, route)
        ):
            sized = frame.headers.get("content-length", "").strip().isdecimal()
            body_size = len(frame.body) if sized else -1
            routes.remember(head, KnownSend(route, client.counts.own, properties, body_size))

    def _head_without_receipt(self, frame: Frame) -> bytes:
        """What is remembered of a head; nothing, if its receipt isn't a line that can be taken out."""
        head, receipt = self._head, frame.receipt
        if receipt is None or not head:
            return head
        line = RECEIPT_LINE.search(head)
        if line is None or line[1].decode() != receipt:
            return b""
        head = head[: line.start()] + head[line.end() :]
        return b"" if b"\nreceipt" in head else head

    def forget(self) -> None:
        """Start over: something in the session itself has changed."""
        if self._routes is not None:
            self._routes.forget()
