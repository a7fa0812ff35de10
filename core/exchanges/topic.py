"""The topic exchange: the binding keys are patterns for routing keys (AMQP 0-9-1, 3.1.3.3).

Keys and patterns are words separated by dots.  The empty key is zero words, so `#` and the empty pattern
match it and `*` does not; `a..b` is three words, the middle one empty.  A pattern may hold any number of
`#`: RabbitMQ refuses more than two because its matching takes exponentially long for them, which
`core.exchanges.topic_trie` does not.

A type of queue may have keys that it wants by name alone (`Queue.wildcards_skip`, which MQTT has for topics that begin
with `$`): a pattern that begins with a wildcard doesn't lead there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import TYPE_CHECKING, ClassVar

from warren.core.compiled import mypyc_attr
from warren.core.exchanges.base import Exchange, distinct_targets
from warren.core.exchanges.binding import Binding, Destination
from warren.core.exchanges.reasons import patterns_differ
from warren.core.exchanges.registry import register
from warren.core.exchanges.topic_trie import TopicTrie
from warren.core.queues.base import Queue

if TYPE_CHECKING:
    from warren.core.messages.field_table import FieldValue

_by_sequence = attrgetter("sequence")


def split_words(key: str) -> tuple[str, ...]:
    """The words of a routing key or of a binding key."""
    return tuple(key.split(".")) if key else ()


@mypyc_attr(allow_interpreted_subclasses=True)
class TopicExchange(Exchange):
    """A trie whose values are the bindings, so that equal patterns with different arguments count apart.

    _skipped: beginnings of keys that a target there was wants by name alone; few, and not forgotten.
    """

    __slots__ = ("_skipped", "_trie")

    type_name: ClassVar[str] = "topic"

    def make_index(self) -> None:
        """See Exchange.make_index."""
        self._trie: TopicTrie[Binding] = TopicTrie()
        self._skipped: tuple[str, ...] = ()

    def targets(self, routing_key: str, headers: Mapping[str, FieldValue] | None) -> tuple[Destination, ...]:
        """See Exchange.targets."""
        matching = self._trie.match(split_words(routing_key))
        if routing_key.startswith(self._skipped):
            matching = [binding for binding in matching if not _skips(binding, routing_key)]
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
        self._skip_for(binding.target)

    def bindings_added(self, bindings: Sequence[Binding]) -> None:
        """See Exchange.bindings_added."""
        insert = self._trie.insert
        for binding in bindings:
            key = binding.routing_key
            insert(key.split(".") if key else (), binding)
        for binding in bindings[:1]:
            self._skip_for(binding.target)

    def binding_removed(self, binding: Binding) -> None:
        """See Exchange.binding_removed."""
        self._trie.remove(split_words(binding.routing_key), binding)

    def _skip_for(self, target: Destination) -> None:
        """Know what this target wants by name alone."""
        if isinstance(target, Queue) and target.wildcards_skip and target.wildcards_skip not in self._skipped:
            self._skipped = (*self._skipped, target.wildcards_skip)


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
