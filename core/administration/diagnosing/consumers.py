"""Faults of consumers, and of what they hold."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from warren.core.administration.diagnosing import catalogue
from warren.core.administration.diagnosing.finding import Place
from warren.core.administration.diagnosing.thresholds import HOARD_LEAST
from warren.core.administration.diagnosing.words import counted, span

if TYPE_CHECKING:
    from warren.core.administration.diagnosing.examination import Examination
    from warren.core.queues.ack_timeout import AckHolder
    from warren.core.queues.consumer import Consumer


def examine_consumers(exam: Examination) -> Generator[None, None, None]:
    """Each consumer's limit and acknowledgements.

    A connection's own queue is its own affair, and what a component or a protocol with credit consumes has its bounds.
    """
    shared_limits = yield from _channels_with_a_limit(exam)
    for vhost in exam.vhosts:
        for queue in list(vhost.queues.values()):
            for consumer in list(queue.consumers):
                exam.count("consumers")
                if not queue.exclusive:
                    exam.consuming.add(consumer.client)
                    _examine(exam, consumer, shared_limits)
                if exam.has_worked():
                    yield
            if exam.has_worked():
                yield


def _examine(exam: Examination, consumer: Consumer, shared_limits: set[str]) -> None:
    if consumer.grants_credit or consumer.is_components or consumer.queue.policy_type:
        return
    queue = consumer.queue
    whose = f"'{consumer.tag}' of {consumer.client.user.name} on {consumer.session_name()}"
    place = (queue.vhost.name, "queue", queue.name)
    if consumer.no_ack:
        if queue.durable and not queue.keeps_messages:
            exam.report(catalogue.AUTOMATIC_ACK, Place(*place, f"consumer {whose}"))
    elif not consumer.prefetch and consumer.session_name() not in shared_limits:
        out = counted(queue.unacked_count, "unacknowledged message")
        exam.report(catalogue.NO_PREFETCH, Place(*place, f"consumer {whose}; {out} of the queue"))


def _channels_with_a_limit(exam: Examination) -> Generator[None, None, set[str]]:
    """Names of the channels whose consumers share one."""
    found = set()
    for session in list(exam.broker.sessions):
        for row in session.channel_rows():
            exam.count("channels")
            if row.global_prefetch_count:
                found.add(row.name)
            if exam.has_worked(3):
                yield
    return found


def examine_unacked(exam: Examination) -> Generator[None, None, None]:
    """What channels hold, and for how long at least, by what the watch of the acknowledgement timeout has noted."""
    names = {vhost.name for vhost in exam.vhosts}
    for session in list(exam.broker.sessions):
        for holder in session.ack_holders():
            oldest = next(iter(holder.unacked), None)
            if oldest is not None and holder.unacked[oldest][0].vhost.name in names:
                _examine_holder(exam, holder, oldest, session.connection_row().name)
            if exam.has_worked():
                yield


def _examine_holder(exam: Examination, holder: AckHolder, oldest: int, connection: str) -> None:
    queue, _, consumer = holder.unacked[oldest]
    now_ms = exam.now_ms
    age_ms = now_ms - next((at_ms for latest, at_ms in holder.delivery_notes if oldest <= latest), now_ms)
    count = counted(len(holder.unacked), "message")
    by = f"consumer '{consumer.tag}'" if consumer is not None else "a poll (basic.get)"
    name = consumer.session_name() if consumer is not None else connection
    where = (queue.vhost.name, "connection" if consumer is None else "channel", name)
    if age_ms >= exam.patience_ms:
        detail = f"{count}, the oldest since {span(age_ms)} at least, from queue '{queue.name}' by {by}"
        exam.report(catalogue.OLD_UNACKED, Place(*where, detail))
    if len(holder.unacked) >= HOARD_LEAST:
        exam.report(catalogue.HOARD, Place(*where, f"{count}, the oldest from queue '{queue.name}' by {by}"))
