"""What nodes of a cluster ask each other for people who look: connections, channels, how many messages queues have.

Theory of operation
-------------------
A question is a request of NATS to one node, by its name (names.ask_subject), and its answer comes in parts.  A node is
asked once for all that it has of a kind, never for each object, and what it said serves everybody for a moment.  It
answers in turns (answering.py); who doesn't answer in time is left out, and said to be so in the log, once.

    question    [what, arguments] as JSON
    a part      `+` where more follow, `.` for the last one, `!` for a refusal; then JSON: rows, or why not

    connections, channels and so on    the rows of a listing, each an object of columns; the arguments may name a column
                                       and what it holds in those that are wanted
    queues                             [virtual host, name, columns] of queues that all nodes know and this one has;
                                       the arguments may name which
    counts                             one object: how many connections and channels there are
    close                              how many connections were closed; the arguments say which, and why

Whoever may use the NATS servers' subjects may ask, as they may change everything that the cluster shares.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import trio

from warren.core.administration.listing.far import FarRow
from warren.core.cluster.remote_queue import RemoteQueue
from warren.core.errors import NotFound
from warren.gateway.cluster.answering import CLOSE, COUNTED, COUNTS, MORE, QUEUES, REFUSED, Answering
from warren.gateway.cluster.names import ask_subject
from warren.gateway.nats.calls import Call, Reply
from warren.gateway.nats.errors import NatsError
from warren.gateway.turns import give_way

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.queues.base import Queue
    from warren.gateway.nats.trio_client import TrioClient
    from warren.gateway.network.hub import Hub

_log = logging.getLogger("warren.cluster")

ANSWER_S: Final = 3.0
"""How long a node may take to answer: thousands of rows take a few tenths of a second, on a busy machine seconds."""

FRESH_S: Final = 1.0
"""What was answered serves everybody for so long."""

RETRY_S: Final = 0.5

QUEUES_PER_SLICE: Final = 1000
"""Looked at, or told what their nodes have said, in one go: a microsecond each."""

Answers = dict[str, list[Any] | None]
"""What each node has said; None where it has said nothing."""


class Asking:
    """Of one node.

    name: this one's.  others: gives the names of those that there are.  is_connected: whether NATS can be reached, as
    far as is known.
    """

    def __init__(
        self, broker: Broker, name: str, others: Callable[[], Iterable[str]], is_connected: Callable[[], bool]
    ) -> None:
        self._broker = broker
        self._name = name
        self._others = others
        self._is_connected = is_connected
        self._client: TrioClient | None = None
        self._known: dict[str, tuple[float, Answers]] = {}
        self._locks: dict[str, trio.Lock] = {}
        self._silent: set[str] = set()
        self._wanted = trio.Event()

    async def run(self, hub: Hub, client: TrioClient) -> None:
        """Answer, and be able to ask, until cancelled."""
        self._client = client
        answering = Answering(self._broker, hub, client)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._forget)
            nursery.start_soon(self._count_on)
            while True:
                try:
                    async with client.subscribe(ask_subject(self._name)) as questions:
                        while True:
                            nursery.start_soon(answering.answer, await questions.receive())
                except NatsError as error:
                    _log.debug("other nodes' questions aren't heard just now: %s", error)
                await trio.sleep(RETRY_S)

    # What this node asks

    async def rows(self, what: str, where: tuple[str, str] | None = None) -> Sequence[FarRow]:
        """The rows of the other nodes in a listing.  where: a column, and what it holds in those that are wanted."""
        if where is None:
            answers = await self._said(what, _far_row)
            return [row for rows in answers.values() for row in rows or ()]
        answers = await self._ask_all(self._others(), what, where)
        made = [_far_row(node, row) for node, rows in answers.items() for row in rows or ()]
        return [row for row in made if row is not None]

    async def counts(self) -> Mapping[str, int]:
        """How many connections and channels the other nodes have together, as far as they say."""
        answers = await self._said(COUNTS)
        found = [row for rows in answers.values() for row in rows or () if isinstance(row, dict)]
        return {name: sum(_number(row.get(name)) for row in found) for name in COUNTED}

    async def count(self, queue: Queue | None = None) -> None:
        """Have queues of other nodes show what these say of them: one, or all."""
        if queue is not None:
            if isinstance(queue, RemoteQueue):
                node, name = queue.far.node, (queue.vhost.name, queue.name)
                rows = (await self._ask_all([node], QUEUES, [name]))[node]
                queue.told(None if rows is None else _by_name(rows).get(name, {}))
            return
        async with self._locks.setdefault(QUEUES, trio.Lock()):
            asked_s, _ = self._known.get(QUEUES, (-FRESH_S, {}))
            if trio.current_time() - asked_s >= FRESH_S:
                await self._count_all()
                self._known[QUEUES] = trio.current_time(), {}

    def want_counts(self) -> None:
        """The same, soon: somebody has looked who can't wait."""
        self._wanted.set()

    async def close(self, reason: str, *, name: str, vhost: str, user: str, node: str) -> int:
        """Close connections of one node, or of all others; how many were.  Raises NotFound where it doesn't answer."""
        arguments = {"name": name, "vhost": vhost, "user": user, "reason": reason}
        answers = await self._ask_all([node] if node else self._others(), CLOSE, arguments, repeatable=False)
        if node and answers.get(node) is None:
            raise NotFound(f"node '{node}' doesn't answer; close the connection there")
        return sum(_number(count) for counts in answers.values() for count in counts or ())

    async def _count_all(self) -> None:
        nodes: set[str] = set()
        for queue in self._remote_queues():
            if queue is None:
                await give_way()
            else:
                nodes.add(queue.far.node)
        there = nodes.intersection(self._others())
        answers = await self._ask_all(there, QUEUES) if nodes else {}
        said = {node: None if rows is None else _by_name(rows) for node, rows in answers.items()}
        for queue in self._remote_queues() if nodes else ():
            if queue is None:
                await give_way()
                continue
            rows = said.get(queue.far.node)
            queue.told(None if rows is None else rows.get((queue.vhost.name, queue.name), {}))

    def _remote_queues(self) -> Iterator[RemoteQueue | None]:
        """Each; None now and then, for others' turns."""
        looked_at = 0
        for vhost in list(self._broker.vhosts.values()):
            for queue in list(vhost.queues.values()):
                looked_at += 1
                if isinstance(queue, RemoteQueue):
                    yield queue
                if looked_at % QUEUES_PER_SLICE == 0:
                    yield None

    async def _count_on(self) -> None:
        while True:
            await self._wanted.wait()
            await self.count()
            # What is wanted while it is fresh has been told by now.
            await trio.sleep(FRESH_S)
            self._wanted = trio.Event()

    async def _said(self, what: str, read: Callable[[str, Any], Any] | None = None) -> Answers:
        """What all have said, now or a moment ago.  read: makes of a node and a row what is kept; None to leave out."""
        async with self._locks.setdefault(what, trio.Lock()):
            asked_s, answers = self._known.get(what, (-FRESH_S, {}))
            if trio.current_time() - asked_s >= FRESH_S:
                answers = await self._ask_all(self._others(), what)
                for node, rows in answers.items():
                    if rows is not None and read is not None:
                        made: list[Any] = []
                        for number, row in enumerate(rows, 1):
                            kept = read(node, row)
                            if kept is not None:
                                made.append(kept)
                            if number % QUEUES_PER_SLICE == 0:
                                await give_way()
                        answers[node] = made
                self._known[what] = trio.current_time(), answers
            return answers

    async def _forget(self) -> None:
        """Nothing large is kept for longer than it serves."""
        while True:
            await trio.sleep(FRESH_S)
            now_s = trio.current_time()
            for what in [what for what, (asked_s, _) in self._known.items() if now_s - asked_s >= FRESH_S]:
                del self._known[what]

    async def _ask_all(
        self, nodes: Iterable[str], what: str, arguments: object = None, *, repeatable: bool = True
    ) -> Answers:
        found: Answers = dict.fromkeys(nodes)
        client = self._client
        if client is None or not self._is_connected():
            return found

        async def ask(node: str) -> None:
            found[node] = await self._ask(client, node, what, arguments, repeatable=repeatable)

        async with trio.open_nursery() as nursery:
            for node in found:
                nursery.start_soon(ask, node)
        return found

    async def _ask(
        self, client: TrioClient, node: str, what: str, arguments: object, *, repeatable: bool
    ) -> list[Any] | None:
        question = json.dumps([what, arguments]).encode()
        call = Call(
            ask_subject(node),
            question,
            _payloads,
            is_last=lambda reply: not reply.payload.startswith(MORE),
            repeatable=repeatable,
            patient=False,
        )
        trouble = f"it hasn't answered within {ANSWER_S:.0f} s"
        try:
            with trio.move_on_after(ANSWER_S):
                rows = await _read(await client.call(call))
                self._silent.discard(node)
                return rows
        except (NatsError, ValueError) as error:
            trouble = str(error)
        if node not in self._silent:
            self._silent.add(node)
            _log.warning("node '%s' doesn't say what it has of %s: %s", node, what, trouble)
        return None


def _far_row(node: str, row: object) -> FarRow | None:
    return FarRow(node, row) if isinstance(row, dict) else None


def _payloads(replies: Sequence[Reply]) -> list[bytes]:
    return [reply.payload for reply in replies]


async def _read(parts: list[bytes]) -> list[Any]:
    """The rows of an answer.  ValueError, with its words, for a refusal, or what is none."""
    rows: list[Any] = []
    for part in parts:
        found = json.loads(part[1:])
        if part.startswith(REFUSED):
            raise ValueError(str(found))
        if not isinstance(found, list):
            raise ValueError("what it says is no answer")
        rows += found
        await give_way()
    return rows


def _by_name(rows: Iterable[Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """Of the queues of an answer."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for row in rows:
        if isinstance(row, list) and len(row) == 3 and isinstance(row[2], dict):
            found[str(row[0]), str(row[1])] = row[2]
    return found


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
