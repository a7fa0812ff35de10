"""Message counts of queues, exchanges, virtual hosts, connections and channels; rates.py says how fast they grow.

Longer than 400 lines because what one of these counts the others don't have to, which shows side by side alone.

Counting costs the message path next to nothing, because most of it isn't done there:

    what follows from other numbers is computed when somebody asks (`snapshot`).  What came into a queue is what is
    ready in it, and what has left, less what had been there before or came back; what was acknowledged is what was
    delivered, less what is not settled yet and what was settled otherwise.  So neither publishing to a queue nor
    acknowledging counts anything.
    what a loop does many times is counted in a local number, and written once per batch: deliveries in a queue's
    `drain`.  Publishes that go the same way, one after the other in what a client sent, are as many as sequence numbers
    were given meanwhile (`KnownRoute.published`).
    what is rare (returns, polls, rejections, dead letters) is counted one by one.

The names are those of RabbitMQ's `message_stats` (spec F.3).  Counters live with their object: they begin at 0 when it
is declared or opened, also after a restart of the broker, and go with it.  What a deleted queue counted stays in the
sums of its virtual host, what a closed channel counted in those of its connection.

    publish                     messages that came: to a queue, by whatever way; from a client, to anywhere
    publish_in, publish_out     of an exchange: what was published to it (by clients and as dead letters), and how many
                                queues took it, each counting
    confirm                     publishes that a client is told are safe; in STOMP and MQTT also those whose answer is
                                made, and waits for the disk
    return_unroutable           messages that nothing took, and that went back to the publisher
    drop_unroutable             messages that nothing took
    deliver, deliver_no_ack     messages given to consumers, that have to acknowledge them or don't
    get, get_no_ack, get_empty  polls: of messages to acknowledge, of others, and for nothing
    deliver_get                 the four that were answered by a message, together
    redeliver                   those of them that had been given to somebody before
    ack                         acknowledgements
    dead_letter_REASON          messages given to a dead letter exchange: rejected, expired, maxlen, delivery_limit
    dead_letter_lost_CAUSE      those that nobody took, or not all who should: cycle, no_exchange, no_queue, refused
                                (core/queues/dead_letter.py)
    drop_duplicate              messages that a queue didn't take because it had their like (docs/deduplication.md)
    publish_bytes, deliver_get_bytes   bodies of what came into a queue, and of what was given out, in bytes
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping
from typing import TYPE_CHECKING, Final

from warren.core.given import Given, GivenByType, add_by_type
from warren.core.message_sizes import MessageSizes

if TYPE_CHECKING:
    from warren.core.queues.base import Queue
    from warren.core.routing.route import Route
    from warren.core.routing.vhost import VirtualHost

DEAD_LETTER: Final = "dead_letter_"
"""What a reason is put behind, for the name of its counter."""

DROP_DUPLICATE: Final = "drop_duplicate"
"""The name of the counter of duplicates that a queue has dropped."""

DEAD_LETTER_LOST: Final = "dead_letter_lost_"
"""The same for a cause."""

Counts = dict[str, int]
"""Counts by name."""


def add(to: Counts, counts: Mapping[str, int]) -> None:
    """Add `counts` to those in `to`."""
    for name, count in counts.items():
        to[name] = to.get(name, 0) + count


def total(many: Iterable[Mapping[str, int]]) -> Counts:
    """The sums."""
    sums: Counts = {}
    for counts in many:
        add(sums, counts)
    return sums


class QueueCounts:
    """What a queue's type counts.

    deliver, deliver_no_ack, get, get_no_ack, get_empty, redeliver: see the head of this file.  restored: messages that
    were there when the broker started.  returned: that came back unsettled.  removed: that left without being given to
    anybody (expired, dropped, purged).  rejected: settled without an acknowledgement.  delivered_bytes and so on: their
    bodies, in bytes.
    """

    __slots__ = (
        "_rare",
        "deliver",
        "deliver_no_ack",
        "delivered_bytes",
        "get",
        "get_empty",
        "get_no_ack",
        "redeliver",
        "rejected",
        "removed",
        "removed_bytes",
        "restored",
        "restored_bytes",
        "returned",
        "returned_bytes",
    )

    def __init__(self) -> None:
        self.deliver = 0
        self.deliver_no_ack = 0
        self.get = 0
        self.get_no_ack = 0
        self.get_empty = 0
        self.redeliver = 0
        self.delivered_bytes = 0
        self.returned = 0
        self.returned_bytes = 0
        self.removed = 0
        self.removed_bytes = 0
        self.restored = 0
        self.restored_bytes = 0
        self.rejected = 0
        self._rare: Counts | None = None

    def got_without_ack(self) -> None:
        """Who polled a message, and has acknowledged it at once, was never to acknowledge it: it counts as that."""
        self.get -= 1
        self.get_no_ack += 1

    def remove(self, count: int, size_bytes: int) -> None:
        """So many ready messages leave, with bodies of so many bytes together, and nobody gets them."""
        self.removed += count
        self.removed_bytes += size_bytes

    def restore(self, count: int, size_bytes: int) -> None:
        """So many messages are ready that were in the queue before the broker started."""
        self.restored += count
        self.restored_bytes += size_bytes

    def dead_letter(self, reason: str) -> None:
        """A message was given to the dead letter exchange."""
        if self._rare is None:
            self._rare = {}
        add(self._rare, {DEAD_LETTER + reason: 1})

    def duplicate_dropped(self) -> None:
        """A duplicate came that the queue doesn't take."""
        if self._rare is None:
            self._rare = {}
        add(self._rare, {DROP_DUPLICATE: 1})

    def dead_letter_lost(self, cause: str) -> None:
        """A message should have gone somewhere by the dead letter exchange, and was not taken there."""
        if self._rare is None:
            self._rare = {}
        add(self._rare, {DEAD_LETTER_LOST + cause: 1})

    def snapshot(self, ready_count: int, ready_bytes: int, unacked_count: int) -> Counts:
        """All counts by name, of a queue that has so many messages ready and so many with consumers."""
        given_to_settle = self.deliver + self.get
        given = given_to_settle + self.deliver_no_ack + self.get_no_ack
        left_bytes = self.delivered_bytes + self.removed_bytes
        return {
            "publish": ready_count + given + self.removed - self.returned - self.restored,
            "publish_bytes": ready_bytes + left_bytes - self.returned_bytes - self.restored_bytes,
            "deliver": self.deliver,
            "deliver_no_ack": self.deliver_no_ack,
            "get": self.get,
            "get_no_ack": self.get_no_ack,
            "get_empty": self.get_empty,
            "deliver_get": given,
            "deliver_get_bytes": self.delivered_bytes,
            "redeliver": self.redeliver,
            "ack": given_to_settle - unacked_count - self.returned - self.rejected,
            **(self._rare or {}),
        }


