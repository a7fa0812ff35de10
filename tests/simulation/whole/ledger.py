"""The promises: what became of each message, told by its clients, held against what the broker has.

Each message has a number, which its body begins with.  For each queue that it goes to there is a copy, which is

    MAYBE     there or not: nobody could know
    THERE     in the queue, ready or with a consumer
    LEAVING   settled, and not in the queue any more; it may be back after a crash
    GONE      settled, and that is on disk: never back

Peers say what they have sent, once the broker has read it to the last byte, and what has come.  `compare` looks into
the broker's queues, when it is at rest: every copy that must be there is, none that mustn't, each once, in the order in
which its publisher published; and what the broker counts is what it has.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from warren.core.queues.browse import browse
from warren.core.queues.classic.queue import ClassicQueue

if TYPE_CHECKING:
    from collections.abc import Iterable

    from warren.core.queues.base import Queue

FILLING: Final = bytes(range(33, 123))
"""What bodies are filled with, from another place on for each."""

MAYBE: Final = "maybe"
THERE: Final = "there"
LEAVING: Final = "leaving"
GONE: Final = "gone"


class Broken(AssertionError):
    """A promise was broken."""


class Holder:
    """Whoever can have deliveries: a consumer, as long as its channel lives.  over: what it held is given back."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.over = False


@dataclass
class Transaction:
    """published, settled: its copies.  is_known: its client was told that it is committed."""

    name: str
    published: list[Copy] = field(default_factory=list)
    settled: list[Copy] = field(default_factory=list)
    is_sent: bool = False
    is_known: bool = False


@dataclass(eq=False)
class Copy:
    """A message in a queue.  confirmed: its publisher was told.  holder: who was seen to have it.

    loose: its publisher sent it more than once, at least once being all that is promised.  seen: it was delivered.
    durable: it survives the broker's end.  leaving_since: the commit that was the next one when it was settled.
    is_unsure: it wasn't there when it was looked for, and nobody knew whether it ever was.
    was_settled: somebody has acknowledged it.
    """

    message: Message
    queue: str
    state: str = MAYBE
    confirmed: bool = False
    holder: Holder | None = None
    loose: bool = False
    seen: bool = False
    is_unsure: bool = False
    was_settled: bool = False
    durable: bool = True
    leaving_since: int = 0
    transaction: Transaction | None = None
    settled_by: Transaction | None = None

    def __repr__(self) -> str:
        return f"{self.message.number} in {self.queue} ({self.state}{', confirmed' if self.confirmed else ''})"


@dataclass(eq=False)
class Message:
    """publisher: the order among its messages is promised.  sent: it was read by the broker as a whole.

    is_again: its publisher sent it more than once, so that others may have come before it, had it been lost.
    is_streamed: it is to be in the stream.  is_drained: it came out of that in the end.
    """

    number: int
    publisher: str
    body: bytes
    copies: dict[str, Copy]
    qos: int = 1
    sent: bool = False
    is_again: bool = False
    is_streamed: bool = False
    is_confirmed: bool = False
    is_drained: bool = False


