"""What stands for a replicated queue while this node doesn't know of anybody who has it: its shard is on the move.

Publishes are held for a while, consumers wait, and both go on with whatever takes its place (replacing.py).  Whoever
wants an answer at once (basic.get, purge) is told that there is none now.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, ClassVar, Final, NoReturn

from warren.core.cluster.replacing import renumbered
from warren.core.compiled import mypyc_attr
from warren.core.errors import NotFound
from warren.core.queues.answer import Answer, Polled, ignore
from warren.core.queues.argument import Argument
from warren.core.queues.base import Columns, Queue, Stored
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.queues.classic.rules import rules_from_arguments
from warren.core.queues.quorum import QuorumQueue, check_delete
from warren.core.queues.registry import check_consumer_arguments, queue_class
from warren.core.routing.receipt import Receipt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from warren.core.clients.client import Client
    from warren.core.deadlines import Deadline
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.message import Message
    from warren.core.queues.consumer import Consumer
    from warren.core.routing.vhost import VirtualHost

HELD_MS: Final = 20_000
"""How long a publish waits for the queue: what a crash takes as a rule, an election and a lease that runs out."""

HELD_BYTES_MAX: Final = 16 << 20
"""Bodies that one queue holds; what is more is refused at once."""

HELD_MAX: Final = 20_000
"""The same in messages."""

REFUSAL: Final = "no node of the cluster has its shard at the moment"


def _unknown(queue: Queue) -> object:
    return None


UNKNOWN: Final[Columns] = dict.fromkeys(
    ("messages", "messages_ready", "messages_unacknowledged", "messages_dlx"), _unknown
)
"""What is shown of a queue that can't be asked how many messages it has: nothing."""


