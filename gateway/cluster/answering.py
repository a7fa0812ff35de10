"""What a node of a cluster says to the others' questions (asking.py): rows of its listings, and its queues' counts.

It answers in turns, and no more than so many rows and bytes; what is more is left out, and counted as a limit's doing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

import trio

from warren.core.administration import operations
from warren.core.administration.definitions_json.field_values import to_json
from warren.core.administration.listing.queues import QueueRow
from warren.core.cluster.far_queue import SHOWN
from warren.core.cluster.sharing import is_shared_queue
from warren.core.cluster.unowned import UnownedQueue
from warren.core.errors import BrokerError, NotFound
from warren.gateway.nats.errors import NatsError
from warren.gateway.turns import give_way

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.queues.base import Queue
    from warren.gateway.nats.codec import Message
    from warren.gateway.nats.trio_client import TrioClient
    from warren.gateway.network.hub import Hub

_log = logging.getLogger("warren.cluster")

LISTINGS: Final = (
    "connections",
    "channels",
    "mqtt_connections",
    "stomp_connections",
    "amqp10_connections",
    "stream_connections",
)
"""What other nodes may list."""

QUEUES: Final = "queues"
COUNTS: Final = "counts"
CLOSE: Final = "close"

COUNTED: Final = ("connections", "channels")

ROWS_MAX: Final = 10_000
"""Of a listing, in one answer.  Who has more connections on a node asks that node."""

QUEUES_MAX: Final = 200_000
"""The same of queues, which are much shorter."""

ANSWER_BYTES_MAX: Final = 16 * 1024 * 1024
PART_BYTES: Final = 128 * 1024
"""A millisecond to read; NATS takes eight times as much in one message."""

ROWS_PER_SLICE: Final = 50
"""Made in one go: a row of some forty columns takes as many microseconds."""

QUEUES_PER_SLICE: Final = 200
"""The same of queues, with five."""

ANSWERED_AT_ONCE: Final = 2
"""Questions; others wait for their turn."""

LIMIT: Final = "rows for another node"

MORE: Final = b"+"
LAST: Final = b"."
REFUSED: Final = b"!"


class Answering:
    """Of one node, while it is connected to NATS by `client`."""

    def __init__(self, broker: Broker, hub: Hub, client: TrioClient) -> None:
        self._broker = broker
        self._hub = hub
        self._client = client
        self._answering = trio.CapacityLimiter(ANSWERED_AT_ONCE)

    async def answer(self, question: Message) -> None:
        """Answer, or say why not."""
        if not question.reply:
            return
        async with self._answering:
            try:
                await self._send(question.reply, self._answer_to(question.payload))
            except NatsError as error:
                _log.debug("an answer for another node can't be sent: %s", error)
            except (BrokerError, ValueError, TypeError, KeyError) as error:
                why = error.text if isinstance(error, BrokerError) else f"it isn't understood ({error!r})"
                await self._refuse(question.reply, why)
            except Exception:
                _log.exception("a question of another node can't be answered")

    async def _refuse(self, inbox: str, why: str) -> None:
        try:
            await self._client.publish(inbox, REFUSED + json.dumps(why).encode())
        except NatsError as error:
            _log.debug("a refusal for another node can't be sent: %s", error)

    async def _send(self, inbox: str, rows: Iterator[object]) -> None:
        """Rows as they are made, in parts; None among them is for others' turns.  What is too much is left out."""
        part: list[str] = []
        part_bytes = whole_bytes = 0
        for row in rows:
            if row is None:
                await give_way()
                continue
            # A text that is no Unicode is kept by its escapes, so that a character is an octet here.
            text = json.dumps(row, default=str)
            if len(text) > PART_BYTES:
                continue
            whole_bytes += len(text)
            if whole_bytes > ANSWER_BYTES_MAX:
                self._broker.limit_hits.count(LIMIT)
                break
            if part_bytes + len(text) > PART_BYTES:
                await self._client.publish(inbox, MORE + f"[{','.join(part)}]".encode())
                part, part_bytes = [], 0
            part.append(text)
            part_bytes += len(text)
        await self._client.publish(inbox, LAST + f"[{','.join(part)}]".encode())

    def _answer_to(self, payload: bytes) -> Iterator[object]:
        what, arguments = json.loads(payload)
        if what in LISTINGS:
            return self._listed(what, *(arguments or ("", "")))
        if what == QUEUES:
            return self._named(arguments) if arguments is not None else self._counted()
        if what == COUNTS:
            return iter([{name: operations.overview.count(self._broker, name) for name in COUNTED}])
        if what == CLOSE:
            return iter([self._closed(**arguments)])
        raise ValueError(f"there is no question '{what}'")

    def _listed(self, what: str, column: str, wanted: str) -> Iterator[object]:
        """Rows of which a column holds this; of no column, all."""
        told = 0
        rows = self._broker.listings.kind(what).rows(self._broker, None)
        for number, row in enumerate(rows, 1):
            if row.exists and (not column or row.value(column) == wanted):
                told += 1
                if told > ROWS_MAX:
                    self._broker.limit_hits.count(LIMIT)
                    return
                yield {name: _plain(row.value(name)) for name in row.names()}
            if number % ROWS_PER_SLICE == 0:
                yield None

    def _counted(self) -> Iterator[object]:
        looked_at = 0
        for vhost in list(self._broker.vhosts.values()):
            for queue in list(vhost.queues.values()):
                looked_at += 1
                if looked_at > QUEUES_MAX:
                    self._broker.limit_hits.count(LIMIT)
                    return
                if _is_known_elsewhere(queue):
                    yield _count_of(queue)
                if looked_at % QUEUES_PER_SLICE == 0:
                    yield None

    def _named(self, names: Iterable[Sequence[str]]) -> Iterator[object]:
        for vhost_name, name in names:
            vhost = self._broker.vhosts.get(vhost_name)
            queue = None if vhost is None else vhost.queues.get(name)
            if queue is not None and _is_known_elsewhere(queue):
                queue.catch_up()
                yield _count_of(queue)

    def _closed(self, *, name: str, vhost: str, user: str, reason: str) -> int:
        hub = self._hub
        hub.note_time()
        connections = operations.connections
        try:
            if not name:
                return connections.close_all(self._broker, reason, vhost=vhost or None, user=user or None)
            connections.close(self._broker, name, reason)
            return 1
        except NotFound:
            return 0
        finally:
            hub.request_turn()


def _is_known_elsewhere(queue: Queue) -> bool:
    """Whether this node has it, and others know it."""
    stands_for_one = queue.is_remote or isinstance(queue, UnownedQueue)
    return not stands_for_one and (queue.of_cluster or is_shared_queue(queue))


def _count_of(queue: Queue) -> list[object]:
    row = QueueRow(queue)
    return [queue.vhost.name, queue.name, {name: row.value(name) for name in SHOWN}]


def _plain(value: object) -> object:
    """A value of a listing as JSON has it."""
    if value is None or isinstance(value, bool | int | float):
        return value
    is_known = isinstance(value, str | bytes | list | tuple | Mapping)
    return to_json(cast("Any", value)) if is_known else str(value)