class ExchangeCounts:
    """What was published to an exchange, how many queues took it, and what nothing took and nobody got back."""

    __slots__ = ("dropped", "publish_in", "publish_out")

    def __init__(self) -> None:
        self.publish_in = self.publish_out = self.dropped = 0

    def snapshot(self) -> Counts:
        """Both by name."""
        return {"publish_in": self.publish_in, "publish_out": self.publish_out}


class VhostCounts:
    """What the clients of a virtual host did, and what the queues had counted that are gone."""

    __slots__ = ("confirm", "drop_unroutable", "gone", "publish", "return_unroutable")

    def __init__(self) -> None:
        self.publish = 0
        self.confirm = 0
        self.return_unroutable = 0
        self.drop_unroutable = 0
        self.gone: Counts = {}

    def queue_gone(self, queue: Queue) -> None:
        """A queue is deleted; it has nothing any more that is ready or to be settled."""
        add(self.gone, queue.message_counts)


_OF_CLIENTS: Final = ("publish", "publish_bytes")
"""What queues count, too, but with another meaning: a message that goes to two queues comes from a client once."""


QUEUES_PER_SLICE: Final = 1000
"""Queues whose counts are added up in one go: two or three microseconds each."""


def vhost_counts(vhost: VirtualHost) -> Counts:
    """What is counted of a virtual host: the sums of its queues, and what its clients published."""
    slices = vhost_counts_in_slices(vhost)
    while True:
        try:
            next(slices)
        except StopIteration as end:
            found: Counts = end.value
            return found


def vhost_counts_in_slices(vhost: VirtualHost) -> Generator[None, None, Counts]:
    """The same for whoever can't wait: others may have their turn at each step.

    The queues are those of the beginning.  One that goes meanwhile counts as it was in the end, as those that have gone
    before do; so nothing is counted twice, and nothing left out that was counted the time before.
    """
    sums = dict(vhost.counts.gone)
    for number, queue in enumerate(list(vhost.queues.values()), 1):
        add(sums, queue.message_counts)
        if number % QUEUES_PER_SLICE == 0:
            yield
    for name in _OF_CLIENTS:
        sums.pop(name, None)
    counts = vhost.counts
    return {
        "publish": counts.publish,
        "confirm": counts.confirm,
        "return_unroutable": counts.return_unroutable,
        "drop_unroutable": counts.drop_unroutable,
        **sums,
    }


