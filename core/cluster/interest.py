"""What the queues of each node want of what others publish: told to all nodes, and the same everywhere in the end.

Queues that only one node knows (exclusive, auto-delete, transient ones, those of MQTT's clean sessions) are bound to
exchanges that all know.  So each node tells the others which exchanges and keys they bind, in sum: an *interest* is
there once, however many queues have it.  A publish anywhere then crosses to a node once, and only if somebody is there.

Theory of operation
-------------------
Words between nodes may be lost, doubled, and come in any order; nobody is asked whether they came.

    Update     what has come and gone at a node, by the number that counts its updates; of many changes one
    Beat       the number of its last update, said now and then, so that the loss of the last one is noticed
    Ask        somebody misses something: tell all that there is
    Snapshot   all that there is, and up to which update; in parts, as it may be much

An update that follows the last one is done.  One that comes early is kept; what is missing is asked for, and a snapshot
settles all up to its number.  A node that starts anew has another `epoch`, larger than the one before, and what an
earlier one has said counts no more.  Who is in the cluster at all is not for this to say: `came` and `gone` are told.

`OwnInterest` is what this node tells; `OthersInterest` what it has heard.  Neither knows a socket or a clock.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple, TypeAlias

PART_MAX: Final = 2000
"""Interests in one word: some 100 KiB, an eighth of what NATS takes in a message."""

PART_BYTES_MAX: Final = 256 * 1024
"""And their keys and arguments, which may be long; one of them is at most about as long as that."""

EARLY_MAX: Final = 64
"""Updates of a node that are kept because one before them is missing; with more, its snapshot says it all."""


class Interest(NamedTuple):
    """What is bound: an exchange of a virtual host, with a key and arguments as they are on AMQP's wire."""

    vhost: str
    exchange: str
    key: str
    arguments: bytes = b""


class Update(NamedTuple):
    """What has come and gone at a node."""

    node: str
    epoch: int
    number: int
    added: frozenset[Interest]
    removed: frozenset[Interest]


class Beat(NamedTuple):
    """A node's last update had this number."""

    node: str
    epoch: int
    number: int


class Ask(NamedTuple):
    """`asked` is to say all that it has."""

    node: str
    asked: str


class Snapshot(NamedTuple):
    """All that a node has after the update of this number: part `part` of `parts`."""

    node: str
    epoch: int
    number: int
    part: int
    parts: int
    interests: frozenset[Interest]


Word: TypeAlias = "Update | Beat | Ask | Snapshot"

Changed: TypeAlias = Callable[[str, frozenset[Interest], frozenset[Interest]], None]
"""Told which node has what from now on, and what it hasn't any more."""


class OwnInterest:
    """Of this node.  epoch: larger than that of any earlier start of it."""

    def __init__(self, node: str, epoch: int) -> None:
        self.node = node
        self.epoch = epoch
        self._number = 0
        self._counts: Counter[Interest] = Counter()
        self._told: set[Interest] = set()
        self._touched: set[Interest] = set()

    def bound(self, interest: Interest) -> None:
        """A queue has bound this."""
        self._counts[interest] += 1
        self._touched.add(interest)

    def unbound(self, interest: Interest) -> None:
        """One that had bound it hasn't any more."""
        self._counts[interest] -= 1
        if not self._counts[interest]:
            del self._counts[interest]
        self._touched.add(interest)

    @property
    def interests(self) -> frozenset[Interest]:
        """What there is now, told or not."""
        return frozenset(self._counts)

    @property
    def is_anything_new(self) -> bool:
        """Whether `updates` may have something to say."""
        return bool(self._touched)

    def updates(self) -> list[Update]:
        """What is to be told of what has changed since the last call; what came and went meanwhile isn't."""
        touched, self._touched = self._touched, set()
        added = sorted(each for each in touched if each in self._counts and each not in self._told)
        removed = sorted(each for each in touched if each not in self._counts and each in self._told)
        self._told.update(added)
        self._told.difference_update(removed)
        words = [self._update(part, ()) for part in _parts(added)]
        return words + [self._update((), part) for part in _parts(removed)]

    def _update(self, added: Iterable[Interest], removed: Iterable[Interest]) -> Update:
        self._number += 1
        return Update(self.node, self.epoch, self._number, frozenset(added), frozenset(removed))

    def beat(self) -> Beat:
        """To be said now and then, and at a start."""
        return Beat(self.node, self.epoch, self._number)

    def snapshot(self) -> list[Snapshot]:
        """All that was told; for who asks."""
        parts = list(_parts(sorted(self._told))) or [[]]
        return [
            Snapshot(self.node, self.epoch, self._number, index, len(parts), frozenset(part))
            for index, part in enumerate(parts)
        ]


