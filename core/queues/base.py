"""What every queue type offers to the rest of the broker.

A queue type is a class behind this interface, found by its name in `core.queues.registry`; the built-in classic type
comes through the same door as any other.  Publishing calls `append`; consuming goes through `add_consumer` and the
broker's dispatch, which calls `drain` once per batch; `get` serves a poll.  What was delivered and is not settled yet
is remembered by the session, which gives it back by `acknowledge`, `discard` or `requeue`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, ClassVar, Literal, NoReturn

from core.binding import EMPTY_TABLE_RAW
from core.errors import ResourceLocked

if TYPE_CHECKING:
    from core.client import Client
    from core.consumer import Consumer
    from core.field_table import FieldValue
    from core.message import Message
    from core.vhost import VirtualHost


class Queue(ABC):
    """The common part of every queue: its name and declaration, and its consumers.

    store_id: the queue's number in the storage engine, 0 for a queue whose messages are not stored.
    owner: the connection that an exclusive queue belongs to.
    """

    __slots__ = (
        "arguments",
        "arguments_raw",
        "auto_delete",
        "consumers",
        "dirty",
        "durable",
        "exclusive",
        "had_consumer",
        "name",
        "owner",
        "store_id",
        "vhost",
    )

    type_name: ClassVar[str]
    kind: Literal["queue"] = "queue"

    equivalent_arguments: ClassVar[tuple[str, ...]] = ()
    """Arguments that a redeclaration must repeat; others don't count."""

    def __init__(
        self,
        vhost: VirtualHost,
        name: str,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        owner: Client | None = None,
        arguments: Mapping[str, FieldValue] | None = None,
        arguments_raw: bytes = EMPTY_TABLE_RAW,
        store_id: int = 0,
    ) -> None:
        self.vhost = vhost
        self.name = name
        self.durable = durable
        self.exclusive = owner is not None
        self.auto_delete = auto_delete
        self.owner = owner
        self.arguments: Mapping[str, FieldValue] = arguments or {}
        self.arguments_raw = arguments_raw
        self.store_id = store_id
        self.consumers: list[Consumer] = []
        self.had_consumer = False
        self.dirty = False

    @property
    def description(self) -> str:
        """`queue 'name' in vhost 'vhost'`, for error texts."""
        return f"queue '{self.name}' in vhost '{self.vhost.name}'"

    def check_owner(self, client: Client) -> None:
        """Refuse, with ResourceLocked (405), a client that an exclusive queue doesn't belong to."""
        if self.owner is not None and self.owner is not client:
            self.refuse_exclusivity()

    def refuse_exclusivity(self) -> NoReturn:
        """The 405 of a queue whose exclusivity doesn't fit what was asked."""
        raise ResourceLocked(
            f"cannot obtain exclusive access to locked {self.description}: it belongs to another connection, "
            "or was declared with another value of exclusive"
        )

    @property
    @abstractmethod
    def ready_count(self) -> int:
        """Messages waiting for a consumer."""

    @property
    @abstractmethod
    def unacked_count(self) -> int:
        """Messages delivered and not settled."""

    @abstractmethod
    def append(self, message: Message) -> None:
        """Take a routed message; delivery happens at the end of the batch."""

    @abstractmethod
    def drain(self) -> None:
        """Deliver ready messages to available consumers until either runs out."""

    @abstractmethod
    def get(self, *, no_ack: bool) -> tuple[Message, bool] | None:
        """The message at the head and whether it is a redelivery; None when nothing is ready."""

    @abstractmethod
    def acknowledge(self, message: Message) -> None:
        """A delivered message was processed: it is done with here."""

    @abstractmethod
    def discard(self, message: Message) -> None:
        """A delivered message was rejected without requeueing."""

    @abstractmethod
    def requeue(self, messages: Iterable[Message]) -> None:
        """Delivered messages come back to their original positions, marked as redelivered."""

    @abstractmethod
    def purge(self) -> int:
        """Drop all ready messages; the number dropped."""

    @abstractmethod
    def add_consumer(self, consumer: Consumer) -> None:
        """Register a consumer; it is served from the next dispatch on."""

    @abstractmethod
    def remove_consumer(self, consumer: Consumer) -> None:
        """Forget a consumer; its unsettled messages stay with its session."""

    @abstractmethod
    def resume(self, consumer: Consumer) -> None:
        """A parked consumer can take messages again."""

    @abstractmethod
    def delivered_position(self) -> int:
        """The log position of the last ready message that was delivered before, 0 for none; for a clean stop."""

    @abstractmethod
    def close(self) -> None:
        """The queue is deleted: settle what is stored; consumers have been told already."""