class Ledger:
    """See the head of this file.

    may_be_damaged: numbers of messages that flipped bits may have cost.  forgets: flipped bits may have cost
    settlements, so that what was settled may be back.
    """

    def __init__(self) -> None:
        self.messages: dict[int, Message] = {}
        self.copies: dict[str, dict[int, Copy]] = {}
        self.may_be_damaged: set[int] = set()
        self.forgets = False
        self.lost_to_damage = 0
        self.deliveries = 0
        self._begun = 0
        self._unseen: set[str] = set()
        self._transactions: list[Transaction] = []
        self._doubted: list[Transaction] = []

    # What peers say

    def new(
        self,
        publisher: str,
        queues: Iterable[str],
        size: int,
        *,
        durable: bool = True,
        qos: int = 1,
        is_streamed: bool = False,
    ) -> Message:
        """A message that is about to be published."""
        number = len(self.messages) + 1
        start = number * 7 % len(FILLING)
        body = b"#%d;" % number + (FILLING * (size // len(FILLING) + 2))[start : start + size]
        message = Message(number, publisher, body, {}, qos, is_streamed=is_streamed)
        for queue in queues:
            copy = message.copies[queue] = Copy(message, queue, durable=durable)
            self.copies.setdefault(queue, {})[number] = copy
        self.messages[number] = message
        return message

    def sent(self, message: Message) -> None:
        """The broker has read it."""
        if message.sent:
            message.is_again = True
            for copy in message.copies.values():
                copy.loose = copy.loose or message.qos < 2
                if copy.is_unsure:
                    # It was lost, so this is another first time.
                    copy.state = MAYBE
                    copy.seen = False
            return
        message.sent = True
        for copy in message.copies.values():
            copy.state = THERE

    def confirmed(self, message: Message) -> None:
        """Its publisher was told so."""
        message.is_confirmed = True
        for copy in message.copies.values():
            copy.confirmed = True
            if copy.is_unsure and not copy.was_settled and copy.durable:
                copy.state = THERE

    def doubt(self, messages: Iterable[Message]) -> None:
        """Their connection is gone, and they may not have been looked at."""
        for message in messages:
            for copy in message.copies.values():
                if copy.state == THERE and not copy.confirmed and not copy.seen:
                    copy.state = MAYBE

    def number_of(self, body: bytes) -> int:
        """The number that a body begins with; Broken for one that nobody has published."""
        head, _, _ = body[:16].partition(b";")
        number = int(head[1:]) if head[:1] == b"#" and head[1:].isdigit() else 0
        message = self.messages.get(number)
        if message is None or message.body != body:
            raise Broken(f"a message that nobody has published: {body[:40]!r}")
        return number

    def delivered(self, queue: str, body: bytes, holder: Holder, *, redelivered: bool | None) -> Copy:
        """It came.  redelivered: what was said of that, None if nothing."""
        number = self.number_of(body)
        copy = self.copies.get(queue, {}).get(number)
        if copy is None:
            raise Broken(f"message {number} came out of {queue}, where it was never sent")
        self.deliveries += 1
        if not copy.message.sent:
            raise Broken(f"{copy} came to {holder.name}, though nobody has published it yet, or committed it")
        if not copy.loose:
            if copy.state in (LEAVING, GONE) and not self.forgets:
                raise Broken(f"{copy} came again, to {holder.name}, though it was acknowledged")
            before = copy.holder
            if before is not None and before is not holder and not before.over:
                raise Broken(f"{copy} has two owners: {before.name} and {holder.name}")
            if copy.seen and redelivered is False:
                raise Broken(f"{copy} came to {holder.name} as if for the first time")
        copy.seen = True
        copy.holder = holder
        if copy.state == MAYBE:
            copy.state = THERE
        return copy

    def settled(self, copies: Iterable[Copy]) -> None:
        """The broker has read their acknowledgement."""
        for copy in copies:
            copy.is_unsure = False
            copy.was_settled = True
            if copy.state != GONE:
                copy.state = LEAVING
                copy.leaving_since = self._begun
            copy.holder = None

    def returned(self, copies: Iterable[Copy]) -> None:
        """The broker has read that they are to be requeued."""
        for copy in copies:
            copy.holder = None

    def doubt_settled(self, copies: Iterable[Copy]) -> None:
        """Their connection is gone, and their acknowledgement may not have been looked at."""
        for copy in copies:
            if copy.state == LEAVING:
                copy.state = MAYBE

    def committed(self, transaction: Transaction) -> None:
        """The broker has read the commit of a transaction."""
        transaction.is_sent = True
        self._transactions.append(transaction)
        for copy in transaction.published:
            copy.transaction = transaction
            copy.message.sent = True
            copy.state = THERE
        for copy in transaction.settled:
            copy.settled_by = transaction
        self.settled(transaction.settled)

    def doubt_transaction(self, transaction: Transaction) -> None:
        """Its connection is gone, and its commit may not have been looked at."""
        if not transaction.is_known:
            self.doubt(copy.message for copy in transaction.published)
            self.doubt_settled(transaction.settled)
            self._doubted.append(transaction)

    def transaction_known(self, transaction: Transaction) -> None:
        """Its client was told that it is committed."""
        transaction.is_known = True
        for copy in transaction.published:
            copy.confirmed = True

    # What befalls the broker

    def commit_begun(self) -> None:
        """What was settled until now is part of it."""
        self._begun += 1

    def commit_finished(self) -> None:
        """The one that was begun last is on disk."""
        for copies in self.copies.values():
            for copy in copies.values():
                if copy.state == LEAVING and copy.leaving_since < self._begun:
                    copy.state = GONE

    def crashed(self) -> None:
        """What wasn't on disk is there or not."""
        for copies in self.copies.values():
            for copy in copies.values():
                copy.holder = None
                if copy.state == GONE:
                    continue
                if not copy.durable:
                    copy.state = GONE
                elif copy.state == LEAVING or not copy.confirmed:
                    copy.state = MAYBE
        self._doubted += [each for each in self._transactions if not each.is_known]
        self._transactions.clear()

    def stopped(self) -> None:
        """A clean stop: all that it has is on disk."""
        for copies in self.copies.values():
            for copy in copies.values():
                copy.holder = None
                if copy.state == LEAVING or not copy.durable:
                    copy.state = GONE
        self._transactions.clear()

    # Holding it against the broker

    def compare(self, queues: Iterable[Queue]) -> None:
        """The broker is at rest, and has looked at all that it has read."""
        self._unseen.clear()
        there = {queue.name: self._compare_one(queue) for queue in queues if queue.name in self.copies}
        for transaction in self._doubted:
            self._check_transaction(transaction, there)
        self._doubted.clear()
        for name, ready in there.items():
            self._resolve(name, ready)

    def _compare_one(self, queue: Queue) -> Counter[int]:
        """What is ready; what may be with a consumer that hasn't looked yet stays in doubt."""
        copies = self.copies[queue.name]
        browsed, _ = browse(queue, 0, 100_000, scanned_max=100_000)
        # What can't be read stays in its queue until it is its turn.
        unreadable = queue.ready_count - len(browsed)
        ready = Counter(self.number_of(each.message.body) for each in browsed)
        if unreadable and not 0 < unreadable <= len(self.may_be_damaged & copies.keys()):
            raise Broken(f"{queue.name} counts {queue.ready_count} messages, and has {len(browsed)}")
        if isinstance(queue, ClassicQueue):
            assert 0 <= queue.paged_count <= queue.ready_count
        self._check_order(queue.name, [each.message.body for each in browsed])
        for number, count in ready.items():
            copy = copies.get(number)
            if copy is None:
                raise Broken(f"message {number} is in {queue.name}, where it was never sent")
            if not copy.message.sent:
                raise Broken(f"{copy} is in its queue, though nobody has published it yet, or committed it")
            if copy.loose:
                continue
            if count > 1:
                raise Broken(f"{copy} is in its queue {count} times")
            if copy.state in (LEAVING, GONE) and not self.forgets:
                raise Broken(f"{copy} is back though it was acknowledged")
            if copy.holder is not None and not copy.holder.over:
                raise Broken(f"{copy} is ready, and {copy.holder.name} has it")
        absent = [copy for copy in copies.values() if not ready[copy.message.number]]
        must = [copy for copy in absent if copy.state == THERE and not copy.loose]
        may = [copy for copy in absent if copy.state == MAYBE or copy.loose]
        missing = len(must) - queue.unacked_count - unreadable
        if missing > 0:
            damaged = [copy for copy in must if copy.message.number in self.may_be_damaged]
            if missing > len(damaged):
                raise Broken(f"{queue.name} has lost {missing} of {must} ({queue.unacked_count} are with consumers)")
            self.lost_to_damage += missing
            for copy in damaged:
                copy.state = MAYBE
        held = [copy for copy in must if copy.holder is not None and not copy.holder.over]
        if len(held) > queue.unacked_count:
            raise Broken(f"{held} are with consumers, and {queue.name} counts {queue.unacked_count}")
        if missing < 0:
            self._unseen.add(queue.name)
        slack = len(may) + sum(1 for copy in copies.values() if copy.loose)
        if -missing > slack and not self.forgets:
            raise Broken(
                f"{queue.name} counts {queue.unacked_count} unacknowledged; there are {must} and at most {may}"
            )
        return ready

    def _check_order(self, queue: str, bodies: list[bytes]) -> None:
        last: dict[str, int] = {}
        for body in bodies:
            message = self.messages[self.number_of(body)]
            if self.copies[queue][message.number].loose or message.is_again:
                continue
            if last.get(message.publisher, 0) >= message.number:
                raise Broken(f"{queue} has {message.number} of {message.publisher} behind {last[message.publisher]}")
            last[message.publisher] = message.number

    def _check_transaction(self, transaction: Transaction, there: dict[str, Counter[int]]) -> None:
        """All of what is still as it was at its end, or none of it."""
        found = [
            (there[copy.queue][copy.message.number] > 0, copy)
            for copy in transaction.published
            if self._tells(copy, there) and not copy.was_settled
        ]
        found += [
            (there[copy.queue][copy.message.number] == 0, copy)
            for copy in transaction.settled
            if self._tells(copy, there) and copy.settled_by is transaction and copy.confirmed
        ]
        if len({is_done for is_done, _ in found}) > 1 and not self.forgets:
            raise Broken(f"half of the transaction {transaction.name} is there: {found}")

    def _tells(self, copy: Copy, there: dict[str, Counter[int]]) -> bool:
        """Whether a copy is there or not says what became of a transaction."""
        return (
            copy.state == MAYBE
            and copy.queue in there
            and copy.queue not in self._unseen
            and not copy.loose
            and copy.message.number not in self.may_be_damaged
        )

    def _resolve(self, name: str, ready: Counter[int]) -> None:
        """What was in doubt isn't any more, where nobody has it unseen."""
        for number, copy in self.copies[name].items():
            if ready[number]:
                copy.state = THERE
            elif copy.state == MAYBE and copy.message.sent and name not in self._unseen and copy.holder is None:
                copy.state = LEAVING
                copy.is_unsure = True
                copy.leaving_since = self._begun
