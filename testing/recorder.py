"""What was published to a virtual host, and where it went: the firehose (core.routing.firehose), watched.

Nobody sees that it is watched: there is no queue for it.  What is remembered is bounded; the oldest goes first.
"""

from __future__ import annotations

import base64
from collections import deque
from typing import TYPE_CHECKING, Final, TypedDict

from warren.core.routing.firehose import TRACE_EXCHANGE

if TYPE_CHECKING:
    from warren.core.messages.message import Message
    from warren.core.routing.vhost import VirtualHost

MESSAGES_MAX: Final = 10_000
BYTES_MAX: Final = 64 * 1024 * 1024
"""Of one virtual host; far more than a test looks at."""

PUBLISHED: Final = "publish."


class Record(TypedDict):
    """One message that was published.  body: in base64."""

    exchange: str
    routing_keys: list[str]
    queues: list[str]
    properties: object
    body: str
    user: str
    connection: str


class Recorder:
    """Of one virtual host; it watches until the virtual host is gone."""

    def __init__(self, vhost: VirtualHost) -> None:
        self._messages: deque[Message] = deque()
        self._bytes = 0
        vhost.exchange(TRACE_EXCHANGE).watch(self._take)
        vhost.changed()

    def records(self, exchange: str | None, routing_key: str | None) -> list[Record]:
        """Those to this exchange and with this routing key, in the order of publishing; None is any."""
        found = []
        for message in self._messages:
            record = _record(message)
            if exchange in (None, record["exchange"]) and (
                routing_key is None or routing_key in record["routing_keys"]
            ):
                found.append(record)
        return found

    def _take(self, message: Message) -> None:
        if not message.address.routing_key.startswith(PUBLISHED):
            return
        self._messages.append(message)
        self._bytes += message.body_size
        while len(self._messages) > MESSAGES_MAX or self._bytes > BYTES_MAX:
            self._bytes -= self._messages.popleft().body_size


def _record(message: Message) -> Record:
    headers = message.properties.headers or {}
    return Record(
        exchange=str(headers["exchange_name"]),
        routing_keys=_texts(headers["routing_keys"]),
        queues=_texts(headers["routed_queues"]),
        properties=headers["properties"],
        body=base64.b64encode(message.body).decode(),
        user=str(headers["user"]),
        connection=str(headers["connection"]),
    )


def _texts(values: object) -> list[str]:
    return [str(value) for value in values] if isinstance(values, list | tuple) else []