@mypyc_attr(allow_interpreted_subclasses=True)
class UnownedQueue(Queue):
    """See the head of this file.  held: what was published to it and may still get there, with whom to answer."""

    __slots__ = ("_due", "_held_bytes", "held")

    type_name: ClassVar[str] = "quorum"
    of_cluster: ClassVar[bool] = True
    keeps_messages: ClassVar[bool] = True
    stores_transient: ClassVar[bool] = True
    shares_prefetch: ClassVar[bool] = False
    known_arguments: ClassVar[tuple[Argument, ...]] = QuorumQueue.known_arguments
    consumer_arguments: ClassVar[tuple[Argument, ...]] = QuorumQueue.consumer_arguments

    columns: ClassVar[Columns] = {"state": lambda queue: "no owner", "node": lambda queue: "", **UNKNOWN}

    def prepare(self) -> None:
        rules_from_arguments(self.description, self.arguments)
        self.held: list[tuple[Message, Receipt, int]] = []
        self._held_bytes = 0
        self._due: Deadline | None = None

    @property
    def ready_count(self) -> int:
        return 0

    # In

    @property
    def answers_late(self) -> bool:
        return True

    @property
    def why(self) -> str:
        """Why it can't be had."""
        return REFUSAL

    @property
    def late_refusal(self) -> str:
        return f"{self.why}; publish again later"

    def append_with(self, message: Message, receipt: Receipt) -> None:
        receipt.expect()
        if len(self.held) >= HELD_MAX or self._held_bytes + message.body_size > HELD_BYTES_MAX:
            receipt.answer(taken=False)
            return
        broker = self.vhost.broker
        self.held.append((message, receipt, broker.now_ms + HELD_MS))
        self._held_bytes += message.body_size
        self._watch()

    def append(self, message: Message) -> None:
        self.append_with(message, Receipt())

    def _watch(self) -> None:
        if self._due is None and self.held:
            self._due = self.vhost.broker.deadlines.schedule(self.held[0][2], self._give_up)

    def _give_up(self, now_ms: int) -> None:
        self._due = None
        late = [each for each in self.held if each[2] <= now_ms]
        del self.held[: len(late)]
        for message, receipt, _ in late:
            self._held_bytes -= message.body_size
            receipt.answer(taken=False)
        self._watch()

    def replaced(self, by: Queue) -> None:
        """What is held is for the queue that takes its place."""
        held, self.held = self.held, []
        self._held_bytes = 0
        if self._due is not None:
            self._due.cancel()
            self._due = None
        for message, receipt, _ in held:
            by.append_with(renumbered(message, self.vhost.broker), receipt)
            receipt.answer(taken=True)
            if message.properties.expiration is not None:
                by.expects_expiry()

    # Out

    def check_delete(self, *, if_unused: bool, if_empty: bool) -> None:
        check_delete(self.description, if_unused=if_unused, if_empty=if_empty)

    def drain(self) -> None:
        """There is nothing to deliver."""

    def get(
        self, answer: Answer[Polled], *, no_ack: bool, client: Client | None = None, channel_number: int = 0
    ) -> None:
        self._not_now()

    def browse(self, start: int, count: int) -> Iterator[Message]:
        self._not_now()

    def purge(self, answer: Answer[int]) -> None:
        self._not_now()

    def _not_now(self) -> NoReturn:
        raise NotFound(f"{self.description} is not available: {self.why}. What it has stored is kept; try again later")

    def add_consumer(self, consumer: Consumer) -> None:
        check_consumer_arguments(self, consumer.arguments)
        consumer.exclusive = False
        consumer.parked = True
        self.consumers.append(consumer)

    def remove_consumer(self, consumer: Consumer) -> None:
        consumer.active = False
        if consumer in self.consumers:
            self.consumers.remove(consumer)

    def park(self, consumer: Consumer) -> None:
        consumer.parked = True

    def resume(self, consumer: Consumer) -> None:
        """It waits in any case."""

    # What is settled was delivered before, and counts no more

    def acknowledge(self, message: Message) -> None:
        """Nothing."""

    def discard(self, message: Message) -> None:
        """Nothing."""

    def requeue(self, messages: Iterable[Message], *, failed: bool = True) -> None:
        """Nothing."""

    def restore(self, stored: Stored) -> None:
        """Nothing is stored here."""

    def close(self, answer: Answer[int] = ignore) -> None:
        held, self.held = self.held, []
        for _, receipt, _ in held:
            receipt.answer(taken=False)
        if self._due is not None:
            self._due.cancel()
        answer(0)


@mypyc_attr(allow_interpreted_subclasses=True)
class UnownedClassic(UnownedQueue):
    """The same of a classic queue that a policy has replicated."""

    __slots__ = ()

    type_name: ClassVar[str] = ClassicQueue.type_name
    known_arguments: ClassVar[tuple[Argument, ...]] = ClassicQueue.known_arguments
    consumer_arguments: ClassVar[tuple[Argument, ...]] = ClassicQueue.consumer_arguments
    shares_prefetch: ClassVar[bool] = ClassicQueue.shares_prefetch

    def check_delete(self, *, if_unused: bool, if_empty: bool) -> None:
        """Nothing is known of it."""
        if if_unused or if_empty:
            self._not_now()


def unowned_queue(
    vhost: VirtualHost,
    name: str,
    *,
    auto_delete: bool,
    arguments: Mapping[str, FieldValue],
    arguments_raw: bytes,
    store_id: int,
) -> UnownedQueue:
    """What stands for a replicated queue of this type; it isn't among the queues of the virtual host yet.

    Raises PreconditionFailed (406) for arguments that can't be.
    """
    is_classic = queue_class(f"queue '{name}' in vhost '{vhost.name}'", arguments).type_name == ClassicQueue.type_name
    return (UnownedClassic if is_classic else UnownedQueue)(
        vhost,
        name,
        durable=True,
        auto_delete=auto_delete,
        arguments=arguments,
        arguments_raw=arguments_raw,
        store_id=store_id,
    )
