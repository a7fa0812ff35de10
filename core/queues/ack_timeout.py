"""Acknowledgement timeout: consumers that keep messages too long are cancelled, their messages return (spec A.5, A.7).

Nothing is noted per delivery.  A watch wakes up every so often and notes, per session, the latest delivery tag and the
time; a tag at or below an earlier note is at least that old.  So a timeout is noticed late by up to one interval, which
for the default of 30 minutes is a minute, and costs nothing in between.

At half the time a warning goes to the log, once for the oldest delivery of a consumer.  On expiry the consumer is
cancelled with notice and what it holds returns to its queue; the channel lives on.  A client that declared no
consumer_cancel_notify would wait for ever, so its channel is closed with 406 instead.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, Protocol

from warren.core.queues.consumer import Consumer
from warren.core.settings import TIMEOUT_DEFAULT_MS

if TYPE_CHECKING:
    from warren.core.broker import Broker
    from warren.core.queues.unacked import Unacked

_log = logging.getLogger("warren.consumer")

INTERVAL_MAX_MS: Final = 60_000
INTERVAL_MIN_MS: Final = 20
"""Whatever consumers ask for, the broker doesn't wake up more often on their behalf."""
INTERVALS_PER_TIMEOUT: Final = 8
"""How finely the shortest timeout in use is measured."""

NOTES_MAX: Final = 64
"""Notes kept per session; older ones are thinned out, which only makes expiry later."""


class AckHolder(Protocol):
    """A session, or channel of one, whose consumers acknowledge."""

    @property
    def unacked(self) -> Unacked:
        """What is unacknowledged, by delivery tag."""

    @property
    def delivery_tag(self) -> int:
        """The last one that was given."""

    @property
    def delivery_notes(self) -> list[tuple[int, int]]:
        """(delivery tag, time in ms): kept by the watch."""

    def acknowledgement_timed_out(self, consumer: Consumer, timeout_ms: int) -> None:
        """Cancel the consumer with notice, or close what has to be closed (406)."""


class AckTimeoutWatch:
    """Watches all holders of a broker; made by it.

    timeout_ms: for consumers whose queue and arguments say nothing; 0 for none.
    """

    def __init__(self, broker: Broker, timeout_ms: int = TIMEOUT_DEFAULT_MS) -> None:
        self._broker = broker
        self._timeout_ms = timeout_ms
        self._impatient: dict[Consumer, None] = {}
        self._warned: dict[Consumer, int] = {}
        self._next = broker.deadlines.schedule(broker.now_ms + self._interval_ms, self._look)

    @property
    def _interval_ms(self) -> int:
        """How long to sleep: an eighth of the shortest timeout of those that are there."""
        asked = (self.timeout_of(consumer) for consumer in self._impatient)
        return min(map(_interval_for, (*asked, self._timeout_ms)))

    def timeout_of(self, consumer: Consumer) -> int:
        """The timeout of a consumer in ms, 0 for none: its argument, else its queue's, else the broker's.

        A consumer of another node is that node's to watch.
        """
        if consumer.is_of_node:
            return 0
        value = consumer.arguments.get("x-consumer-timeout")
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        of_queue = consumer.queue.consumer_timeout_ms
        return self._timeout_ms if of_queue is None else of_queue

    def added(self, consumer: Consumer) -> None:
        """A consumer has come, or has another timeout now: look often enough for it, as long as it is there."""
        timeout_ms = self.timeout_of(consumer)
        if consumer.no_ack or not timeout_ms or timeout_ms >= INTERVAL_MAX_MS * INTERVALS_PER_TIMEOUT:
            return
        self._impatient[consumer] = None
        at_ms = self._broker.now_ms + _interval_for(timeout_ms)
        if at_ms < self._next.at_ms:
            self._next.cancel()
            self._next = self._broker.deadlines.schedule(at_ms, self._look)

    def _look(self, now_ms: int) -> None:
        for session in list(self._broker.sessions):
            for holder in session.ack_holders():
                self._look_at(holder, now_ms)
        self._impatient = {consumer: None for consumer in self._impatient if consumer.active}
        self._warned = {consumer: tag for consumer, tag in self._warned.items() if consumer.active}
        self._next = self._broker.deadlines.schedule(now_ms + self._interval_ms, self._look)

    def _look_at(self, holder: AckHolder, now_ms: int) -> None:
        notes = holder.delivery_notes
        if not holder.unacked:
            notes.clear()
            return
        for consumer, tag in _oldest_by_consumer(holder):
            timeout_ms = self.timeout_of(consumer)
            if not timeout_ms:
                continue
            delivered_at_ms = next((at_ms for latest, at_ms in notes if tag <= latest), now_ms)
            age_ms = now_ms - delivered_at_ms
            if age_ms >= timeout_ms:
                self._broker.limit_hits.warn(
                    "consumer_timeout_ms",
                    consumer.session_name(),
                    _log,
                    "consumer '%s' on %s has not acknowledged for %d ms (timeout %d ms): cancelling it",
                    consumer.tag,
                    consumer.session_name(),
                    age_ms,
                    timeout_ms,
                )
                holder.acknowledgement_timed_out(consumer, timeout_ms)
            elif age_ms >= timeout_ms // 2:
                self._warn(consumer, tag, age_ms, timeout_ms)
        oldest = next(iter(holder.unacked), None)
        while len(notes) > 1 and oldest is not None and notes[0][0] < oldest:
            del notes[0]
        if not notes or notes[-1][0] < holder.delivery_tag:
            notes.append((holder.delivery_tag, now_ms))
        if len(notes) > NOTES_MAX:
            del notes[1:-1:2]

    def _warn(self, consumer: Consumer, tag: int, age_ms: int, timeout_ms: int) -> None:
        if self._warned.get(consumer) == tag:
            return
        self._warned[consumer] = tag
        _log.warning(
            "consumer '%s' on %s has not acknowledged for %d ms; at %d ms it will be cancelled",
            consumer.tag,
            consumer.session_name(),
            age_ms,
            timeout_ms,
        )


def _interval_for(timeout_ms: int) -> int:
    if not timeout_ms:
        return INTERVAL_MAX_MS
    return max(INTERVAL_MIN_MS, min(INTERVAL_MAX_MS, timeout_ms // INTERVALS_PER_TIMEOUT))


def _oldest_by_consumer(holder: AckHolder) -> Iterator[tuple[Consumer, int]]:
    """Each consumer with the tag of its oldest unacknowledged delivery."""
    oldest: dict[int, tuple[Consumer, int]] = {}
    for tag, (_, _, consumer) in holder.unacked.items():
        if consumer is not None and id(consumer) not in oldest:
            oldest[id(consumer)] = (consumer, tag)
    yield from list(oldest.values())
