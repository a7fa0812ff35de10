"""What a crash test knows of a broker's past, and what therefore must, may or must not be there afterwards.

Theory of operation
-------------------
Everything the clients send and receive is told to a `History` in the order in which they do it.  An *entry* is one
message in one queue, and is in one of four states:

    OFFERED  published, not confirmed yet              after a crash: there or not
    KEPT     confirmed, or found after an earlier crash       must be there
    ACKED    an acknowledgement was sent                      there or not
    GONE     that acknowledgement is known to be flushed      must not be there

An acknowledgement is flushed with the group commit that follows its handling, and a commit is sent its confirms only
when it is on disk.  So an acknowledgement is known to be flushed once a message is confirmed that the broker took
after it.  Which came first is known in two cases alone, as connections are read in no particular order:

* the message was published behind the acknowledgement on the same connection, or
* the acknowledging connection had an answer to something it sent behind the acknowledgement, before the message was
  published (on any connection).

A transaction is applied as a whole or not at all: its messages are in all their queues and what it acknowledged is
gone, or neither.  Once tx.commit-ok came it is applied; before tx.commit was sent it is not.  The absence of an
acknowledged message that is transient or was never confirmed says nothing, as it may never have been written.

Nothing here speaks to a broker, so that histories can be made up to test it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum


class State(Enum):
    """See the head of this file."""

    OFFERED = "offered"
    KEPT = "kept"
    ACKED = "acked"
    GONE = "gone"


@dataclass(slots=True)
class Entry:
    """One message in one queue.

    index: grows with every publish.  delivered: some consumer got it, in this run or an earlier one.
    out: a consumer has it and has not settled it.
    """

    publisher: str
    index: int
    persistent: bool
    state: State = State.OFFERED
    delivered: bool = False
    out: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A message as it was found in a queue after a restart."""

    message_id: str
    redelivered: bool
    intact: bool


@dataclass(slots=True)
class Transaction:
    """What a transaction published and acknowledged, as (queue, message id), and how far its commit got."""

    published: list[tuple[str, str]] = field(default_factory=list)
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    requested: bool = False


@dataclass(frozen=True, slots=True)
class _Proof:
    """The acknowledgements, as counts per connection, that are flushed when a message is confirmed."""

    queues: tuple[str, ...]
    acknowledged: Mapping[str, int]
    connection: str
    on_connection: int


