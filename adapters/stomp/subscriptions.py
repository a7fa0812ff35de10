"""The subscriptions of a session, by key, and the queues that it used by name and so declared (spec B.3, B.4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.core.declaring.queues import end_consumers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warren.adapters.stomp.subscription import Subscription


class Subscriptions:
    """Of one session."""

    __slots__ = ("_by_key", "_declared_queues")

    def __init__(self) -> None:
        self._by_key: dict[str, Subscription] = {}
        self._declared_queues: set[str] = set()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._by_key)

    def __bool__(self) -> bool:
        return len(self) > 0

    def __contains__(self, key: str) -> bool:
        """Whether there is one of this key."""
        return key in self._by_key

    def begin(self, subscription: Subscription) -> None:
        """Have it take messages from its queue; errors of the queue are raised, and it hasn't begun then."""
        subscription.queue.add_consumer(subscription)
        self._by_key[subscription.tag] = subscription

    def remove(self, key: str) -> Subscription | None:
        """The one of this key, which is no longer the session's; None if there is none."""
        return self._by_key.pop(key, None)

    def declares(self, queue_name: str) -> bool:
        """True when the session hasn't used the queue by name yet, and has to declare it."""
        return queue_name not in self._declared_queues

    def declared(self, queue_name: str) -> None:
        """The queue has been declared for this session."""
        self._declared_queues.add(queue_name)

    def forget_declared(self, queue_name: str) -> None:
        """What the session declared is gone."""
        self._declared_queues.discard(queue_name)

    def end(self, begin: Callable[[Iterator[None]], None]) -> None:
        """The session ends, and all of them with it.  begin: takes what is too much for a turn."""
        end_consumers(list(self._by_key.values()), begin)
        self._by_key.clear()
