"""Message counts of queues, exchanges, virtual hosts, connections and channels, and how fast they grow.

Counting costs the message path next to nothing, because most of it isn't done there:

    what follows from other numbers is computed when somebody asks (`snapshot`).  What came into a queue is what is
    ready in it, and what has left, less what had been there before or came back; what was acknowledged is what was
    delivered, less what is not settled yet and what was settled otherwise.  So neither publishing to a queue nor
    acknowledging counts anything.
    what a loop does many times is counted in a local number, and written once per batch: deliveries in a queue's
    `drain`, and publishes in the loops over what a client sent, which tell a `Run` when the route changes.
    what is rare (returns, polls, rejections, dead letters) is counted one by one.

The names are those of RabbitMQ's `message_stats` (spec F.3).  Counters live with their object: they begin at 0 when it
is declared or opened, also after a restart of the broker, and go with it.  What a deleted queue counted stays in the
sums of its virtual host, what a closed channel counted in those of its connection.

    publish                     messages that came: to a queue, by whatever way; from a client, to anywhere
    publish_in, publish_out     of an exchange: what was published to it (by clients and as dead letters), and how many
                                queues took it, each counting
    confirm                     publishes that a client was told are safe
    return_unroutable           messages that nothing took, and that went back to the publisher
    drop_unroutable             messages that nothing took
    deliver, deliver_no_ack     messages given to consumers, that have to acknowledge them or don't
    get, get_no_ack, get_empty  polls: of messages to acknowledge, of others, and for nothing
    deliver_get                 the four that were answered by a message, together
    redeliver                   those of them that had been given to somebody before
    ack                         acknowledgements
    dead_letter_REASON          messages given to a dead letter exchange: rejected, expired, maxlen, delivery_limit
    publish_bytes, deliver_get_bytes   bodies of what came into a queue, and of what was given out, in bytes
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.deadlines import Deadline, Deadlines
    from warren.core.queues.base import Queue
    from warren.core.routing.route import Route
    from warren.core.routing.vhost import VirtualHost

DEAD_LETTER: Final = "dead_letter_"
"""What a reason is put behind, for the name of its counter."""

SAMPLE_MS: Final = 5_000
"""Between two samples of what somebody watches: RabbitMQ's interval."""

UNWATCHED_MS: Final = 60_000
"""Who hasn't asked for so long watches no more."""

WATCHED_MAX: Final = 1_000
"""Objects that are sampled at a time; the one that was asked for longest ago gives way.  Sampling so many takes a few
milliseconds."""

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
        "_dead_letters",
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
        self._dead_letters: Counts | None = None

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
        if self._dead_letters is None:
            self._dead_letters = {}
        add(self._dead_letters, {DEAD_LETTER + reason: 1})

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
            **(self._dead_letters or {}),
        }


class ExchangeCounts:
    """What was published to an exchange, and how many queues took it."""

    __slots__ = ("publish_in", "publish_out")

    def __init__(self) -> None:
        self.publish_in = 0
        self.publish_out = 0

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


def vhost_counts(vhost: VirtualHost) -> Counts:
    """What is counted of a virtual host: the sums of its queues, and what its clients published."""
    sums = total([vhost.counts.gone, *(queue.message_counts for queue in vhost.queues.values())])
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


class SessionCounts:
    """What one channel did, or a connection of a protocol without channels.

    vhost: where it counts, too.  outstanding: how many messages it was given to settle and hasn't settled; None where
    nobody knows, so that acknowledgements aren't counted.  returned: that it settled otherwise than by acknowledging.
    """

    __slots__ = (
        "confirm",
        "deliver",
        "deliver_no_ack",
        "drop_unroutable",
        "get",
        "get_empty",
        "get_no_ack",
        "outstanding",
        "publish",
        "redeliver",
        "return_unroutable",
        "returned",
        "vhost",
    )

    def __init__(self, vhost: VirtualHost, outstanding: Callable[[], int] | None = None) -> None:
        self.vhost = vhost
        self.outstanding = outstanding
        self.publish = 0
        self.confirm = 0
        self.return_unroutable = 0
        self.drop_unroutable = 0
        self.deliver = 0
        self.deliver_no_ack = 0
        self.get = 0
        self.get_no_ack = 0
        self.get_empty = 0
        self.redeliver = 0
        self.returned = 0

    def published(self, route: Route, *, returned: bool = False) -> None:
        """A message was published, and went this way.  returned: nothing took it, and the client got it back."""
        of_vhost = self.vhost.counts
        self.publish += 1
        of_vhost.publish += 1
        if returned:
            self.return_unroutable += 1
            of_vhost.return_unroutable += 1
        elif not route.routed:
            self.drop_unroutable += 1
            of_vhost.drop_unroutable += 1

    def confirmed(self, count: int) -> None:
        """So many publishes were confirmed."""
        self.confirm += count
        self.vhost.counts.confirm += count

    def polled(self, *, no_ack: bool, redelivered: bool) -> None:
        """A poll was answered with a message."""
        if no_ack:
            self.get_no_ack += 1
        else:
            self.get += 1
        self.redeliver += redelivered

    def snapshot(self) -> Counts:
        """All counts by name."""
        given_to_settle = self.deliver + self.get
        outstanding = self.outstanding
        return {
            "publish": self.publish,
            "confirm": self.confirm,
            "return_unroutable": self.return_unroutable,
            "drop_unroutable": self.drop_unroutable,
            "deliver": self.deliver,
            "deliver_no_ack": self.deliver_no_ack,
            "get": self.get,
            "get_no_ack": self.get_no_ack,
            "get_empty": self.get_empty,
            "deliver_get": given_to_settle + self.deliver_no_ack + self.get_no_ack,
            "redeliver": self.redeliver,
            "ack": given_to_settle - outstanding() - self.returned if outstanding is not None else 0,
        }


