"""What a session, or a channel of it, was given and has not settled: by delivery tag, in the order of delivery.

Tags count from 1.  Consumers' `deliver`, which runs once per message, counts `delivery_tag` up and puts its delivery
into `unacked` by itself; everything else goes through here.  The watch of the acknowledgement timeout
(core.queues.ack_timeout) looks at the same three: this is the AckHolder of a session.

Settling a delivery tells its queue what has become of the message, then gives the consumer its credit back.  A window
may have any size, and what settles more of it than a turn may do is done in slices (settling.py): acknowledgements and
rejections from the oldest on, each slice as if it were a command of its own.  What returns is there for consumers when
all of it is back (core.queues.returning), and only then have they credit for it, so that nobody is given what is newer
first.

Longer than 400 lines because whatever settles, at once or in slices, works on the same window.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from warren.core.chores import emptied
from warren.core.queues.returning import RETURNED_PER_SLICE, give_back
from warren.core.queues.unacked import Delivery, Unacked, take

if TYPE_CHECKING:
    from warren.adapters.session.settling import Settling
    from warren.core.given import GivenByType
    from warren.core.messages.message import Message
    from warren.core.queues.base import Queue
    from warren.core.queues.consumer import Consumer
    from warren.core.queues.dead_letter import Letter
    from warren.core.routing.vhost import VirtualHost
    from warren.core.storage.engine import LongGroup

SETTLED_PER_SLICE: Final = RETURNED_PER_SLICE
"""Deliveries that are settled in one turn, about a microsecond each; one that is dead-lettered counts as several."""

DISCARDED_AT_ONCE: Final = 10
"""Deliveries of a transaction that are discarded before one asks whether that is enough for a turn."""

LOOKED_AT_PER_SLICE: Final = 10_000
"""Deliveries that are only looked at, or whose consumers have their credit back, in one turn."""

RETURNING: Final = ("requeue", "return", "untouched")
"""The verdicts by which a message goes back to its queue."""

Verdict = Literal["ack", "discard", "requeue", "return", "untouched"]
"""What becomes of a message: it is done with; or it is dropped, and dead-lettered; or it goes back to its queue because
its delivery failed (`requeue`), or maybe (`return`), or not at all (`untouched`).  Whether a return counts towards a
delivery limit, the configuration says; a failure does, what is untouched doesn't."""

Settlement = tuple["dict[int, Delivery]", Verdict]
"""Deliveries that were taken, and what becomes of their messages."""


def _nothing() -> None:
    return


def _no_tags(tags: list[int]) -> None:
    return