class SessionCounts(GivenByType):
    """What one channel did, or a connection of a protocol without channels; what it was given, by the queues' types.

    vhost: where it counts, too.  sizes: of what all clients of the protocol publish.  outstanding: how many messages it
    was given to settle and hasn't settled; None where nobody knows, so that acknowledgements aren't counted.
    returned: that it settled otherwise than by acknowledging.
    """

    __slots__ = (
        "confirm",
        "drop_unroutable",
        "outstanding",
        "publish",
        "return_unroutable",
        "returned",
        "sizes",
        "vhost",
    )

    def __init__(
        self,
        vhost: VirtualHost,
        outstanding: Callable[[], int] | None = None,
        sizes: MessageSizes | None = None,
    ) -> None:
        super().__init__()
        self.vhost = vhost
        self.sizes = MessageSizes() if sizes is None else sizes
        self.outstanding = outstanding
        self.publish = 0
        self.confirm = 0
        self.return_unroutable = 0
        self.drop_unroutable = 0
        self.returned = 0

    def published(self, route: Route, size_bytes: int, *, returned: bool = False) -> None:
        """A message was published, and went this way.  returned: nothing took it, and the client got it back."""
        of_vhost = self.vhost.counts
        self.sizes.add(size_bytes)
        self.publish += 1
        of_vhost.publish += 1
        if returned:
            self.return_unroutable += 1
            of_vhost.return_unroutable += 1
        elif not route.routed:
            self.drop_unroutable += 1
            of_vhost.drop_unroutable += 1
            self.vhost.exchange_counts(route.address.exchange).dropped += 1

    def confirmed(self, count: int) -> None:
        """So many publishes were confirmed."""
        self.confirm += count
        self.vhost.counts.confirm += count

    def confirmed_late(self, taken: bool) -> None:
        """The queues have answered whether they take a publish (core/routing/receipt.py)."""
        if taken:
            self.confirmed(1)

    def snapshot(self) -> Counts:
        """All counts by name."""
        sums = _NOTHING_GIVEN.snapshot(self._acknowledged())
        for _, each in self.given():
            add(sums, each.snapshot(0))
        return {
            "publish": self.publish,
            "confirm": self.confirm,
            "return_unroutable": self.return_unroutable,
            "drop_unroutable": self.drop_unroutable,
            **sums,
        }

    def by_type(self) -> dict[str, Counts]:
        """What it was given and has acknowledged, by the queues' types; see core/given.py."""
        left = self._acknowledged()
        if self.others is not None:
            left -= sum(each.acknowledged for each in self.others.values())
        return {
            queue_type: each.snapshot(left if each is self.first else each.acknowledged)
            for queue_type, each in self.given()
        }

    def _acknowledged(self) -> int:
        """What was given to be settled, is, and didn't come back."""
        outstanding = self.outstanding
        if outstanding is None:
            return 0
        return sum(each.deliver + each.get for _, each in self.given()) - outstanding() - self.returned


_NOTHING_GIVEN: Final = Given()


def not_given(queue: QueueCounts, session: Given, size_bytes: int, *, no_ack: bool = False) -> None:
    """A consumer that was given a message by its queue turns out not to send it: it counts as removed instead.

    no_ack: as the consumer's when it comes back from `deliver`, when the queue counts the delivery.
    """
    if no_ack:
        queue.deliver_no_ack -= 1
        session.deliver_no_ack -= 1
    else:
        queue.deliver -= 1
        session.deliver -= 1
    queue.delivered_bytes -= size_bytes
    queue.remove(1, size_bytes)


class ConnectionCounts:
    """The sums of a connection's channels, closed ones too.

    sizes: see SessionCounts.  own: what was counted for the connection itself, where the protocol has no channels.
    closed_count: channels that are closed; brief: those of them that had a message at most.
    """

    __slots__ = ("_closed", "_closed_by_type", "_open", "brief", "closed_count", "own")

    def __init__(self, vhost: VirtualHost, sizes: MessageSizes | None = None) -> None:
        self.own, self.closed_count, self.brief = SessionCounts(vhost, None, sizes), 0, 0
        self._open: dict[SessionCounts, None] | None = None
        self._closed: Counts | None = None
        self._closed_by_type: dict[str, Counts] | None = None

    def begin(self, counts: SessionCounts) -> SessionCounts:
        """A channel is open, and counts; gives its counts."""
        if self._open is None:
            self._open = {}
        counts.sizes = self.own.sizes
        self._open[counts] = None
        return counts

    def end(self, counts: SessionCounts) -> None:
        """A channel is closed, and what it hadn't settled has gone back; a second call does nothing."""
        if self._open is not None and counts in self._open:
            del self._open[counts]
            self._closed = {} if self._closed is None else self._closed
            add(self._closed, last := counts.snapshot())
            self.closed_count += 1
            self.brief += last["publish"] + last["deliver_get"] <= 1
            if counts.first is not None:
                if self._closed_by_type is None:
                    self._closed_by_type = {}
                add_by_type(self._closed_by_type, counts.by_type())

    @property
    def published(self) -> int:
        """How many messages came by it."""
        closed = 0 if self._closed is None else self._closed["publish"]
        return self.own.publish + closed + sum([each.publish for each in self._open or ()])

    def snapshot(self) -> Counts:
        """All counts by name."""
        return total([self.own.snapshot(), self._closed or {}, *(each.snapshot() for each in self._open or ())])

    def by_type(self) -> dict[str, Counts]:
        """What was given and acknowledged, by the queues' types."""
        sums = self.own.by_type()
        for found in (self._closed_by_type or {}, *(each.by_type() for each in self._open or ())):
            add_by_type(sums, found)
        return sums