class ConnectionCounts:
    """The sums of a connection's channels, closed ones too.

    own: what was counted for the connection itself, where the protocol has no channels.
    """

    __slots__ = ("_closed", "_open", "own")

    def __init__(self, vhost: VirtualHost) -> None:
        self.own = SessionCounts(vhost)
        self._open: dict[SessionCounts, None] | None = None
        self._closed: Counts | None = None

    def begin(self, counts: SessionCounts) -> SessionCounts:
        """A channel is open, and counts; gives its counts."""
        if self._open is None:
            self._open = {}
        self._open[counts] = None
        return counts

    def end(self, counts: SessionCounts) -> None:
        """A channel is closed, and what it hadn't settled has gone back; a second call does nothing."""
        if self._open is not None and counts in self._open:
            del self._open[counts]
            if self._closed is None:
                self._closed = {}
            add(self._closed, counts.snapshot())

    def snapshot(self) -> Counts:
        """All counts by name."""
        return total([self.own.snapshot(), self._closed or {}, *(each.snapshot() for each in self._open or ())])


class Watched:
    """One object that somebody asks the rates of."""

    __slots__ = ("_counts", "_rates", "_read", "_sampled_at_ms", "asked_at_ms")

    def __init__(self, read: Callable[[], Counts], now_ms: int) -> None:
        self._read = read
        self._counts = read()
        self._rates: dict[str, float] = dict.fromkeys(self._counts, 0.0)
        self._sampled_at_ms = now_ms
        self.asked_at_ms = now_ms

    @property
    def rates(self) -> Mapping[str, float]:
        """Per second, by the name of the count; 0 before the second sample."""
        return self._rates

    def sample(self, now_ms: int) -> None:
        """Look at the counts again."""
        elapsed_ms = now_ms - self._sampled_at_ms
        if elapsed_ms <= 0:
            return
        counts, before = self._read(), self._counts
        self._counts = counts
        self._sampled_at_ms = now_ms
        self._rates = {name: (count - before.get(name, 0)) * 1000 / elapsed_ms for name, count in counts.items()}


class Rates:
    """How fast counts grow: sampled every `SAMPLE_MS` while somebody asks, and not at all while nobody does."""

    __slots__ = ("_deadlines", "_next", "_watched")

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._watched: dict[object, Watched] = {}
        self._next: Deadline | None = None

    def __len__(self) -> int:
        """How many objects are sampled."""
        return len(self._watched)

    def of(self, what: object, read: Callable[[], Counts], now_ms: int) -> Mapping[str, float]:
        """The rates of `what` per second, by name, between its last two samples; 0 for all of what wasn't watched.

        read: gives its counts.  now_ms: the broker's time.
        """
        found = self._watched.pop(what, None)
        if found is None:
            found = Watched(read, now_ms)
            if len(self._watched) >= WATCHED_MAX:
                del self._watched[next(iter(self._watched))]
        found.asked_at_ms = now_ms
        # The one that was asked for last is the last.
        self._watched[what] = found
        if self._next is None:
            self._next = self._deadlines.schedule(now_ms + SAMPLE_MS, self._sample)
        return found.rates

    def _sample(self, now_ms: int) -> None:
        self._watched = {what: each for what, each in self._watched.items() if now_ms - each.asked_at_ms < UNWATCHED_MS}
        for each in self._watched.values():
            each.sample(now_ms)
        self._next = self._deadlines.schedule(now_ms + SAMPLE_MS, self._sample) if self._watched else None