class Deliveries:
    """Of one session, or of one of its channels.

    on_timeout: called with a consumer that has kept a delivery for too long, and the timeout in milliseconds.
    settling: of the session.  delivery_notes: see core.queues.ack_timeout.  counts: what notes acknowledgements once
    there are messages of several types of queues (core/given.py); None where nobody counts.
    """

    __slots__ = (
        "_expired",
        "_on_timeout",
        "_otherwise",
        "_settling",
        "counts",
        "delivery_notes",
        "delivery_tag",
        "unacked",
    )

    def __init__(self, on_timeout: Callable[[Consumer, int], None], settling: Settling) -> None:
        self.unacked: Unacked = {}
        self.counts: GivenByType | None = None
        self.delivery_tag = 0
        self.delivery_notes: list[tuple[int, int]] = []
        self._expired: set[int] = set()
        self._otherwise = 0
        self._on_timeout = on_timeout
        self._settling = settling

    def unacknowledged(self) -> int:
        """How many aren't settled, or were settled otherwise: all but those that were acknowledged."""
        return len(self.unacked) + self._otherwise

    def polled(self, queue: Queue, message: Message, *, no_ack: bool) -> int:
        """A message was given that no consumer asked for; its delivery tag."""
        self.delivery_tag += 1
        if not no_ack:
            self.unacked[self.delivery_tag] = (queue, message, None)
        return self.delivery_tag

    def hand_over(self, tags: Iterable[int]) -> dict[int, Delivery]:
        """Deliveries that somebody else keeps from now on, unsettled as they are."""
        taken = self._taken(tags)
        self._otherwise += len(taken)
        return taken

    def adopt(self, queue: Queue, message: Message, consumer: Consumer) -> int:
        """A delivery that somebody has kept is this session's now; its delivery tag."""
        self.delivery_tag += 1
        self._otherwise -= 1
        self.unacked[self.delivery_tag] = (queue, message, consumer)
        return self.delivery_tag

    def acknowledge(self, tag: int) -> bool:
        """The usual acknowledgement, of one delivery; False when there is none such, which is left as it was."""
        delivery = self.unacked.pop(tag, None)
        if delivery is None:
            return False
        queue, message, consumer = delivery
        queue.acknowledge(message)
        counts = self.counts
        if counts is not None and counts.others is not None:
            counts.acknowledged(queue, 1)
        if consumer is not None:
            consumer.acknowledged()
        return True

    def acknowledge_run(self, first: int, count: int) -> int:
        """The same for so many tags in a row from `first` on; how many there were before one that isn't there."""
        pop = self.unacked.pop
        messages: list[Message] = []
        queue: Queue | None = None
        consumer: Consumer | None = None
        tag = first
        try:
            while tag < first + count:
                delivery = pop(tag, None)
                if delivery is None:
                    break
                tag += 1
                if delivery[0] is not queue or delivery[2] is not consumer:
                    if queue is not None:
                        self._acknowledged(queue, messages, consumer)
                    queue, _, consumer = delivery
                    messages = []
                messages.append(delivery[1])
        finally:
            if queue is not None:
                self._acknowledged(queue, messages, consumer)
        return tag - first

    def _acknowledged(self, queue: Queue, messages: list[Message], consumer: Consumer | None) -> None:
        queue.acknowledge_all(messages)
        if self.counts is not None and self.counts.others is not None:
            self.counts.acknowledged(queue, len(messages))
        if consumer is not None:
            consumer.all_acknowledged(len(messages))

    # As a client asks for it, however many there are

    def settle_up_to(self, tag: int, verdict: Verdict, *, multiple: bool) -> None:
        """Settle one delivery, or all up to `tag` (0: all there are).

        Those that have timed out are no error, and no delivery either.  Raises PreconditionFailed (406) for a tag that
        is not outstanding.
        """
        last = self._last_of(tag) if multiple else 0
        few = self._first(last, SETTLED_PER_SLICE + 1) if multiple else []
        if not multiple:
            taken = self.take(tag, multiple=False)
            if verdict != "ack" and not self._may_bury(taken, verdict):
                self._settling.begin(self._settle_later(taken, verdict))
            else:
                self.settle(taken, verdict)
        elif len(few) <= SETTLED_PER_SLICE and self._settling.may(self._work_of(few, verdict)):
            self.settle(self._taken(few), verdict)
        elif verdict in RETURNING:
            self._settling.begin(self._return(self._parts(last), verdict))
        else:
            self._settling.begin(self._settle_parts(last, verdict))

    def take_up_to(self, tag: int, taken: Callable[[dict[int, Delivery]], None], *, multiple: bool) -> None:
        """As `settle_up_to`, but it is settled later: `taken` is called with the deliveries, in order, maybe in parts.

        They are gone from here then.
        """
        if multiple:
            last = self._last_of(tag)
            if len(self._first(last, LOOKED_AT_PER_SLICE + 1)) > LOOKED_AT_PER_SLICE:
                self._settling.begin(self._take_parts(last, taken))
                return
        taken(self.take(tag, multiple=multiple))

    def recover(self, then: Callable[[], None] = _nothing) -> None:
        """Everything returns to its queue, and its consumers have their credit back.  then: called when it has."""
        if not self._settling.may(work_of(self.unacked, "requeue")):
            self._settling.begin(self._return(self._parts(self.delivery_tag), "requeue", then=then))
            return
        self.settle(self._taken(list(self.unacked)), "requeue")
        then()

    def give_back(self, taken: list[dict[int, Delivery]] | None = None) -> None:
        """The session ends: everything returns to its queue.  taken: what was taken before, and returns, too."""
        taken = [] if taken is None else taken
        if not self._settling.may(sum(work_of(each, "requeue") for each in (self.unacked, *taken))):
            self._settling.begin(self._return(self._all_parts(taken), "requeue", gives_credit=False))
            return
        self.put_back(taken)
        self.settle(self._taken(list(self.unacked)), "requeue", gives_credit=False)

    def time_out(self, consumer: Consumer, expired: Callable[[list[int]], None] = _no_tags) -> None:
        """What `consumer` has returns to its queue; the client may still settle it, which means nothing any more.

        expired: called with the tags, in order, maybe in parts.
        """
        if not self._settling.may(len(self.unacked)):
            self._settling.begin(self._return(self._expire_parts(consumer, expired), "untouched"))
            return
        taken = self.expire(consumer)
        expired(list(taken))
        self.settle(taken, "untouched")

    def settle_these(self, tags: list[int], verdict: Verdict) -> None:
        """Settle those of these deliveries that are unsettled."""
        if self._settling.may(self._work_of(tags, verdict)):
            self.settle(self._taken(tags), verdict)
        else:
            self.settle_lists(_lists_of(tags), verdict)

    def settle_lists(self, lists: Iterator[list[int]], verdict: Verdict) -> None:
        """The same in slices, for a list of up to `SETTLED_PER_SLICE` tags each; one is asked for when it is due."""
        if verdict in RETURNING:
            self._settling.begin(self._return(map(self._taken, lists), verdict))
        else:
            self._settling.begin(self._settle_lists(lists, verdict))

    def return_of(self, consumer: Consumer, verdict: Verdict) -> None:
        """What `consumer` has returns to its queue."""
        if self._settling.may(len(self.unacked)):
            tags = [tag for tag, delivery in self.unacked.items() if delivery[2] is consumer]
            self.settle(self._taken(tags), verdict)
        else:
            self._settling.begin(self._return(map(self._taken, self._tags_of(consumer)), verdict))

    def settle_taken(self, taken: list[dict[int, Delivery]], verdict: Verdict) -> None:
        """Settle what was taken before."""
        if self._settling.may(sum(work_of(each, verdict) for each in taken)):
            for deliveries in taken:
                self.settle(deliveries, verdict)
        else:
            self._settling.begin(self.settle_late([(deliveries, verdict) for deliveries in taken]))

    def put_all_back(self, taken: list[dict[int, Delivery]], then: Callable[[], None]) -> None:
        """What was taken is unacknowledged again, in its old place.  then: called when it is."""
        if self._settling.may(len(self.unacked) + sum(map(len, taken))):
            self.put_back(taken)
            then()
        else:
            self._settling.begin(self._put_parts_back(taken, then))

    def take_in_turns(self, tag: int, *, multiple: bool) -> Iterator[dict[int, Delivery]]:
        """As `take`, a part in each slice."""
        if not multiple:
            yield self.take(tag, multiple=False)
            return
        last = self._last_of(tag)
        while tags := self._first(last, LOOKED_AT_PER_SLICE):
            yield self._taken(tags)

    def count_up_to(self, tag: int, most: int) -> int:
        """How many a `multiple` up to `tag` settles at most, counted up to `most`; few aren't looked at."""
        count = len(self.unacked)
        return count if count <= SETTLED_PER_SLICE else len(self._first(tag, most))

    def settle_for(
        self, group: LongGroup, vhost: VirtualHost, settlements: list[Settlement], letters: list[Letter]
    ) -> Generator[None, None, list[Settlement]]:
        """Settle in slices what was taken for a transaction and is acknowledged or discarded; gives the others.

        group: what the store has of the transaction, which is complete later.  letters: takes the dead letters, which
        are to be published then.  What has to be a dead letter first, or returns, is among the others (`settle_late`).
        """
        others: list[Settlement] = []
        work = 0
        for deliveries, verdict in emptied(settlements):
            if verdict in RETURNING:
                others.append((deliveries, verdict))
                continue
            if verdict == "discard":
                late = {tag: delivery for tag, delivery in deliveries.items() if delivery[0].keeps_untaken}
                if late:
                    others.append((late, verdict))
                    deliveries = {tag: delivery for tag, delivery in deliveries.items() if tag not in late}
            most = SETTLED_PER_SLICE if verdict == "ack" else DISCARDED_AT_ONCE
            for some in _parts_of_items(iter(deliveries.items()), most):
                with vhost.broker.store.collecting(group):
                    vhost.letters = letters
                    try:
                        self.settle(some, verdict)
                    finally:
                        vhost.letters = None
                work += work_of(some, verdict)
                if work >= SETTLED_PER_SLICE:
                    work = 0
                    yield
        return others

    def settle_late(self, settlements: list[Settlement]) -> Iterator[None]:
        """What `settle_for` left, in slices: it goes back to its queues, or is discarded."""
        for deliveries, verdict in settlements:
            items = iter(deliveries.items())
            if verdict in RETURNING:
                yield from self._return(_parts_of_items(items, SETTLED_PER_SLICE), verdict)
            else:
                for some in _parts_of_items(items, DISCARDED_AT_ONCE):
                    self.settle(some, verdict)
                    yield

    # At once

    def take(self, tag: int, *, multiple: bool) -> dict[int, Delivery]:
        """The deliveries that the client settles, as `settle_up_to` says; they are gone from here."""
        if multiple:
            last = self._last_of(tag)
            return self._taken(self._first(last, len(self.unacked)))
        if tag in self._expired:
            self._expired.discard(tag)
            return {}
        return take(self.unacked, tag, multiple=False)

    def expire(self, consumer: Consumer) -> dict[int, Delivery]:
        """Take all that `consumer` has; see `time_out`."""
        found = {tag: delivery for tag, delivery in self.unacked.items() if delivery[2] is consumer}
        for tag in found:
            del self.unacked[tag]
        self._expired.update(found)
        return found

    def put_back(self, taken: Iterable[Mapping[int, Delivery]]) -> None:
        """As `put_all_back`."""
        restored = dict(self.unacked)
        for deliveries in taken:
            restored.update(deliveries)
        self.unacked.clear()
        self.unacked.update(sorted(restored.items()))

    def settle(self, taken: Mapping[int, Delivery], verdict: Verdict, *, gives_credit: bool = True) -> None:
        """What was taken is settled so: tell the queues, then give the consumers their credit back."""
        if verdict != "ack":
            self._otherwise += len(taken)
        if verdict in RETURNING:
            for queue, messages in _by_queue(taken):
                queue.requeue(messages, failed=_has_failed(queue, verdict))
        elif verdict == "ack":
            for queue, message, _ in taken.values():
                queue.acknowledge(message)
            if self.counts is not None and self.counts.others is not None:
                for queue, messages in _by_queue(taken):
                    self.counts.acknowledged(queue, len(messages))
        else:
            for queue, message, _ in taken.values():
                queue.discard(message)
        for _, _, consumer in taken.values() if gives_credit else ():
            if consumer is not None:
                consumer.acknowledged()

    def acknowledgement_timed_out(self, consumer: Consumer, timeout_ms: int) -> None:
        """The watch says that `consumer` has kept a delivery for `timeout_ms`: have the session act on it."""
        self._on_timeout(consumer, timeout_ms)

    # In slices

    def _may_bury(self, taken: Mapping[int, Delivery], verdict: Verdict) -> bool:
        """False where it would be a dead letter too many for this turn: many small commands are one large one."""
        work = work_of(taken, verdict)
        return work <= 1 or self._settling.may(work)

    def _settle_later(self, taken: Mapping[int, Delivery], verdict: Verdict) -> Iterator[None]:
        self.settle(taken, verdict)
        yield from ()

    def _settle_lists(self, lists: Iterator[list[int]], verdict: Verdict) -> Iterator[None]:
        """Acknowledge or discard these."""
        for tags in lists:
            at = 0
            while at < len(tags):
                some = self._some_of(tags, at, verdict)
                self.settle(self._taken(some), verdict)
                at += len(some)
                yield
            if not tags:
                yield

    def _settle_parts(self, last: int, verdict: Verdict) -> Iterator[None]:
        """Acknowledge or discard all up to `last`."""
        while tags := self._first(last, SETTLED_PER_SLICE):
            self.settle(self._taken(self._some_of(tags, 0, verdict)), verdict)
            yield

    def _some_of(self, tags: list[int], at: int, verdict: Verdict) -> list[int]:
        """Those from `at` on that can be settled in one slice, as far as they are unsettled."""
        if verdict == "discard":
            work = 0
            for count, tag in enumerate(islice(tags, at, at + SETTLED_PER_SLICE), 1):
                delivery = self.unacked.get(tag)
                work += delivery[0].discard_work(delivery[1]) if delivery is not None else 0
                if work >= SETTLED_PER_SLICE:
                    return tags[at : at + count]
        return tags[at : at + SETTLED_PER_SLICE]

    def _return(
        self,
        parts: Iterator[Mapping[int, Delivery]],
        verdict: Verdict,
        *,
        then: Callable[[], None] = _nothing,
        gives_credit: bool = True,
    ) -> Iterator[None]:
        """Give these back to their queues; afterwards the consumers have their credit."""
        credit: dict[Consumer, int] = {}

        def messages_of(taken: Mapping[int, Delivery]) -> Iterator[tuple[Queue, Message]]:
            self._otherwise += len(taken)
            for queue, message, consumer in taken.values():
                if gives_credit and consumer is not None:
                    credit[consumer] = credit.get(consumer, 0) + 1
                yield queue, message

        yield from give_back(map(messages_of, parts), lambda queue: _has_failed(queue, verdict))
        then()
        for consumer, count in credit.items():
            for number in range(count):
                if number % LOOKED_AT_PER_SLICE == 0:
                    yield
                consumer.acknowledged()

    def _take_parts(self, last: int, taken: Callable[[dict[int, Delivery]], None]) -> Iterator[None]:
        while tags := self._first(last, LOOKED_AT_PER_SLICE):
            taken(self._taken(tags))
            yield

    def _put_parts_back(self, taken: list[dict[int, Delivery]], then: Callable[[], None]) -> Iterator[None]:
        """Make the row of what is unacknowledged anew, and let it be the row when it has all of them."""
        runs: list[list[tuple[int, Delivery]]] = []
        run: list[tuple[int, Delivery]] = []
        for deliveries in taken:
            run += deliveries.items()
            deliveries.clear()
            if len(run) >= LOOKED_AT_PER_SLICE:
                runs.append(sorted(run, key=_tag_of))
                run = []
                yield
        runs.append(sorted(run, key=_tag_of))
        last = self.delivery_tag
        for part in self._parts(last):
            runs.append(list(part.items()))
            yield
        ordered = merge(*map(emptied, runs), key=_tag_of)
        restored: Unacked = {}
        while some := list(islice(ordered, SETTLED_PER_SLICE)):
            restored.update(some)
            yield
        # What was given meanwhile is newer than all of it.
        restored.update(self.unacked)
        self.unacked = restored
        then()

    # Which

    def _last_of(self, tag: int) -> int:
        """The tag that a `multiple` up to `tag` ends with; PreconditionFailed (406) where that isn't outstanding."""
        if not tag:
            return self.delivery_tag
        if tag not in self.unacked and tag not in self._expired:
            take(self.unacked, tag, multiple=True)
        return tag

    def _first(self, last: int, most: int) -> list[int]:
        """The oldest tags up to `last`, `most` at most."""
        tags = []
        for tag in islice(self.unacked, most):
            if tag > last:
                break
            tags.append(tag)
        return tags

    def _taken(self, tags: Iterable[int]) -> dict[int, Delivery]:
        """These deliveries, as far as they are there; they are gone from here."""
        unacked = self.unacked
        return {tag: unacked.pop(tag) for tag in tags if tag in unacked}

    def _work_of(self, tags: Sequence[int], verdict: Verdict) -> int:
        if verdict == "ack" or len(tags) > SETTLED_PER_SLICE:
            return len(tags)
        return work_of({tag: self.unacked[tag] for tag in tags if tag in self.unacked}, verdict)

    def _parts(self, last: int) -> Iterator[dict[int, Delivery]]:
        """All up to `last`, so many at a time as a turn may give back."""
        while tags := self._first(last, SETTLED_PER_SLICE):
            yield self._taken(tags)

    def _all_parts(self, taken: list[dict[int, Delivery]]) -> Iterator[dict[int, Delivery]]:
        """Everything, also of what was taken; that list may have grown until then."""
        yield from self._parts(self.delivery_tag)
        some: dict[int, Delivery] = {}
        for deliveries in emptied(taken):
            some.update(deliveries)
            if len(some) >= SETTLED_PER_SLICE:
                yield some
                some = {}
        yield some

    def _expire_parts(self, consumer: Consumer, expired: Callable[[list[int]], None]) -> Iterator[dict[int, Delivery]]:
        for tags in self._tags_of(consumer):
            self._expired.update(tags)
            expired(tags)
            yield self._taken(tags)

    def _tags_of(self, consumer: Consumer) -> Iterator[list[int]]:
        """Those of a consumer, so many of all at a time as a turn may give back."""
        for tags in _lists_of(list(self.unacked)):
            yield [tag for tag in tags if self._is_of(tag, consumer)]

    def _is_of(self, tag: int, consumer: Consumer) -> bool:
        delivery = self.unacked.get(tag)
        return delivery is not None and delivery[2] is consumer