class History:
    """The past of one data directory.  `violations` collects what was wrong while the broker ran."""

    def __init__(self) -> None:
        self.entries: dict[str, dict[str, Entry]] = {}
        self.violations: list[str] = []
        self.confirmed_count = 0
        self.flushed_count = 0
        self._index = 0
        self._proofs: dict[str, _Proof] = {}
        self._acknowledged: dict[str, list[tuple[str, str]]] = {}
        self._handled: dict[str, int] = {}
        self._flushed: dict[str, int] = {}
        self._transactions: list[Transaction] = []

    # What publishers tell

    def publish(
        self,
        connection: str,
        message_id: str,
        queues: Sequence[str],
        *,
        persistent: bool = True,
        transaction: Transaction | None = None,
    ) -> None:
        """A message is being sent; it will be routed to `queues`, at once or with its transaction."""
        self._index += 1
        for queue in queues:
            self.entries.setdefault(queue, {})[message_id] = Entry(connection, self._index, persistent)
            if transaction is not None:
                transaction.published.append((queue, message_id))
        if transaction is None:
            on_connection = len(self._acknowledged.get(connection, ()))
            self._proofs[message_id] = _Proof(tuple(queues), self._handled, connection, on_connection)

    def confirm(self, message_id: str) -> None:
        """basic.ack came for a message."""
        proof = self._proofs.pop(message_id, None)
        if proof is None:
            self.violations.append(f"{message_id} was confirmed twice, or never published")
            return
        self.confirmed_count += 1
        for queue in proof.queues:
            self._keep(queue, message_id)
        for connection, count in proof.acknowledged.items():
            self._settle_flushed(connection, count)
        self._settle_flushed(proof.connection, proof.on_connection)

    # What consumers tell

    def deliver(self, queue: str, message_id: str, *, redelivered: bool, intact: bool = True) -> None:
        """A message came to a consumer."""
        entry = self.entries.get(queue, {}).get(message_id)
        what = f"{queue}: {message_id}"
        if entry is None:
            self.violations.append(f"{what} was delivered but is not in that queue")
            return
        if entry.state in (State.ACKED, State.GONE):
            self.violations.append(f"{what} was delivered again after its acknowledgement")
        if entry.out:
            self.violations.append(f"{what} was delivered twice")
        if redelivered != entry.delivered:
            expected = "as redelivered" if entry.delivered else "for the first time"
            self.violations.append(f"{what} should have been delivered {expected}")
        if not intact:
            self.violations.append(f"{what} was delivered with another body")
        entry.delivered = entry.out = True

    def acknowledge(self, connection: str, queue: str, message_id: str, transaction: Transaction | None = None) -> None:
        """An acknowledgement is being sent, for now or for when the transaction is committed."""
        entry = self.entries[queue][message_id]
        if transaction is not None:
            transaction.acknowledged.append((queue, message_id))
            return
        entry.out = False
        entry.state = State.ACKED
        self._acknowledged.setdefault(connection, []).append((queue, message_id))

    def requeue(self, queue: str, message_id: str) -> None:
        """A delivered message is being given back."""
        self.entries[queue][message_id].out = False

    def acknowledged_count(self, connection: str) -> int:
        """How many acknowledgements a connection sent: what to give to `answered` when an answer comes."""
        return len(self._acknowledged.get(connection, ()))

    def answered(self, connection: str, count: int) -> None:
        """An answer came to something that was sent behind the first `count` acknowledgements."""
        self._handled = {**self._handled, connection: max(count, self._handled.get(connection, 0))}

    # Transactions

    def begin(self) -> Transaction:
        """A transaction begins; pass it to `publish` and `acknowledge`."""
        transaction = Transaction()
        self._transactions.append(transaction)
        return transaction

    def commit(self, transaction: Transaction) -> None:
        """tx.commit is being sent."""
        transaction.requested = True

    def committed(self, transaction: Transaction) -> None:
        """tx.commit-ok came."""
        self._transactions.remove(transaction)
        for queue, message_id in transaction.published:
            self._keep(queue, message_id)
        for queue, message_id in transaction.acknowledged:
            self.entries[queue][message_id].state = State.GONE
            self.entries[queue][message_id].out = False

    def roll_back(self, transaction: Transaction) -> None:
        """tx.rollback is being sent: what was published must never appear, what was acknowledged is not."""
        transaction.acknowledged.clear()

    # Queues that go

    def forget(self, queue: str) -> None:
        """queue.delete is being sent: whatever is in the queue may be gone."""
        for entry in self.entries.get(queue, {}).values():
            entry.state = State.ACKED

    # After a restart

    def check(self, found: Mapping[str, Sequence[Found]]) -> list[str]:
        """Everything that is wrong with these contents of all queues, in queue order; and what was wrong before."""
        problems, self.violations = self.violations, []
        moving = {pair for each in self._transactions if each.requested for pair in each.acknowledged}
        for queue in self.entries.keys() | found.keys():
            problems += self._check_queue(queue, found.get(queue, ()), moving)
        there = {queue: {each.message_id for each in messages} for queue, messages in found.items()}
        for transaction in self._transactions:
            problems += self._check_transaction(transaction, there)
        return problems

    def adopt(self, found: Mapping[str, Iterable[Found]], *, delivered: bool = True) -> None:
        """Take what was found for the truth.  delivered: whoever looked got the messages and still has them."""
        old, self.entries = self.entries, {}
        for queue, messages in found.items():
            entries = self.entries[queue] = {}
            for each in messages:
                entry = old.get(queue, {}).get(each.message_id) or Entry("unknown", 0, True)
                entry.state = State.KEPT
                entry.delivered = entry.delivered or delivered
                entry.out = delivered
                entries[each.message_id] = entry
        self._proofs.clear()
        self._acknowledged.clear()
        self._flushed.clear()
        self._handled = {}
        self._transactions.clear()

    # Below

    def _keep(self, queue: str, message_id: str) -> None:
        entry = self.entries[queue][message_id]
        if entry.state is State.OFFERED:
            entry.state = State.KEPT

    def _settle_flushed(self, connection: str, count: int) -> None:
        start = self._flushed.get(connection, 0)
        for queue, message_id in self._acknowledged.get(connection, [])[start:count]:
            self.entries[queue][message_id].state = State.GONE
            self.flushed_count += 1
        self._flushed[connection] = max(start, count)

    def _check_queue(self, queue: str, found: Sequence[Found], moving: Collection[tuple[str, str]]) -> list[str]:
        """moving: (queue, message id) of what may be gone with a transaction."""
        entries = self.entries.get(queue, {})
        problems = []
        seen: set[str] = set()
        last: dict[str, int] = {}
        for each in found:
            what = f"{queue}: {each.message_id}"
            entry = entries.get(each.message_id)
            if each.message_id in seen:
                problems.append(f"{what} is there twice")
                continue
            seen.add(each.message_id)
            if entry is None:
                problems.append(f"{what} is there, but was settled long ago or never sent to this queue")
                continue
            if entry.index < last.get(entry.publisher, 0):
                problems.append(f"{what} is behind a message that was published later")
            last[entry.publisher] = entry.index
            problems += [f"{what} {problem}" for problem in _check_found(entry, each)]
        for message_id, entry in entries.items():
            must_be_there = entry.state is State.KEPT and entry.persistent and (queue, message_id) not in moving
            if must_be_there and message_id not in seen:
                problems.append(f"{queue}: {message_id} was confirmed and not acknowledged, and is lost")
        return problems

    def _check_transaction(self, transaction: Transaction, there: Mapping[str, set[str]]) -> list[str]:
        none: set[str] = set()
        applied = {message_id in there.get(queue, none) for queue, message_id in transaction.published}
        for queue, message_id in transaction.acknowledged:
            is_there = message_id in there.get(queue, none)
            entry = self.entries[queue][message_id]
            if is_there or (entry.state is State.KEPT and entry.persistent):
                applied.add(not is_there)
        if len(applied) > 1:
            return [f"a transaction was applied in part: {transaction}"]
        if True in applied and not transaction.requested:
            return [f"a transaction was applied without its commit: {transaction}"]
        return []


def _check_found(entry: Entry, found: Found) -> list[str]:
    problems = []
    if entry.state is State.GONE:
        problems.append("is there although its acknowledgement was flushed")
    if not entry.persistent:
        problems.append("is there although it is transient")
    if entry.delivered and not found.redelivered:
        problems.append("was delivered before but is not marked as redelivered")
    if not found.intact:
        problems.append("has another body")
    return problems
