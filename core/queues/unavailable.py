"""What stands in for a queue whose type isn't there, such as that of a plugin that isn't installed any more.

It keeps the definition and every stored entry as they are, unread, so that nothing is lost by a start without the
plugin: when the type is back at a later start, the queue is what it was.  Until then nobody can use it; publishes to it
are refused, also those that come by exchanges, and whoever asks is told which type is missing.  It can be deleted,
which deletes what it had stored.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar, NoReturn

from warren.core.compiled import mypyc_attr
from warren.core.errors import NotFound
from warren.core.queues.answer import Answer, Polled, ignore
from warren.core.queues.base import Admission, Columns, Queue, Stored
from warren.core.queues.registry import DEFAULT_TYPE, TYPE_ARGUMENT

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.messages.message import Message
    from warren.core.queues.consumer import Consumer

_log = logging.getLogger("warren.queue")


@mypyc_attr(allow_interpreted_subclasses=True)
class Unavailable(Queue):
    """See the head of this file; made by recovery alone."""

    __slots__ = ("_stored", "_told")

    type_name: ClassVar[str] = "unavailable"

    columns: ClassVar[Columns] = {
        "type": lambda queue: queue.missing_type,
        "state": lambda queue: "unavailable",
    }

    def prepare(self) -> None:
        self._stored: Stored | None = None
        self._told = False
        _log.error(
            "%s: there is no queue type '%s' here; what it has stored is kept, and nobody can use it until the plugin "
            "that has the type is enabled and the broker starts again",
            self.description,
            self.missing_type,
        )

    @property
    def missing_type(self) -> str:
        """The type that it was declared with."""
        return str(self.arguments.get(TYPE_ARGUMENT, DEFAULT_TYPE))

    @property
    def refusal(self) -> str:
        return f"its type '{self.missing_type}' is missing here; enable the plugin that has it and restart the broker"

    def check_usable(self) -> None:
        """NotFound (404), as for a queue that is on a node that is down."""
        raise NotFound(f"{self.description} is not available: {self.refusal}. What it has stored is kept")

    @property
    def ready_count(self) -> int:
        """What it has stored."""
        return len(self._stored.positions) if self._stored is not None else 0

    @property
    def guarded(self) -> bool:
        return True

    def admit(self, message: Message) -> Admission:
        """Refuse it; the log says so once, since a publisher without confirms isn't told."""
        if not self._told:
            self._told = True
            _log.warning("%s refuses what is published to it: %s", self.description, self.refusal)
        return Admission.REFUSE

    def has_no_room_for(self, message: Message) -> bool:
        """True, so that dead letters stay where they are if they can."""
        return True

    def append(self, message: Message) -> None:
        self._misused()

    def drain(self) -> None:
        """There is nothing to deliver, and nobody to deliver to."""

    def get(
        self, answer: Answer[Polled], *, no_ack: bool, client: Client | None = None, channel_number: int = 0
    ) -> None:
        self.check_usable()

    def browse(self, start: int, count: int) -> Iterator[Message]:
        self.check_usable()
        return iter(())

    def purge(self, answer: Answer[int]) -> None:
        self.check_usable()

    def add_consumer(self, consumer: Consumer) -> None:
        self.check_usable()

    def acknowledge(self, message: Message) -> None:
        self._misused()

    def discard(self, message: Message) -> None:
        self._misused()

    def requeue(self, messages: Iterable[Message], *, failed: bool = True) -> None:
        self._misused()

    def remove_consumer(self, consumer: Consumer) -> None:
        self._misused()

    def park(self, consumer: Consumer) -> None:
        self._misused()

    def resume(self, consumer: Consumer) -> None:
        self._misused()

    def restore(self, stored: Stored) -> None:
        self._stored = stored
        self.counts.restore(len(stored.positions), 0)

    def delivered_position(self) -> int:
        """As it was: what was delivered before the type went missing is marked when it is back."""
        return self._stored.redelivered_until if self._stored is not None else 0

    def close(self, answer: Answer[int] = ignore) -> None:
        count = self.ready_count
        if self._stored is not None:
            self.store.settle_positions(self.store_id, self._stored.positions)
            self._stored = None
        if self.store_id:
            self.store.forget_queue(self.store_id)
        answer(count)

    def _misused(self) -> NoReturn:
        raise AssertionError(f"{self.description} takes and gives nothing")
