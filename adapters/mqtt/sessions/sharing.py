"""Which member of a shared subscription gets a message (spec C.4).

    round-robin     the next one that can take it; queues do that by themselves
    sticky          always the same one, until it goes or can't take any more
    hash            the one that the message's topic falls to, so that messages of a topic keep their order

For `hash` each member is given a number for the topic, and the highest has it (rendezvous hashing): when a member goes,
only its own topics go to others, and when it comes back under the same client identifier, it gets them back.  A message
waits for its member, even while others could take it; else the order would be lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Final

from warren.adapters.mqtt.sessions.publishing import topic_of_message
from warren.adapters.mqtt.sessions.settings import HASH, STICKY, STRATEGIES
from warren.core.policies.settings import register
from warren.core.policy_setting import Setting

if TYPE_CHECKING:
    from warren.adapters.mqtt.sessions.names import TopicNames
    from warren.core.messages.message import Message
    from warren.core.queues.classic.chooser import Chooser
    from warren.core.queues.consumer import Consumer
    from warren.core.storage.definitions.store import JSON

POLICY_KEY: Final = "mqtt-shared-subscription-strategy"
"""What a policy on a group's queue, `mqtt-shared-GROUP/FILTER`, calls it."""

TOPICS_MAX: Final = 1024
"""Topics whose member is remembered, per group."""


class Sticky:
    """See the head of this file."""

    __slots__ = ("_holder",)

    def __init__(self) -> None:
        self._holder: Consumer | None = None

    def choose(self, message: Message, consumers: Sequence[Consumer], following: Consumer) -> Consumer:
        """See core.queues.classic.chooser."""
        holder = self._holder
        if holder is None or holder.parked or not holder.active:
            holder = self._holder = following
        return holder


class ByTopic:
    """See the head of this file."""

    __slots__ = ("_chosen", "_members", "_names")

    def __init__(self, names: TopicNames) -> None:
        self._names = names
        self._members: list[Consumer] = []
        self._chosen: dict[str, Consumer] = {}

    def choose(self, message: Message, consumers: Sequence[Consumer], following: Consumer) -> Consumer:
        """See core.queues.classic.chooser."""
        if self._members != consumers or len(self._chosen) >= TOPICS_MAX:
            self._members = list(consumers)
            self._chosen.clear()
        topic = topic_of_message(self._names, message)
        consumer = self._chosen.get(topic)
        if consumer is None:
            consumer = self._chosen[topic] = max(consumers, key=lambda each: _weight(each, topic))
        return consumer


def make_chooser(strategy: str, names: TopicNames) -> Chooser | None:
    """What chooses by a strategy; None for turns."""
    if strategy == STICKY:
        return Sticky()
    return ByTopic(names) if strategy == HASH else None


def _weight(consumer: Consumer, topic: str) -> bytes:
    """Random, but always the same for a client and a topic."""
    member: str = getattr(consumer, "client_id", consumer.client.name)  # other protocols' clients have none
    return blake2b(f"{member}\0{topic}".encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _is_strategy(value: JSON) -> bool:
    return value in STRATEGIES


register(
    Setting(POLICY_KEY, "strategy", f"one of {', '.join(STRATEGIES)}", _is_strategy, lambda user, operator: operator)
)
