"""Retained messages: the last one of each topic, for whoever subscribes later (MQTT 5 3.3.1.3).

A tree with a level per word, so that a filter with wildcards walks only where it can match.  Each message is a row of
the definitions (kind "retained", named by its topic), so it survives a restart as soon as the definitions do.  Messages
that expire are removed when they do.  Past a limit a further topic isn't retained; one that is there can be replaced.

A walk may stop anywhere and go on later, whatever has changed meanwhile (feeding.py): it goes by the lists of children
(`Children`), which begin and change in no time.  `number` tells what was retained before something from what was
retained after it.

Longer than 400 lines because the tree, its walk and the limits on both are one thing.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions.settings import RETAINED_BYTES_MAX, RETAINED_MAX
from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import Properties

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.sharing_retained import SharedRetained
    from warren.core.broker import Broker
    from warren.core.deadlines import Deadline
    from warren.core.storage.definitions.store import JSON

KIND: Final = "retained"
SHARED_KIND: Final = "retained_shared"
"""Rows of sharing_retained.py."""

_log = logging.getLogger("warren.mqtt")

TOPIC_CHARACTERS_SHOWN: Final = 200
"""Of a topic, in the log."""

LET_GO_PER_SLICE: Final = 1000
"""Topics that are forgotten in one turn, with their virtual host: a microsecond each."""

LEVELS_FREE: Final = 100
LEVEL_BYTES: Final = 250
"""Levels of a topic beyond so many count as so many bytes each, about what they take: a topic may have 65,536."""


GAPS_MIN: Final = 64
"""So short a list of children is left as it is, gaps and all."""

BELOW: Final = -1
"""The depth of nodes behind a `#`: they match whatever they are called."""


class Children:
    """The children of a node, in the order in which they came, for walks.

    One that goes leaves a gap; when half of them are gaps, there is another list.  A walk that is under way goes on by
    the list that it began with, as far as that reached then: what comes later may be missed, what has gone has no
    message.
    """

    __slots__ = ("_count", "_row")

    def __init__(self) -> None:
        self._row: list[RetainedNode | None] = []
        self._count = 0

    def __iter__(self) -> Iterator[RetainedNode | None]:
        """All that there are, and None for each gap: every step is short."""
        return islice(self._row, len(self._row))

    def add(self, node: RetainedNode) -> None:
        """One has come."""
        node.place = len(self._row)
        self._row.append(node)
        self._count += 1

    def remove(self, node: RetainedNode) -> None:
        """One has gone; nothing happens for one that isn't among them."""
        if node.place < 0:
            return
        self._row[node.place] = None
        self._count -= 1
        if len(self._row) > max(2 * self._count, GAPS_MIN):
            self._row = [each for each in self._row if each is not None]
            for place, each in enumerate(self._row):
                if each is not None:
                    each.place = place


class RetainedNode:
    """One level; what is not about children is set where a topic ends.

    listed: the children as wildcards see them.  place: in the list of its parent, -1 where that doesn't have it.
    number: of the message, counted over all topics.  slot: a small number that no other topic with a message has, -1
    without one.  is_shown: it is one of the broker's own, which counts for nothing.
    """

    __slots__ = ("children", "expiry", "is_shown", "listed", "message", "number", "place", "publisher", "slot", "topic")

    def __init__(self) -> None:
        self.children: dict[str, RetainedNode] | None = None
        self.listed: Children | None = None
        self.place = -1
        self.message: Message | None = None
        self.topic = ""
        self.publisher = ""
        self.expiry: Deadline | None = None
        self.number = 0
        self.slot = -1
        self.is_shown = False

    def add(self, word: str, *, is_listed: bool) -> RetainedNode:
        """A new child.  is_listed: wildcards see it."""
        if self.children is None:
            self.children = {}
            self.listed = Children()
        child = self.children[word] = RetainedNode()
        if is_listed and self.listed is not None:
            self.listed.add(child)
        return child

    def remove(self, word: str) -> None:
        """A child has nothing any more."""
        if self.children is not None and self.listed is not None:
            self.listed.remove(self.children.pop(word))


