"""Simulated nodes: their interest, claims and shards, with every word encoded and decoded as on the wire."""

from __future__ import annotations

import gc
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from tests.support.core_broker import core_broker
from warren.core.cluster.audience import NAME_PREFIX, audience
from warren.core.cluster.audiences import Audiences
from warren.core.cluster.far_queue import FarQueue
from warren.core.cluster.interest import Interest, OthersInterest, OwnInterest, Snapshot, Update
from warren.core.cluster.interest_words import decode_word, encode_word
from warren.core.cluster.shards import spread

MEBIBYTE = 1024 * 1024


class NoWay:
    """A core.cluster.far_queue.FarQueue that is never open."""

    is_open = False
    unsent_bytes = 0

    def __init__(self, node: str) -> None:
        self.node = node

    def open(self) -> None:
        """There is no link."""


@dataclass(frozen=True)
class Heard:
    """What one node has to do to know what all others bind.

    bindings: of all of them, each put where routing finds it.  words, word_bytes: that it hears.  seconds: of its CPU.
    memory_bytes: that it keeps.
    """

    bindings: int
    words: int
    word_bytes: int
    seconds: float
    memory_bytes: int


def heard_at_a_join(nodes: int, bindings: int) -> Heard:
    """A node joins `nodes` - 1 others that bind `bindings` in all: MQTT topics, each another device's."""
    each = bindings // (nodes - 1)
    there = [f"n{number}" for number in range(1, nodes)]
    broker = core_broker()
    audiences = Audiences(
        broker, "n0", lambda vhost, node: audience(vhost, node, lambda queue: cast(FarQueue, NoWay(node)))
    )
    audiences.begin()
    gc.collect()
    before = _resident_bytes()
    words = size_bytes = 0
    seconds = 0.0
    for number, name in enumerate(there):
        own = OwnInterest(name, 1)
        for device in range(each):
            own.bound(Interest("/", "amq.topic", f"site.{number}.device.{device}.commands"))
        own.updates()
        told = [encode_word(word) for word in own.snapshot()]
        words += len(told)
        size_bytes += sum(map(len, told))
        began = time.process_time()
        audiences.set_nodes([f"n{each}" for each in range(1, number + 2)])
        for data in told:
            word = decode_word(data)
            assert isinstance(word, Snapshot)
            audiences.take(word)
        while audiences.is_working:
            broker.end_turn()
        seconds += time.process_time() - began
        del own, told
    gc.collect()
    known = sum(len(audiences.others.interests(name)) for name in there)
    route = broker.vhosts["/"].route("amq.topic", f"site.{nodes - 2}.device.{each - 1}.commands")
    assert [queue.name for queue in route.queues] == [NAME_PREFIX + there[-1]], "it isn't routed by what was heard"
    assert known == each * (nodes - 1), "not all was heard"
    return Heard(known, words, size_bytes, seconds, max(_resident_bytes() - before, 0))


@dataclass(frozen=True)
class Change:
    """One binding more at one node: words and bytes between nodes until all know it, and CPU seconds of all."""

    nodes: int
    words: int
    word_bytes: int
    seconds: float


def one_change(nodes: int, changes: int = 200) -> Change:
    """The average of so many, each told by itself."""
    names = [f"n{number}" for number in range(nodes)]
    own = OwnInterest(names[0], 1)
    others = [OthersInterest(name, lambda node, added, removed: None) for name in names[1:]]
    for each in others:
        each.came(names[0])
        for word in own.snapshot():
            each.take(word)
    words = size_bytes = 0
    gc.collect()  # or somebody else's garbage is collected meanwhile
    began = time.process_time()
    for number in range(changes):
        own.bound(Interest("/", "amq.topic", f"device.{number}.commands"))
        for update in own.updates():
            data = encode_word(update)
            for each in others:
                heard = decode_word(data)
                assert isinstance(heard, Update)
                each.take(heard)
                words += 1
                size_bytes += len(data)
    seconds = (time.process_time() - began) / changes
    assert all(len(each.interests(names[0])) == changes for each in others), "not all was heard"
    return Change(nodes, words // changes, size_bytes // changes, seconds)


def shards_that_move(nodes: int, shards: int) -> tuple[int, int]:
    """How many shards change their owners when a node leaves, beside its own; and when one comes, beside its own."""
    names = [f"n{number}" for number in range(nodes)]
    before = spread(names, shards)
    left = spread(names[1:], shards)
    lost = sum(1 for shard in before if before[shard] != left[shard] and before[shard] != names[0])
    more = spread([*names, "new"], shards)
    gained = sum(1 for shard in before if before[shard] != more[shard] and more[shard] != "new")
    return lost, gained


def claim_bytes(clients: int) -> tuple[int, int]:
    """Bytes of a word that claims so many client identifiers, and of an answer by a node that has none of them."""
    asked = [["/", f"device-{number:012}", "devices", number, True, False] for number in range(clients)]
    nothing = [[number, "/", f"device-{number:012}"] for number in range(clients)]
    return len(json.dumps(["claims", "n1", asked])), len(json.dumps(["nothing", "n2", nothing]))


def table(rows: Sequence[Sequence[str]]) -> str:
    """Markdown; the first row is the head."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + "---|" * len(rows[0]), *lines[1:]])


def _resident_bytes() -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise OSError("the kernel doesn't say how much memory is resident")
