"""What every queue type offers to the rest of the broker.

A queue type is a class behind this interface, found by its name in `core.queues.registry`; the built-in classic type
comes through the same door as any other.  Publishing calls `append`; consuming goes through `add_consumer` and the
broker's dispatch, which calls `drain` once per batch; `get` serves a poll.  What was delivered and is not settled yet
is remembered by the session, which gives it back by `acknowledge`, `discard` or `requeue`.

Storing
-------
The virtual host stores what it publishes to queues that have a `store_id`, one record for all of them; the queue
settles its entry when a message leaves.  After a restart the queue is made from its definition and gets its entries
back by `restore`.

Answering later
---------------
`get`, `purge` and `close` are given a callable for their answer, and `when_ready` is asked before a declaration is
answered: a type may call it later (core/queues/answer.py).  A type that can't say at once whether it takes a message
sets `answers_late` and implements `append_with` (core/routing/receipt.py).  Delivering and settling are plain calls.

Longer than 400 lines because it is one contract, with what it promises beside each call.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NoReturn, TypeAlias

from warren.core.compiled import mypyc_attr
from warren.core.counters import QueueCounts
from warren.core.errors import PreconditionFailed, ResourceLocked
from warren.core.messages.field_table import EMPTY_TABLE_RAW
from warren.core.queues.answer import Answer, Polled, ignore
from warren.core.queues.argument import CONSUMER_ARGUMENTS, Argument
from warren.core.queues.returning import LongReturn, PartByPart
from warren.core.queues.weight import NOTHING, Weight

if TYPE_CHECKING:
    from warren.core.clients.client import Client
    from warren.core.counters import Counts
    from warren.core.messages.field_table import FieldValue
    from warren.core.messages.message import Message
    from warren.core.queues.buffer import Buffer
    from warren.core.queues.consumer import Consumer
    from warren.core.queues.outlook import Outlook
    from warren.core.routing.receipt import Receipt
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.definitions.store import JSON
    from warren.core.storage.engine import StorageEngine


Columns: TypeAlias = "Mapping[str, Callable[[Any], object]]"
"""What a listing shows of a queue: the value by the name of the column."""


class Admission(Enum):
    """A guarded queue's answer to a message: take it, refuse it (the publisher is told), or drop it silently."""

    TAKE = "take"
    REFUSE = "refuse"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Stored:
    """What a queue had in the store when the broker stopped.

    positions: of its entries in the log, in the order of publishing; they serve as the sequences of the messages.
    sizes: of their bodies, in bytes.  redelivered_until: messages up to this sequence may have been delivered before.
    failures: failed deliveries by sequence, where the store counted any.  body_bytes: the sum of the sizes, where
    somebody has added them up before; 0 else.
    """

    positions: Sequence[int]
    sizes: Sequence[int]
    redelivered_until: int
    failures: Mapping[int, int]
    body_bytes: int = 0


