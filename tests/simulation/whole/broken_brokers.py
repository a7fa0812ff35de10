"""Brokers that break a promise, each in one small place: whoever holds the promises has to notice.

Each is a function that changes Warren's code until it is left.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, Final
from unittest.mock import patch

from warren.adapters.amqp091.consumer import AmqpConsumer
from warren.adapters.mqtt.sessions.session import MqttSession
from warren.core.broker import Broker
from warren.core.messages.message import Message
from warren.core.queues.classic.queue import ClassicQueue
from warren.core.storage.commit import Commit
from warren.core.storage.disk import flush, message_run, reader, scanner
from warren.core.storage.disk.engine import DiskEngine


@contextmanager
def confirms_before_the_sync() -> Iterator[None]:
    """Publishers are told that their messages are safe when the commit begins."""
    begin = Broker.begin_commit

    def early(self: Broker) -> Commit:
        commit = begin(self)
        for committed, mark in commit.waiting:
            committed.flushed(mark)
        commit.waiting.clear()
        return commit

    with patch.object(Broker, "begin_commit", early):
        yield


@contextmanager
def forgets_acknowledgements() -> Iterator[None]:
    """What is acknowledged isn't written down."""
    with patch.object(DiskEngine, "settle", lambda self, queue_id, message: None):
        yield


@contextmanager
def returns_to_the_end() -> Iterator[None]:
    """What is requeued comes behind everything else."""
    requeue = ClassicQueue.requeue

    def late(self: ClassicQueue, messages: Iterable[Message], *, failed: bool = True) -> None:
        messages = list(messages)
        for message in messages:
            message.sequence = self.vhost.broker.next_sequence()
        requeue(self, messages, failed=failed)

    with patch.object(ClassicQueue, "requeue", late):
        yield


@contextmanager
def exceeds_the_prefetch() -> Iterator[None]:
    """Consumers of AMQP 0-9-1 get one message more than they take."""
    init = AmqpConsumer.__init__

    def generous(self: AmqpConsumer, *args: Any, **named: Any) -> None:
        init(self, *args, **named)
        self.credit += 1

    with patch.object(AmqpConsumer, "__init__", generous):
        yield


@contextmanager
def gives_messages_twice() -> Iterator[None]:
    """Now and then a message that somebody has goes to the next one, too."""
    deliver = AmqpConsumer.deliver
    count = 0

    def twice(self: AmqpConsumer, message: Message, redelivered: bool) -> bool:
        nonlocal count
        count += 1
        result = deliver(self, message, redelivered)
        if count % 5 == 0:
            self.queue.requeue([message])
        return result

    with patch.object(AmqpConsumer, "deliver", twice):
        yield


@contextmanager
def forgets_packet_identifiers() -> Iterator[None]:
    """A message of QoS 2 that is sent again is another one."""
    with patch.object(MqttSession, "note_inbound", lambda self, packet_id: None):
        yield


@contextmanager
def tears_transactions() -> Iterator[None]:
    """What belongs together is written as if it didn't."""
    with patch.object(DiskEngine, "begin_group", lambda self: None):
        yield


class _RightWhatever(int):
    """A checksum that no other differs from."""

    def __ne__(self, other: object) -> bool:
        return False

    __hash__ = int.__hash__


@contextmanager
def trusts_the_disk() -> Iterator[None]:
    """No checksum of a record is looked at."""

    with ExitStack() as stack:
        for module in (scanner, message_run, reader):
            stack.enter_context(patch.object(module, "crc32", lambda *_: _RightWhatever()))
        yield


@contextmanager
def leaves_names_unsynced() -> Iterator[None]:
    """The files of the message log are synced, and not that they are there."""
    with patch.object(flush, "sync_directory", lambda directory: None):
        yield


BROKEN: Final[dict[str, Callable[[], AbstractContextManager[None]]]] = {
    made.__name__: made
    for made in (
        confirms_before_the_sync,
        forgets_acknowledgements,
        returns_to_the_end,
        exceeds_the_prefetch,
        gives_messages_twice,
        forgets_packet_identifiers,
        tears_transactions,
        trusts_the_disk,
        leaves_names_unsynced,
    )
}
"""By what they do."""
