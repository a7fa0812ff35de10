"""Retained messages of a cluster: the same on all nodes in the end, whoever has set or cleared them, whatever was cut.

Theory of operation
-------------------
Each topic with a message is a key of a bucket, whose revisions say what came last.  A change here is made at once, and
written when it can be (`to_write`); of several to one topic the last one is.  What others have written is done here in
the order of revisions, but for topics that have a change of this node's own under way: that one comes later.

A row of the definitions says for each topic which revision this node knows, 0 for a change that isn't written yet; so a
node that was away knows what it still has to say, and what was cleared meanwhile.  Messages of before there was a
cluster have no such row; they are written where the bucket has none.

A message that expires does so on every node by itself; clearing its key is tried by all, and only as long as it is
still what has expired.
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import TYPE_CHECKING, Final, NamedTuple

from warren.adapters.mqtt.sessions.retained import SHARED_KIND as KIND
from warren.core.errors import BrokerError

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.world import MqttWorld
    from warren.core.storage.definitions.store import JSON

_log = logging.getLogger("warren.mqtt")

_DIGEST_BYTES: Final = 18


class Change(NamedTuple):
    """What is to be written.  value: None to clear it.  only_at: only if it is at this revision; -1 in any case."""

    key: str
    value: bytes | None
    only_at: int


class _Topic:
    """revision: the last that is known; 0 for none.  is_pending: a change of this node's own isn't written.

    is_expired: that only clears what has expired.  version: counts changes here.
    """

    __slots__ = ("is_expired", "is_pending", "name", "revision", "version", "vhost")

    def __init__(self, vhost: str, name: str) -> None:
        self.vhost = vhost
        self.name = name
        self.revision = 0
        self.is_pending = False
        self.is_expired = False
        self.version = 0


def key_of(vhost: str, topic: str) -> str:
    """The key of a topic: topics may be longer than keys."""
    name = base64.urlsafe_b64encode(vhost.encode("utf-8", "surrogateescape")).decode()
    digest = blake2b(topic.encode("utf-8", "surrogateescape"), digest_size=_DIGEST_BYTES).digest()
    return f"{name or '_'}.{base64.urlsafe_b64encode(digest).decode()}"


class SharedRetained:
    """Of one broker.  written: called when there is something to write."""

    def __init__(self, world: MqttWorld) -> None:
        self._world = world
        self._definitions = world.broker.definitions
        self.written: Callable[[], None] = lambda: None
        self._topics: dict[str, _Topic] = {}
        self._pending: dict[str, None] = {}
        self._writing: dict[str, int] = {}
        self._fresh: set[str] | None = None
        self._homeless: dict[str, tuple[bytes, int]] = {}
        self._is_applying = False

    # What happens here

    def restore(self, vhost: str, name: str, row: Mapping[str, JSON]) -> None:
        """Take a row read back."""
        topic = self._topic(vhost, name)
        topic.revision = int(str(row["revision"]))
        if not topic.revision:
            self._wants_writing(key_of(vhost, name), topic)

    def changed(self, vhost: str, name: str, *, expired: bool = False) -> None:
        """A message was set or cleared here."""
        if self._is_applying:
            return
        topic = self._topic(vhost, name)
        topic.is_expired = expired and not topic.is_pending
        self._wants_writing(key_of(vhost, name), topic)
        self._definitions.put(KIND, vhost, name, {"revision": 0})

    def vhost_gone(self, vhost: str) -> None:
        """It is deleted on all nodes, with what is retained in it."""
        for key, topic in list(self._topics.items()):
            if topic.vhost == vhost:
                topic.is_expired = True
                self._wants_writing(key, topic)

    def _topic(self, vhost: str, name: str) -> _Topic:
        key = key_of(vhost, name)
        found = self._topics.get(key)
        if found is None:
            found = self._topics[key] = _Topic(vhost, name)
        return found

    def _wants_writing(self, key: str, topic: _Topic) -> None:
        topic.is_pending = True
        topic.version += 1
        self._pending[key] = None
        self.written()

    # Writing

    @property
    def is_settled(self) -> bool:
        """Whether there is nothing to write, nor being written."""
        return not self._pending and not self._writing

    def to_write(self) -> list[Change]:
        """What there is to write, of each topic one change at a time; `done` or `again` follows for each."""
        ready = [key for key in self._pending if key not in self._writing]
        changes = []
        for key in ready:
            del self._pending[key]
            topic = self._topics[key]
            row = None if topic.is_expired else self._row(topic)
            if row is not None:
                changes.append(Change(key, json.dumps(row).encode(), -1))
            elif topic.is_expired:
                changes.append(Change(key, None, topic.revision))
            else:
                changes.append(Change(key, None, -1))
            self._writing[key] = topic.version
        return changes

    def done(self, change: Change, revision: int) -> None:
        """It is written, and is this revision; 0 where there was nothing to clear, or something else by now."""
        version = self._writing.pop(change.key)
        topic = self._topics.get(change.key)
        if topic is None:
            return
        topic.revision = max(topic.revision, revision)
        if topic.version != version:
            self.written()
            return
        topic.is_pending = topic.is_expired = False
        self._note(change.key, topic, is_there=change.value is not None)

    def again(self, change: Change) -> None:
        """It couldn't be written, as far as is known."""
        del self._writing[change.key]
        self._pending[change.key] = None

    def _row(self, topic: _Topic) -> Mapping[str, JSON] | None:
        vhost = self._world.broker.vhosts.get(topic.vhost)
        row = self._world.of(vhost).retained.row(topic.name) if vhost is not None else None
        return None if row is None else {**row, "vhost": topic.vhost, "topic": topic.name}

    def _note(self, key: str, topic: _Topic, *, is_there: bool) -> None:
        if is_there:
            self._definitions.put(KIND, topic.vhost, topic.name, {"revision": topic.revision})
        else:
            self._definitions.delete(KIND, topic.vhost, topic.name)
            del self._topics[key]

    # What others have written

    def begins_anew(self) -> None:
        """All keys follow."""
        self._fresh = set()

    def entry(self, key: str, value: bytes | None, revision: int) -> None:
        """A key has this value now, or none."""
        if self._fresh is not None and value is not None:
            self._fresh.add(key)
        self._homeless.pop(key, None)
        topic = self._topics.get(key)
        if topic is not None and (topic.is_pending or revision <= topic.revision):
            return
        if value is None:
            if topic is not None:
                self._clear(key, topic)
            return
        try:
            row = json.loads(value)
            vhost_name, name = row["vhost"], row["topic"]
            if key_of(vhost_name, name) != key:
                raise ValueError("it is another topic's")
        except (ValueError, TypeError, KeyError) as error:
            _log.warning("a retained message of the cluster can't be read: %s", error)
            return
        vhost = self._world.broker.vhosts.get(vhost_name)
        if vhost is None:
            self._homeless[key] = value, revision
            return
        topic = self._topic(vhost_name, name)
        topic.revision = revision
        self._is_applying = True
        try:
            if not self._world.of(vhost).retained.take(name, row):
                del self._topics[key]
                return
        except (BrokerError, ValueError, KeyError) as error:
            _log.warning("a retained message of the cluster can't be taken: %s", error)
        finally:
            self._is_applying = False
        self._note(key, topic, is_there=True)

    def _clear(self, key: str, topic: _Topic) -> None:
        vhost = self._world.broker.vhosts.get(topic.vhost)
        if vhost is not None:
            self._is_applying = True
            try:
                self._world.of(vhost).retained.remove(topic.name)
            finally:
                self._is_applying = False
        self._note(key, topic, is_there=False)

    def caught_up(self) -> None:
        """That was all there is: what it lacks has been cleared; what it never had is to be written."""
        fresh, self._fresh = self._fresh, None
        if fresh is None:
            return
        for key, topic in list(self._topics.items()):
            if key not in fresh and not topic.is_pending:
                self._clear(key, topic)
        for vhost in list(self._world.broker.vhosts.values()):
            for name in self._world.of(vhost).retained.topics():
                key = key_of(vhost.name, name)
                if key not in self._topics and key not in fresh:
                    self._wants_writing(key, self._topic(vhost.name, name))

    def look(self) -> None:
        """Virtual hosts may have come that messages wait for."""
        homeless = self._homeless
        for key, (value, revision) in list(homeless.items()):
            self.entry(key, value, revision)
