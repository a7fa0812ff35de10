"""Faults of queues, by their counts, their settings and what is in them."""

from __future__ import annotations

from collections.abc import Generator
from itertools import islice
from typing import TYPE_CHECKING, Final

from warren.core.administration.diagnosing import catalogue
from warren.core.administration.diagnosing.finding import Place, Severity
from warren.core.administration.diagnosing.thresholds import (
    BACKLOG_LEAST,
    GROWTH_LEAST,
    POLLS_LEAST,
    SAMPLE_MESSAGES,
)
from warren.core.administration.diagnosing.words import counted, moment, setting, span
from warren.core.queues.unavailable import Unavailable

if TYPE_CHECKING:
    from warren.core.administration.diagnosing.examination import Examination
    from warren.core.queues.base import Queue

WORK_OF_SAMPLE: Final = 50
"""What it takes to look at some of a queue's messages, if a look at a queue is 1."""

GENERATED: Final = "amq.gen-"

BOUNDS: Final = ("max-length", "max-length-bytes", "message-ttl", "expires")
"""Settings that keep a queue from growing for ever, each in its way."""


def examine_queues(exam: Examination) -> Generator[None, None, None]:
    """Each queue."""
    for vhost in exam.vhosts:
        for queue in list(vhost.queues.values()):
            if vhost.queues.get(queue.name) is queue:
                exam.count("queues")
                _examine(exam, queue)
            if exam.has_worked(WORK_OF_SAMPLE if queue.ready_count else 1):
                yield


def _examine(exam: Examination, queue: Queue) -> None:
    if isinstance(queue, Unavailable):
        exam.report(catalogue.UNAVAILABLE_QUEUE, _place(queue, f"type {queue.columns['type'](queue)}"))
        return
    if queue.policy_type:
        return  # a component's own, which looks after it
    if queue.keeps_messages:
        _examine_stream(exam, queue)
        return
    _examine_readers(exam, queue)
    _examine_growth(exam, queue)
    _examine_persistence(exam, queue)


def _place(queue: Queue, detail: str, remedy: str = "") -> Place:
    return Place(queue.vhost.name, "queue", queue.name, detail, remedy)


def _examine_stream(exam: Examination, queue: Queue) -> None:
    if queue.ready_count and setting(queue, "max-length-bytes") is None and setting(queue, "max-age") is None:
        remedy = _policy(queue, '{"max-age": "7D"}', "streams")
        exam.report(catalogue.UNBOUNDED_STREAM, _place(queue, counted(queue.ready_count, "message"), remedy))


def _examine_readers(exam: Examination, queue: Queue) -> None:
    counts = queue.counts
    polls = counts.get + counts.get_no_ack + counts.get_empty
    if polls >= POLLS_LEAST and counts.get_empty * 2 >= polls:
        detail = f"{polls:,} polls, {counts.get_empty:,} of them for nothing"
        exam.report(catalogue.POLLING, _place(queue, detail))
    unread_ms = exam.now_ms - queue.read_at_ms
    if queue.consumers or not queue.ready_count or unread_ms < exam.patience_ms or is_way_station(queue):
        return
    since = f"since {moment(queue.read_at_ms)}, {span(unread_ms)}"
    if queue.read_at_ms == queue.made_at_ms:
        since += ", when it was declared or the broker started"
    detail = f"{counted(queue.ready_count, 'message')}; no consumer and no poll {since}"
    bounded = is_bounded(queue)
    remedy = "" if bounded else _policy(queue, '{"max-length": 100000}')
    exam.report(catalogue.UNREAD, _place(queue, detail, remedy), Severity.NOTICE if bounded else None)


def is_bounded(queue: Queue) -> bool:
    """Whether something keeps it from growing for ever."""
    return any(setting(queue, name) is not None for name in BOUNDS)


def is_way_station(queue: Queue) -> bool:
    """Whether messages wait in it for their time, and go on by themselves: nobody is to read it."""
    return setting(queue, "message-ttl") is not None and setting(queue, "dead-letter-exchange") is not None


def _examine_growth(exam: Examination, queue: Queue) -> None:
    if exam.earlier is None or queue.ready_count < BACKLOG_LEAST or is_bounded(queue):
        return
    growth = queue.ready_count - exam.earlier.ready.get(queue, 0)
    if growth < GROWTH_LEAST:
        return
    seconds = max((exam.now_ms - exam.earlier.at_ms) / 1000, 0.001)
    consumers = counted(len(queue.consumers), "consumer")
    waiting = counted(queue.ready_count, "message")
    detail = f"{waiting}, {growth:,} more in {seconds:.1f} s; {consumers}"
    exam.report(catalogue.GROWING, _place(queue, detail, _policy(queue, '{"max-length": 100000}')))


def _examine_persistence(exam: Examination, queue: Queue) -> None:
    stays = queue.durable and not queue.auto_delete
    if not queue.durable and not queue.exclusive and not queue.auto_delete and not queue.name.startswith(GENERATED):
        exam.report(catalogue.TRANSIENT_QUEUE, _place(queue, f"declared {moment(queue.made_at_ms)} or before"))
    if not queue.ready_count or queue.stores_transient:
        return
    rows = queue.ready_in_memory(SAMPLE_MESSAGES * 100)
    if rows is None:
        return
    sample = [message.properties.persistent for message in islice(rows, SAMPLE_MESSAGES)]
    persistent = sum(sample)
    of_those = f"of {counted(len(sample), 'message')} that were looked at"
    if stays:
        if persistent < len(sample):
            exam.report(catalogue.TRANSIENT_MESSAGES, _place(queue, f"{len(sample) - persistent:,} {of_those}"))
    elif persistent:
        passing = queue.exclusive or queue.auto_delete
        fault = catalogue.PERSISTENT_IN_PASSING if passing else catalogue.PERSISTENT_IN_TRANSIENT
        sort = "exclusive" if queue.exclusive else "auto-delete" if queue.auto_delete else "not durable"
        exam.report(fault, _place(queue, f"{persistent:,} {of_those}; it is {sort}"))


def _policy(queue: Queue, definition: str, apply_to: str = "queues") -> str:
    """What to type; a name with characters that mean something in a pattern has them escaped."""
    pattern = "".join(f"\\{each}" if each in "\\.^$*+?{}[]|()" else each for each in queue.name)
    quoted = f"^{pattern}$".replace("'", "'\\''")
    return f"warren set_policy -p {shell(queue.vhost.name)} --apply-to {apply_to} bounded '{quoted}' '{definition}'"


def shell(text: str) -> str:
    """In quotes where the shell wants them."""
    plain = text and all(each.isalnum() or each in "/._-" for each in text)
    return text if plain else "'" + text.replace("'", "'\\''") + "'"
