"""The topic exchange: the binding keys are patterns for routing keys (AMQP 0-9-1, 3.1.3.3).

Keys and patterns are words separated by dots.  The empty key is zero words, so `#` and the empty pattern
match it and `*` does not; `a..b` is three words, the middle one empty.  A pattern may hold any number of
`#`: RabbitMQ refuses more than two because its matching takes exponentially long for them, which
`core.exchanges.topic_trie` does not.

A type of queue may have keys that it wants by name alone (`Queue.wildcards_skip`, which MQTT has for topics that begin
with `$`): a pattern that begins with a wildcard doesn't lead there.

A queue may have had thousands of bindings when it goes.  They lead nowhere from that moment on, and nobody sees them
any more, but they leave the exchange and its trie bit by bit, in the turns that follow (core.chores).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, ClassVar, Final

from warren.core.exchanges.base import Exchange, distinct_targets
from warren.core.exchanges.binding import Binding, Destination
from warren.core.exchanges.reasons import patterns_differ
from warren.core.exchanges.registry import register
from warren.core.exchanges.topic_trie import TopicTrie
from warren.core.queues.base import Queue

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue

_by_sequence = attrgetter("sequence")

LEAVE_PER_SLICE: Final = 1000
"""Bindings that leave the trie at once: two or three microseconds each."""


def split_words(key: str) -> tuple[str, ...]:
    """The words of a routing key or of a binding key."""
    return tuple(key.split(".")) if key else ()


class TopicExchange(Exchange):
    """A trie whose values are the bindings, so that equal patterns with different arguments count apart.

    _skipped: beginnings of keys that a target there was wants by name alone; few, and not forgotten.  _departed:
    targets that are gone, and whose bindings are still to leave.
    """

    __slots__ = ("_departed", "_skipped", "_trie")

    type_name: ClassVar[str] = "topic"

    def make_index(self) -> None:
        """See Exchange.make_index."""
        self._trie: TopicTrie[Binding] = TopicTrie()
        self._skipped: tuple[str, ...] = ()
        self._departed: set[Destination] = set()

    def targets(self, routing_key: str, headers: Mapping[str, FieldValue] | None) -> tuple[Destination, ...]:
        """See Exchange.targets."""
        matching = self._trie.match(split_words(routing_key))
        if routing_key.startswith(self._skipped):
            matching = [binding for binding in matching if not _skips(binding, routing_key)]
        if self._departed:
            matching = [binding for binding in matching if binding.target not in self._departed]
        matching.sort(key=_by_sequence)
        return distinct_targets(matching)

    def difference(
        self, binding: Binding, routing_key: str, headers: Mapping[str, FieldValue] | None
    ) -> tuple[int, str]:
        """See Exchange.difference."""
        if _skips(binding, routing_key):
            return 1, f"its target wants keys that begin with '{routing_key[:1]}' by name, not by a wildcard"
        return patterns_differ(split_words(binding.routing_key), split_words(routing_key))

    def binding_added(self, binding: Binding) -> None:
        """See Exchange.binding_added."""
        self._trie.insert(split_words(binding.routing_key), binding)
        target = binding.target
        if isinstance(target, Queue) and target.wildcards_skip and target.wildcards_skip not in self._skipped:
            self._skipped = (*self._skipped, target.wildcards_skip)

    def binding_removed(self, binding: Binding) -> None:
        """See Exchange.binding_removed."""
        self._trie.remove(split_words(binding.routing_key), binding)

    @property
    def bindings(self) -> Collection[Binding]:
        """See Exchange.bindings."""
        return _Staying(self) if self._departed else super().bindings

    def remove_target(self, target: Destination) -> list[Binding]:
        """See Exchange.remove_target."""
        key = (target.kind, target.name)
        if len(self._by_target.get(key, ())) <= LEAVE_PER_SLICE or self.vhost is None:
            return super().remove_target(target)
        removed = list(self._by_target.pop(key).values())
        self._departed.add(target)
        self.vhost.broker.chores.add(partial(self._let_go, target, removed[::-1]))
        return removed

    def _let_go(self, target: Destination, bindings: list[Binding]) -> bool:
        """Take some out; False when those were the last."""
        some = bindings[-LEAVE_PER_SLICE:]
        del bindings[-LEAVE_PER_SLICE:]
        for binding in some:
            # There may be an equal one by now, to a target of the same name.
            if self._bindings.get(binding.key) is binding:
                del self._bindings[binding.key]
            self.binding_removed(binding)
        if not bindings:
            self._departed.discard(target)
        return bool(bindings)


class _Staying(Collection[Binding]):
    """The bindings of a topic exchange without those that are still to leave."""

    __slots__ = ("_exchange",)

    def __init__(self, exchange: TopicExchange) -> None:
        self._exchange = exchange

    def __len__(self) -> int:
        return sum(map(len, self._exchange._by_target.values()))

    def __iter__(self) -> Iterator[Binding]:
        departed = self._exchange._departed
        return (binding for binding in self._exchange._bindings.values() if binding.target not in departed)

    def __contains__(self, binding: object) -> bool:
        return isinstance(binding, Binding) and self._exchange.get(binding.key) is binding


def _skips(binding: Binding, routing_key: str) -> bool:
    """True when the binding's target wants such keys by name alone."""
    target = binding.target
    return (
        isinstance(target, Queue)
        and bool(target.wildcards_skip)
        and routing_key.startswith(target.wildcards_skip)
        and binding.routing_key[:1] in ("*", "#")
    )


register(TopicExchange)