class RetainedMessages:
    """The retained messages of one virtual host, at most `messages_max`, with `bytes_max` in all their bodies.

    messages_max, bytes_max: 0 for any number.
    number: of the last message that was retained.  slot_count: all slots of nodes are below.  The broker's own messages
    (`show`) count towards nothing.  shared: told of changes, in a cluster.
    """

    __slots__ = (
        "_broker",
        "_bytes",
        "_count",
        "_deep_bytes",
        "_free_slots",
        "_root",
        "_shown_count",
        "_vhost",
        "bytes_max",
        "messages_max",
        "number",
        "shared",
        "slot_count",
    )

    def __init__(
        self, broker: Broker, vhost: str, messages_max: int = RETAINED_MAX, bytes_max: int = RETAINED_BYTES_MAX
    ) -> None:
        self.messages_max = messages_max
        self.bytes_max = bytes_max
        self._broker = broker
        self._vhost = vhost
        self.number = 0
        self.slot_count = 0
        self._free_slots: list[int] = []
        self._root = RetainedNode()
        self._count = 0
        self._shown_count = 0
        self._bytes = 0
        self._deep_bytes = 0
        self.shared: SharedRetained | None = None

    def __len__(self) -> int:
        return self._count

    def __bool__(self) -> bool:
        return len(self) > 0

    @property
    def body_bytes(self) -> int:
        """Of all bodies together."""
        return self._bytes

    @property
    def topic_count(self) -> int:
        """Topics with a message, the broker's own among them."""
        return self._count + self._shown_count

    def put(self, topic: str, message: Message, publisher: str = "") -> bool:
        """Retain `message`, or with an empty body retain nothing for the topic any more.

        False past a limit, which is counted and logged: the message is not retained, and what was stays.  publisher:
        the client identifier of who published it.
        """
        if not message.body_size:
            self.remove(topic)
            if self.shared is not None:
                # Also what this node hasn't heard of yet.
                self.shared.changed(self._vhost, topic)
            return True
        node = self.find(topic)
        before = node.message.body_size if node is not None and node.message is not None else 0
        if not before and self.messages_max and self._count >= self.messages_max:
            return self._limit_reached("mqtt_max_retained_messages", topic, f"{self.messages_max} topics have one")
        size = self._bytes + self._deep_bytes + _deep_bytes(topic) - before + message.body_size
        if self.bytes_max and size > self.bytes_max:
            return self._limit_reached("mqtt_max_retained_bytes", topic, f"with it there would be {size} bytes of them")
        if not self._broker.definitions.has_room(2 * message.body_size + len(topic)):
            return self._limit_reached("disk_free_limit_bytes", topic, "the disk is full")
        self._put(topic, message, publisher)
        if self.shared is not None:
            self.shared.changed(self._vhost, topic)
        return True

    def _put(self, topic: str, message: Message, publisher: str) -> None:
        body = message.body
        kept = Message(0, message.address, message.properties, body, 0, len(body), 0, message.published_at_ms)
        self._keep(topic, kept, publisher)
        self._broker.definitions.put(KIND, self._vhost, topic, _row_of(kept, publisher))

    def row(self, topic: str) -> dict[str, JSON] | None:
        """A topic's message as a row of the definitions; None for the broker's own, and where there is none."""
        node = self.find(topic)
        if node is None or node.message is None or node.is_shown:
            return None
        return _row_of(node.message, node.publisher)

    def topics(self) -> list[str]:
        """All that have a message, but for the broker's own."""
        found = [node for node in self.walk(["#"]) if node is not None and node.message is not None]
        return [node.topic for node in found if not node.is_shown]

    def take(self, topic: str, row: Mapping[str, JSON]) -> bool:
        """Retain what another node of the cluster has; False past a limit, where what was stays."""
        return self.put(topic, _message_of(row), str(row.get("publisher", "")))

    def _limit_reached(self, limit: str, topic: str, why: str) -> bool:
        text = "vhost '%s': a message to '%s' is not retained: %s, and no more may be (%s); remove some, or raise it"
        shown = topic[:TOPIC_CHARACTERS_SHOWN]
        self._broker.limit_hits.warn(limit, self._vhost, _log, text, self._vhost, shown, why, limit)
        return False

    def publisher_of(self, topic: str) -> str:
        """The client identifier of who published a topic's retained message, empty for nobody known."""
        node = self.find(topic)
        return node.publisher if node is not None else ""

    def show(self, topic: str, message: Message) -> None:
        """Have a message retained in memory alone: one of the broker's own, made anew at every start.

        It is the same message to who has still to be given it, since it says the same of another moment.
        """
        node = self.find(topic)
        number = node.number if node is not None and node.message is not None else 0
        node = self._keep(topic, message, is_shown=True)
        if number:
            node.number = number

    def restore(self, topic: str, row: Mapping[str, JSON]) -> None:
        """Take a row read back."""
        self._keep(topic, _message_of(row), str(row.get("publisher", "")))

    def remove(self, topic: str, *, expired: bool = False) -> None:
        """Retain nothing for the topic any more.  expired: its time is over."""
        path = [self._root]
        words = topic.split("/")
        for word in words:
            child = (path[-1].children or {}).get(word)
            if child is None:
                return
            path.append(child)
        node = path[-1]
        if node.message is None:
            return
        self._uncount(node)
        self._free_slots.append(node.slot)
        node.slot = -1
        node.message = None
        node.publisher = ""
        if node.expiry is not None:
            node.expiry.cancel()
        self._broker.definitions.delete(KIND, self._vhost, topic)
        if self.shared is not None and not node.is_shown:
            self.shared.changed(self._vhost, topic, expired=expired)
        while len(path) > 1 and path[-1].message is None and not path[-1].children:
            path.pop()
            path[-1].remove(words[len(path) - 1])

    def let_go(self) -> Iterator[None]:
        """The virtual host is being deleted, rows and all: forget everything, in slices."""
        path = [self._root]
        count = 0
        while path:
            node = path[-1]
            if node.children:
                node.listed = None
                path.append(node.children.popitem()[1])
                continue
            if node.expiry is not None:
                node.expiry.cancel()
            if node.message is not None:
                self._uncount(node)
                node.message = None
            path.pop()
            count += 1
            if count % LET_GO_PER_SLICE == 0:
                yield

    def match(self, words: Sequence[str]) -> Iterator[tuple[str, Message]]:
        """(topic, message) of the topics that the filter `words` matches; no wildcard matches `$` topics (4.7.2-1)."""
        for node in self.walk(words):
            if node is not None and node.message is not None:
                yield node.topic, node.message

    def walk(self, words: Sequence[str]) -> Iterator[RetainedNode | None]:
        """The nodes that the filter `words` matches, and None for each step that finds none: every one is short.

        Those that are no topic's end, or whose message has gone, have no message.  Nodes that come while the walk is
        under way may be missed, and are numbered higher than `number` was at its start.
        """
        pending: list[tuple[Iterator[RetainedNode | None], int]] = [(iter((self._root,)), 0)]
        while pending:
            nodes, depth = pending[-1]
            try:
                node = next(nodes)
            except StopIteration:
                pending.pop()
                continue
            if node is None:
                yield None
                continue
            if depth == BELOW or depth == len(words):
                yield node
                if depth == BELOW and node.listed is not None:
                    pending.append((iter(node.listed), BELOW))
                continue
            word = words[depth]
            yield node if word == "#" else None
            if not node.children or node.listed is None:
                continue
            if word == "#" or word == "+":
                pending.append((iter(node.listed), BELOW if word == "#" else depth + 1))
            elif word in node.children:
                pending.append((iter((node.children[word],)), depth + 1))

    def find(self, topic: str) -> RetainedNode | None:
        """The node of a topic, which may be one without a message."""
        node: RetainedNode | None = self._root
        for word in topic.split("/"):
            node = (node.children or {}).get(word) if node is not None else None
        return node

    def _keep(self, topic: str, message: Message, publisher: str = "", *, is_shown: bool = False) -> RetainedNode:
        node = self._root
        for word in topic.split("/"):
            child = (node.children or {}).get(word)
            if child is None:
                child = node.add(word, is_listed=node is not self._root or not word.startswith("$"))
            node = child
        if node.message is not None:
            self._uncount(node)
        elif self._free_slots:
            node.slot = self._free_slots.pop()
        else:
            node.slot = self.slot_count
            self.slot_count += 1
        self.number += 1
        node.number = self.number
        node.is_shown = is_shown
        node.topic = topic
        node.message = message
        node.publisher = publisher
        self._count_in(node)
        if node.expiry is not None:
            node.expiry.cancel()
            node.expiry = None
        lifetime = message.properties.expiration
        if lifetime is not None:
            node.expiry = self._broker.deadlines.schedule(
                message.published_at_ms + int(lifetime), lambda now_ms: self.remove(topic, expired=True)
            )
        return node

    def _count_in(self, node: RetainedNode) -> None:
        if node.is_shown:
            self._shown_count += 1
        elif node.message is not None:
            self._count += 1
            self._bytes += node.message.body_size
            self._deep_bytes += _deep_bytes(node.topic)

    def _uncount(self, node: RetainedNode) -> None:
        if node.is_shown:
            self._shown_count -= 1
        elif node.message is not None:
            self._count -= 1
            self._bytes -= node.message.body_size
            self._deep_bytes -= _deep_bytes(node.topic)


def _row_of(message: Message, publisher: str) -> dict[str, JSON]:
    return {
        "address": base64.b64encode(message.address.encoded).decode(),
        "properties": base64.b64encode(message.properties.raw).decode(),
        "body": base64.b64encode(message.body).decode(),
        "published_at_ms": message.published_at_ms,
        "publisher": publisher,
    }


def _message_of(row: Mapping[str, JSON]) -> Message:
    body = base64.b64decode(str(row["body"]))
    return Message(
        0,
        Address.decode(base64.b64decode(str(row["address"]))),
        Properties.parse(base64.b64decode(str(row["properties"]))),
        body,
        0,
        len(body),
        0,
        int(str(row["published_at_ms"])),
    )


def _deep_bytes(topic: str) -> int:
    return max(topic.count("/") - LEVELS_FREE, 0) * LEVEL_BYTES