def _lists_of(tags: list[int]) -> Iterator[list[int]]:
    for at in range(0, len(tags), SETTLED_PER_SLICE):
        yield tags[at : at + SETTLED_PER_SLICE]


def _parts_of_items(items: Iterator[tuple[int, Delivery]], most: int) -> Iterator[dict[int, Delivery]]:
    while some := dict(islice(items, most)):
        yield some


def _has_failed(queue: Queue, verdict: Verdict) -> bool:
    """Whether a return by this verdict counts towards a delivery limit."""
    return verdict == "requeue" or (verdict == "return" and queue.vhost.broker.counts_returns)


def work_of(deliveries: Mapping[int, Delivery], verdict: Verdict) -> int:
    """How much it is to settle these so, if an acknowledgement is 1; of very many, how many there are."""
    if len(deliveries) > SETTLED_PER_SLICE:
        return len(deliveries)
    if verdict == "discard":
        return sum(queue.discard_work(message) for queue, message, _ in deliveries.values())
    return sum(
        queue.return_work(message) if _has_failed(queue, verdict) else 1 for queue, message, _ in deliveries.values()
    )


def _by_queue(taken: Mapping[int, Delivery]) -> Iterable[tuple[Queue, list[Message]]]:
    """The messages by the queue that they came from, in order."""
    found: dict[int, tuple[Queue, list[Message]]] = {}
    for queue, message, _ in taken.values():
        found.setdefault(id(queue), (queue, []))[1].append(message)
    return found.values()


def _tag_of(item: tuple[int, Delivery]) -> int:
    return item[0]