class _OfNode:
    """What is known of one node.

    number: of the last update that was done; -1 before there was any.  early: later ones, by number.
    """

    __slots__ = ("early", "epoch", "interests", "number", "parts", "parts_number")

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch
        self.number = -1
        self.interests: set[Interest] = set()
        self.early: dict[int, Update] = {}
        self.parts: dict[int, frozenset[Interest]] = {}
        self.parts_number = -1


class OthersInterest:
    """Of all other nodes, as far as it was heard.  changed: told what is new.  node: this one's name."""

    def __init__(self, node: str, changed: Changed) -> None:
        self._node = node
        self._changed = changed
        self._of: dict[str, _OfNode] = {}
        self._there: set[str] = set()

    @property
    def nodes(self) -> set[str]:
        """The other nodes of the cluster."""
        return set(self._there)

    def interests(self, node: str) -> frozenset[Interest]:
        """What a node has, as far as is known."""
        found = self._of.get(node)
        return frozenset(found.interests) if found is not None else frozenset()

    def came(self, node: str) -> Ask | None:
        """It is in the cluster from now on; what to ask it."""
        if node == self._node or node in self._there:
            return None
        self._there.add(node)
        return Ask(self._node, node)

    def gone(self, node: str) -> None:
        """It isn't in the cluster any more: what it has said before and comes late is nothing."""
        self._there.discard(node)
        found = self._of.pop(node, None)
        if found is not None:
            self._tell(node, frozenset(), frozenset(found.interests))

    def take(self, word: Update | Beat | Snapshot) -> Ask | None:
        """A node has said something; what to ask it then, if anything."""
        if word.node not in self._there:
            return None
        found = self._of.get(word.node)
        if found is None or found.epoch < word.epoch:
            before = frozenset(found.interests) if found is not None else frozenset()
            found = self._of[word.node] = _OfNode(word.epoch)
            self._tell(word.node, frozenset(), before)
        elif found.epoch > word.epoch:
            return None
        if isinstance(word, Snapshot):
            self._take_snapshot(found, word)
        elif isinstance(word, Update) and word.number > found.number:
            found.early[word.number] = word
        self._catch_up(word.node, found)
        newest = max(word.number, max(found.early, default=0))
        if newest <= found.number:
            return None
        if len(found.early) > EARLY_MAX:
            found.early.clear()
        return Ask(self._node, word.node)

    def _take_snapshot(self, found: _OfNode, word: Snapshot) -> None:
        if word.number <= found.number or word.number < found.parts_number:
            return
        if word.number > found.parts_number:
            found.parts_number = word.number
            found.parts = {}
        found.parts[word.part] = word.interests
        if len(found.parts) < word.parts:
            return
        whole: set[Interest] = set().union(*found.parts.values())
        before, found.interests = found.interests, whole
        found.number = word.number
        found.parts = {}
        self._tell(word.node, frozenset(whole - before), frozenset(before - whole))

    def _catch_up(self, node: str, found: _OfNode) -> None:
        """Do the updates that follow the last one."""
        if found.number < 0 and 1 in found.early:
            found.number = 0
        added: set[Interest] = set()
        removed: set[Interest] = set()
        before = set(found.interests) if found.early else set()
        while (update := found.early.pop(found.number + 1, None)) is not None:
            found.number = update.number
            added |= update.added
            found.interests |= update.added
            found.interests -= update.removed
            removed |= update.removed
        for number in [number for number in found.early if number <= found.number]:
            del found.early[number]
        if added or removed:
            self._tell(
                node,
                frozenset(each for each in added if each in found.interests and each not in before),
                frozenset(each for each in removed if each not in found.interests and each in before),
            )

    def _tell(self, node: str, added: frozenset[Interest], removed: frozenset[Interest]) -> None:
        if added or removed:
            self._changed(node, added, removed)


def _parts(interests: list[Interest]) -> Iterable[list[Interest]]:
    """As many in one as may be."""
    part: list[Interest] = []
    size_bytes = 0
    for each in interests:
        own_bytes = len(each.key) + len(each.arguments)
        if part and (len(part) >= PART_MAX or size_bytes + own_bytes > PART_BYTES_MAX):
            yield part
            part, size_bytes = [], 0
        part.append(each)
        size_bytes += own_bytes
    if part:
        yield part
