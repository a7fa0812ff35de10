"""Retained messages: the last one of each topic, for whoever subscribes later (MQTT 5 3.3.1.3).

A tree with a level per word, so that a filter with wildcards walks only where it can match.  Each message is a row of
the definitions (kind "retained", named by its topic), so it survives a restart as soon as the definitions do.  Messages
that expire are removed when they do.  Past a limit a further topic isn't retained; one that is there can be replaced.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import Properties

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.deadlines import Deadline
    from warren.core.storage.definitions.store import JSON

KIND: Final = "retained"

RETAINED_MAX: Final = 100_000
RETAINED_BYTES_MAX: Final = 1_000_000_000
"""Per virtual host (spec C.3)."""


LEVELS_FREE: Final = 100
LEVEL_BYTES: Final = 250
"""Levels of a topic beyond so many count as so many bytes each, about what they take: a topic may have 65,536."""


class _Node:
    """One level; `topic`, `message` and `publisher` are set where a topic ends."""

    __slots__ = ("children", "expiry", "message", "publisher", "topic")

    def __init__(self) -> None:
        self.children: dict[str, _Node] | None = None
        self.message: Message | None = None
        self.topic = ""
        self.publisher = ""
        self.expiry: Deadline | None = None


class RetainedMessages:
    """The retained messages of one virtual host, at most `messages_max`, with `bytes_max` in all their bodies."""

    __slots__ = ("_broker", "_bytes", "_count", "_deep_bytes", "_root", "_vhost", "bytes_max", "messages_max")

    def __init__(self, broker: Broker, vhost: str) -> None:
        self.messages_max = RETAINED_MAX
        self.bytes_max = RETAINED_BYTES_MAX
        self._broker = broker
        self._vhost = vhost
        self._root = _Node()
        self._count = 0
        self._bytes = 0
        self._deep_bytes = 0

    def __len__(self) -> int:
        return self._count

    @property
    def body_bytes(self) -> int:
        """Of all bodies together."""
        return self._bytes

    def put(self, topic: str, message: Message, publisher: str = "") -> bool:
        """Retain `message`, or with an empty body retain nothing for the topic any more; False past the limit.

        publisher: the client identifier of who published it.
        """
        if not message.body_size:
            self.remove(topic)
            return True
        node = self._find(topic)
        before = node.message.body_size if node is not None and node.message is not None else 0
        if not before and self._count >= self.messages_max:
            return False
        if self._bytes + self._deep_bytes + _deep_bytes(topic) - before + message.body_size > self.bytes_max:
            return False
        body = message.body
        kept = Message(0, message.address, message.properties, body, 0, len(body), 0, message.published_at_ms)
        self._keep(topic, kept, publisher)
        self._broker.definitions.put(
            KIND,
            self._vhost,
            topic,
            {
                "address": base64.b64encode(message.address.encoded).decode(),
                "properties": base64.b64encode(message.properties.raw).decode(),
                "body": base64.b64encode(body).decode(),
                "published_at_ms": message.published_at_ms,
                "publisher": publisher,
            },
        )
        return True

    def publisher_of(self, topic: str) -> str:
        """The client identifier of who published a topic's retained message, empty for nobody known."""
        node = self._find(topic)
        return node.publisher if node is not None else ""

    def show(self, topic: str, message: Message) -> None:
        """Have a message retained in memory alone: one of the broker's own, made anew at every start."""
        self._keep(topic, message)

    def restore(self, topic: str, row: Mapping[str, JSON]) -> None:
        """Take a row read back."""
        body = base64.b64decode(str(row["body"]))
        message = Message(
            0,
            Address.decode(base64.b64decode(str(row["address"]))),
            Properties.parse(base64.b64decode(str(row["properties"]))),
            body,
            0,
            len(body),
            0,
            int(str(row["published_at_ms"])),
        )
        self._keep(topic, message, str(row.get("publisher", "")))

    def remove(self, topic: str) -> None:
        """Retain nothing for the topic any more."""
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
        self._count -= 1
        self._bytes -= node.message.body_size
        self._deep_bytes -= _deep_bytes(topic)
        node.message = None
        node.publisher = ""
        if node.expiry is not None:
            node.expiry.cancel()
        self._broker.definitions.delete(KIND, self._vhost, topic)
        while len(path) > 1 and path[-1].message is None and not path[-1].children:
            path.pop()
            children = path[-1].children
            if children is not None:
                del children[words[len(path) - 1]]

    def match(self, words: Sequence[str]) -> Iterator[tuple[str, Message]]:
        """(topic, message) of the topics that the filter `words` matches; no wildcard matches `$` topics (4.7.2-1)."""
        pending: list[tuple[_Node, int]] = [(self._root, 0)]
        while pending:
            node, depth = pending.pop()
            if depth == len(words):
                if node.message is not None:
                    yield node.topic, node.message
                continue
            word = words[depth]
            children = node.children or {}
            if word == "#":
                yield from self._below(node, at_root=depth == 0)
            elif word == "+":
                pending += [(child, depth + 1) for name, child in children.items() if depth or not name.startswith("$")]
            elif word in children:
                pending.append((children[word], depth + 1))

    def _below(self, start: _Node, *, at_root: bool) -> Iterator[tuple[str, Message]]:
        """Everything from `start` on, itself included: `a/#` matches `a`."""
        pending = [start]
        while pending:
            node = pending.pop()
            if node.message is not None:
                yield node.topic, node.message
            for name, child in (node.children or {}).items():
                if not (at_root and node is start and name.startswith("$")):
                    pending.append(child)

    def _find(self, topic: str) -> _Node | None:
        node: _Node | None = self._root
        for word in topic.split("/"):
            node = (node.children or {}).get(word) if node is not None else None
        return node

    def _keep(self, topic: str, message: Message, publisher: str = "") -> None:
        node = self._root
        for word in topic.split("/"):
            if node.children is None:
                node.children = {}
            child = node.children.get(word)
            if child is None:
                child = node.children[word] = _Node()
            node = child
        if node.message is None:
            self._count += 1
            self._deep_bytes += _deep_bytes(topic)
        else:
            self._bytes -= node.message.body_size
        self._bytes += message.body_size
        node.topic = topic
        node.message = message
        node.publisher = publisher
        if node.expiry is not None:
            node.expiry.cancel()
            node.expiry = None
        lifetime = message.properties.expiration
        if lifetime is not None:
            node.expiry = self._broker.deadlines.schedule(
                message.published_at_ms + int(lifetime), lambda now_ms: self.remove(topic)
            )


def _deep_bytes(topic: str) -> int:
    return max(topic.count("/") - LEVELS_FREE, 0) * LEVEL_BYTES