@mypyc_attr(allow_interpreted_subclasses=True)
class Queue:
    """The common part of every queue: its name and declaration, and its consumers.

    store_id: the queue's number in the storage engine, 0 for a queue whose messages are not stored.
    store: that engine: the broker's, but for a replicated queue, whose messages are in the log of its shard.
    owner: the connection that an exclusive queue belongs to.  user, user_id: whose subscription it is, where it is one
    that outlives its connection, by the user's name and id; empty for queues that are for whoever has permissions.
    unacked_count: messages delivered and not settled; the type counts them.  ready_bytes: the bodies of all ready
    messages, in bytes; the type counts them, too.
    dirty: it is to be drained at the end of this batch (`mark_dirty`).
    counts: what happened to its messages (core/counters.py); the type counts it.
    made_at_ms: when it was declared, or the broker started.  read_at_ms: when a consumer has left it, or somebody
    polled it, for the last time; at first the same.
    """

    __slots__ = (
        "arguments",
        "arguments_raw",
        "auto_delete",
        "consumers",
        "counts",
        "dirty",
        "durable",
        "effective_policy",
        "exclusive",
        "made_at_ms",
        "name",
        "operator_policy",
        "owner",
        "policy",
        "read_at_ms",
        "ready_bytes",
        "store",
        "store_id",
        "unacked_count",
        "user",
        "user_id",
        "vhost",
    )

    type_name: ClassVar[str]
    kind: Literal["queue"] = "queue"

    stores_transient: ClassVar[bool] = False
    """True for a type that keeps every message on disk, whatever its delivery mode."""

    keeps_messages: ClassVar[bool] = False
    """True for a type that keeps its messages by itself instead of in the message log; confirms wait for the next
    flush all the same."""

    of_cluster: ClassVar[bool] = False
    """True for what stands for a queue of a cluster: its number and its messages aren't this node's own."""

    shares_prefetch: ClassVar[bool] = True
    """False for a type that can't be consumed from under a prefetch shared by the channel (540)."""

    policy_type: ClassVar[str] = ""
    """The type that policies take it for; empty: its own."""

    wildcards_skip: ClassVar[str] = ""
    """Routing keys that begin so aren't matched by a wildcard at the beginning of a binding key of a topic exchange;
    empty: wildcards match any key."""

    known_arguments: ClassVar[tuple[Argument, ...]] = ()
    """The x-arguments of a declaration that the type knows.  A redeclaration must repeat them; others don't count."""

    consumer_arguments: ClassVar[tuple[Argument, ...]] = CONSUMER_ARGUMENTS
    """The x-arguments that consumers on it may have."""

    columns: ClassVar[Columns] = {}
    """What listings show of queues of this type beside the common columns, or instead of one of the same name: the
    column's name, and a function of the queue that computes it."""

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
        store: StorageEngine | None = None,
    ) -> None:
        self.vhost = vhost
        self.name = name
        self.durable = durable
        self.exclusive = owner is not None
        self.auto_delete = auto_delete
        self.user = self.user_id = ""
        self.owner = owner
        self.arguments: Mapping[str, FieldValue] = arguments or {}
        self.arguments_raw = arguments_raw
        self.store_id = store_id
        self.store: StorageEngine = vhost.broker.store if store is None else store
        self.consumers: list[Consumer] = []
        self.unacked_count = 0
        self.ready_bytes = 0
        self.counts = QueueCounts()
        self.made_at_ms = self.read_at_ms = vhost.broker.now_ms
        self.dirty = False
        self.policy: str | None = None
        self.operator_policy: str | None = None
        self.effective_policy: Mapping[str, JSON] = {}
        self.prepare()

    def prepare(self) -> None:
        """Set up what the type has of its own; the end of the constructor, which is the same for all types.

        Raises PreconditionFailed (406) for arguments that can't be.
        """

    @property
    def description(self) -> str:
        """`queue 'name' in vhost 'vhost'`, for error texts."""
        return f"queue '{self.name}' in vhost '{self.vhost.name}'"

    @property
    def is_left_behind(self) -> bool:
        """Whether it is the subscription of a user who is deleted, and goes soon, whoever has the name now."""
        return bool(self.user) and not self.vhost.broker.users.owns(self.user, self.user_id)

    @property
    def is_remote(self) -> bool:
        """True for what stands here for a queue that another node of the cluster has (core.cluster.remote_queue)."""
        return False

    @property
    def consumer_count(self) -> int:
        """How many consumers it has, wherever they are."""
        return len(self.consumers)

    def look(self, answer: Answer[None]) -> None:
        """Ask how it stands, where it is another node's."""
        answer(None)

    @classmethod
    def check_declaration(
        cls, description: str, *, durable: bool, exclusive: bool, auto_delete: bool, server_named: bool
    ) -> None:
        """Raise PreconditionFailed (406) for properties that a queue of this type can't have."""

    def check_usable(self) -> None:
        """Raise a BrokerError when nobody can use the queue now, but to delete it; says why, and what to do."""

    def check_delete(self, *, if_unused: bool, if_empty: bool) -> None:
        """Raise NotImplementedByBroker (540) for conditions that this type doesn't know."""

    def used(self) -> None:
        """Somebody redeclared or polled the queue."""

    def failures(self, message: Message) -> int:
        """Failed deliveries of an unsettled message, where the type counts them: for the header x-delivery-count."""
        return 0

    def returns(self, message: Message) -> int:
        """How often an unsettled message has come back, as far as the type knows: for the header x-acquired-count.

        It may be forgotten over a restart.
        """
        return 0

    def was_delivered(self, message: Message) -> bool:
        """True for a ready message whose next delivery will be marked as a redelivery."""
        return False

    @property
    def consumer_timeout_ms(self) -> int | None:
        """The acknowledgement timeout of its consumers; None: as the broker has it."""
        return None

    def watch_demand(self, watch: Callable[[bool], None]) -> bool:
        """Have `watch` called with True whenever the queue is empty and consumers have credit to spare, and with False
        when that ends.

        It is called in the broker's turn, at first in the one after this call, and is to be quick.  Consumers with a
        priority below 0 don't count.  False for a type that can't say; then it is never called.
        """
        return False

    def watch_incoming(self, watcher: Callable[[Message], None]) -> None:
        """Have `watcher` called with each message that comes in, while others are published; it is to be quick.

        The caller makes remembered routes void (`VirtualHost.changed`).  Raises PreconditionFailed (406) for a type
        that can't.
        """
        raise PreconditionFailed(f"{self.description} is of type {self.type_name}, which can't be looked at")

    def unwatch_incoming(self, watcher: Callable[[Message], None]) -> None:
        """Undo `watch_incoming`."""

    def unwatch_demand(self, watch: Callable[[bool], None]) -> None:
        """Undo `watch_demand`."""

    @property
    def spare_credit(self) -> int:
        """So many messages its consumers could take at once, those with a priority below 0 left out; 0 for a type that
        can't say."""
        return 0

    @property
    def counts_deliveries(self) -> bool:
        """True when redeliveries carry x-delivery-count."""
        return False

    def is_active(self, consumer: Consumer) -> bool:
        """False for a consumer that waits behind a single active one."""
        return True

    @property
    def has_single_active(self) -> bool:
        """Whether one consumer alone is active, and others wait behind it."""
        return False

    def check_owner(self, client: Client | None) -> None:
        """Refuse, with ResourceLocked (405), a client that an exclusive queue doesn't belong to."""
        if self.owner is not None and self.owner is not client:
            self.refuse_exclusivity()

    def refuse_exclusivity(self) -> NoReturn:
        """The 405 of a queue whose exclusivity doesn't fit what was asked."""
        raise ResourceLocked(
            f"cannot obtain exclusive access to locked {self.description}. It could be originally declared on another "
            "connection or the exclusive property value does not match that of the original declaration."
        )

    def apply_policy(
        self, effective: Mapping[str, JSON], policy_name: str | None, operator_policy_name: str | None
    ) -> None:
        """Other policies match the queue now; called when it is declared or restored, and whenever that changes.

        effective: the merged definition of both.  Types that obey policies extend this.
        """
        self.effective_policy = effective
        self.policy = policy_name
        self.operator_policy = operator_policy_name

    @property
    @abstractmethod
    def ready_count(self) -> int:
        """Messages waiting for a consumer."""

    @property
    def kept_count(self) -> int:
        """All messages that it has."""
        return self.ready_count + self.unacked_count + self.untaken_count

    @property
    def counted_as(self) -> str:
        """The type that metrics know it by: an internal type is counted as what policies take it for."""
        return self.policy_type or self.type_name

    @property
    def message_counts(self) -> Counts:
        """What happened to its messages, by name."""
        return self.counts.snapshot(self.ready_count, self.ready_bytes, self.unacked_count)

    @property
    def untaken_count(self) -> int:
        """Messages on their way to a dead letter exchange where nobody takes them yet."""
        return 0

    def persistent_on_disk(self) -> Weight:
        """Ready messages of which nothing but a ticket is in memory."""
        return NOTHING

    def ready_in_memory(self, most: int) -> Iterator[Message] | None:
        """The other ready messages, as they are now; None if those are more than `most`, or hard to find among more."""
        return iter(())

    @property
    def has_entries_to_settle(self) -> bool:
        """True while the message log holds something of a deleted queue that is still to be settled."""
        return self.unacked_count > 0

    @property
    def guarded(self) -> bool:
        """True when `admit` has to be asked before a message is appended."""
        return False

    def admit(self, message: Message) -> Admission:
        """Whether a message may come in; asked only of queues that are `guarded`."""
        return Admission.TAKE

    @property
    def answers_late(self) -> bool:
        """True when it says later whether it has taken a message: `append_with` is called instead of `append`.

        A type may set it for good, in its class.  Where it changes, remembered routes are void (`VirtualHost.changed`).
        """
        return False

    @property
    def is_overdue(self) -> bool:
        """True when so much of what should leave it waits for that that publishers should wait, too.

        Asked only of queues that are `guarded`; where it changes, remembered routes are void (`VirtualHost.changed`).
        """
        return False

    def has_no_room_for(self, message: Message) -> bool:
        """True when `admit` would refuse the message unless a consumer takes it at once."""
        return False

    @property
    def refuses_as_asked(self) -> bool:
        """True when somebody has asked for refusals, so that a publisher is to notice whatever its protocol can say.

        False for a queue that refuses to protect the broker from a consumer that is away.
        """
        return True

    @property
    def refusal(self) -> str:
        """Why `admit` refuses a message now, for a publisher who can be told; it doesn't name the queue."""
        return "it is full and refuses messages (x-overflow: reject-publish); publish again when there is room"

    @property
    def late_refusal(self) -> str:
        """Why a message may be refused later, as `refusal`; empty where there is nothing to say."""
        return ""

    def outlook(self, message: Message) -> Outlook:
        """What it would do with a message now, without doing it (core.queues.outlook)."""
        from warren.core.queues.outlook import outlook_in_general

        return outlook_in_general(self, message)

    @property
    def whose(self) -> str:
        """For whom it is, in words, where it is somebody's own; empty for a queue that is for everybody."""
        if self.owner is not None:
            return f"connection {self.owner.name}"
        return f"a subscription of user '{self.user}'" if self.user else ""

    @abstractmethod
    def append(self, message: Message) -> None:
        """Take a routed message; delivery happens at the end of the batch."""

    def row_of(self, message: Message) -> int:
        """The number of the row that a message would be appended to; messages of one row go to `append_all`."""
        return 0

    def append_all(self, messages: list[Message], size_bytes: int, row: int = 0) -> None:
        """Take many messages of a row at once, whose bodies have so many bytes.

        None of them needs to be asked about any more: `reserve` has let them in, or the queue isn't `guarded`.
        """
        for message in messages:
            self.append(message)

    def reserve(self, message: Message) -> Admission | None:
        """What `admit` would say of a message that comes in a later turn; asked only of queues that are `guarded`.

        Where that is TAKE, there is room for it until `release` is called, just before it comes or when it doesn't.
        None: the queue can't say beforehand.
        """
        return None

    def turned_away(self, count: int) -> None:
        """So many messages that `reserve` had no place for would have come now."""

    def release(self, count: int, size_bytes: int) -> None:
        """So many messages with so many bytes of bodies that had a place reserved come now, or don't come."""

    def append_with(self, message: Message, receipt: Receipt) -> None:
        """Take a routed message if that can be, and say so later: `receipt.expect()` now, `receipt.answer` then.

        Asked only of types that `answers_late`.  The message counts as stored for this queue already if it has a
        `store_id`; a type that refuses it later settles the entry.
        """
        self.append(message)

    takes_rows: ClassVar[bool] = False
    """Of a type that `answers_late`: True where it takes many messages with one answer (`append_all_with`)."""

    def append_all_with(self, messages: list[Message], size_bytes: int, receipt: Receipt) -> None:
        """The same of a row of messages, which are taken or refused together; asked only of types that say so."""
        for message in messages:
            self.append_with(message, receipt)

    def drop_with(self, message: Message, receipt: Receipt) -> None:
        """A message that `admit` drops as a duplicate; asked only of queues that answer late.

        Whoever waits for an answer may have to wait for that of what it duplicates.
        """

    def use_buffer(self, buffer: Buffer | None) -> None:
        """Be somebody's buffer as it says (core.queues.buffer), or none any more.

        Raises PreconditionFailed (406) for a type that can't.
        """
        if buffer is not None:
            raise PreconditionFailed(
                f"{self.description} is of type {self.type_name}, which can't be a shovel's buffer: leave out "
                "'confirm-upstream' and the keys that begin with 'buffer-'"
            )

    def tell_departures(self) -> None:
        """Somebody who observes messages is to hear what becomes of those in it, where the type says so
        (core.message_observer)."""

    def expects_expiry(self) -> None:
        """A message with an expiration of its own was appended."""

    @abstractmethod
    def drain(self) -> None:
        """Deliver ready messages to available consumers until either runs out."""

    def mark_dirty(self) -> None:
        """Have the queue drained at the end of this batch."""
        if not self.dirty:
            self.dirty = True
            self.vhost.broker.dirty_queues.append(self)

    def catch_up(self) -> None:
        """Do now what this batch has left to do, so that who looks at the queue sees it as if there were no batches."""
        if self.dirty:
            self.drain()

    def when_ready(self, answer: Answer[None]) -> None:
        """The queue was declared: answer once that holds, with an error if it can't be had.

        Most types answer at once.  One that answers with an error for a queue just made has removed it.
        """
        answer(None)

    @abstractmethod
    def get(
        self, answer: Answer[Polled], *, no_ack: bool, client: Client | None = None, channel_number: int = 0
    ) -> None:
        """Give the message at the head and whether it is a redelivery; None when nothing is ready.

        The message is the asker's from the moment of the answer: it acknowledges, discards or requeues it, unless
        `no_ack`.  client, channel_number: who polls.  May also raise what it could answer.
        """

    @abstractmethod
    def acknowledge(self, message: Message) -> None:
        """A delivered message was processed: it is done with here."""

    def acknowledge_all(self, messages: list[Message]) -> None:
        """The same of many; a type that says otherwise what `acknowledge` does says it here, too."""
        for message in messages:
            self.acknowledge(message)

    @abstractmethod
    def discard(self, message: Message) -> None:
        """A delivered message was rejected without requeueing."""

    def reclaim(self, message: Message) -> bool:
        """A message that was acknowledged here, because its taker keeps it elsewhere, is an unsettled delivery again.

        The caller settles it, at once and in the same group of the store: it is for a taker that finds out later that
        it doesn't take it after all.  False for a type, or a queue, that can't have it back.
        """
        return False

    @abstractmethod
    def requeue(self, messages: Iterable[Message], *, failed: bool = True) -> None:
        """Delivered messages come back to their original positions, marked as redelivered.

        failed: it counts towards a delivery limit (adapters.session.deliveries).
        """

    def begin_return(self) -> LongReturn:
        """Very many deliveries are about to come back, part by part (returning.py)."""
        return PartByPart(self)

    def discard_work(self, message: Message) -> int:
        """How much work it is to discard a message, if acknowledging one is 1 (core.chores)."""
        return 1

    @property
    def keeps_untaken(self) -> bool:
        """True where what is discarded stays until somebody takes it as a dead letter."""
        return False

    def return_work(self, message: Message) -> int:
        """The same of taking a message back whose delivery has failed."""
        return 1

    @abstractmethod
    def browse(self, start: int, count: int) -> Iterator[Message]:
        """Up to `count` ready messages from index `start` on, in delivery order, without changing anything."""

    @abstractmethod
    def purge(self, answer: Answer[int]) -> None:
        """Drop all ready messages; the answer is how many."""

    @abstractmethod
    def add_consumer(self, consumer: Consumer) -> None:
        """Register a consumer; it is served from the next dispatch on."""

    @abstractmethod
    def remove_consumer(self, consumer: Consumer) -> None:
        """Forget a consumer; its unsettled messages stay with its session."""

    def dismiss(self, consumer: Consumer) -> None:
        """A consumer ends, and is given nothing more; `remove_consumer` follows in a later turn."""
        consumer.active = False
        self.park(consumer)

    @abstractmethod
    def park(self, consumer: Consumer) -> None:
        """A consumer can't take messages until it is resumed, for a reason that its own deliveries didn't show."""

    @abstractmethod
    def resume(self, consumer: Consumer) -> None:
        """A parked consumer can take messages again."""

    def sleep(self, consumer: Consumer) -> bool:
        """A parked consumer, of many that share a credit, is to be resumed (`Consumer.resume`) once there is something.

        False for a type that doesn't do that.
        """
        return False

    @abstractmethod
    def restore(self, stored: Stored) -> None:
        """The broker starts, and this is what the queue had stored; called once if there is anything."""

    @property
    def resident_bytes(self) -> int:
        """Estimated memory of messages that `page_out` could take out of it, in bytes.

        A queue that has some makes that known by `Broker.crowded_queues`.
        """
        return 0

    def page_out(self) -> None:
        """Let messages leave memory that are safely on disk: together, queues hold more than the broker's budget."""

    def delivered_position(self) -> int:
        """The log position of the last ready message that was delivered before, 0 for none; for a clean stop.

        It is what `Stored.redelivered_until` will be.
        """
        return 0

    def replaced(self, by: Queue) -> None:
        """Another object stands for the queue from now on (core.cluster.replacing); what is here is let go."""

    @abstractmethod
    def close(self, answer: Answer[int] = ignore) -> None:
        """The queue is deleted: settle what is stored; consumers have been told already.

        The answer is how many ready messages went with it.
        """
