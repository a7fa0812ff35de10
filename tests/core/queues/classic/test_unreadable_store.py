"""A store that can't be read for a while (a disk error, no file descriptor) costs time, not messages."""

from __future__ import annotations

import errno
import os

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_consumer import SimulatedConsumer, declare, publish
from warren.core.errors import StoreUnavailable
from warren.core.messages.properties import encode_properties
from warren.core.queues.backlog import USUAL_PAGING
from warren.core.queues.classic.restart import READ_AGAIN_MS

PERSISTENT = encode_properties(delivery_mode=2)
MANY = 3000


def refuse_to_read(*_: object) -> bytes:
    raise OSError(errno.EIO, "Input/output error")


def test_consumers_get_everything_once_it_can_be_read(disk: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = declare(disk, durable=True)
    bodies = [b"%d" % number for number in range(MANY)]
    for first in range(0, MANY, 500):
        publish(disk, queue, bodies[first : first + 500], PERSISTENT)
        disk.settle()
    assert queue.paged_count
    consumer = SimulatedConsumer(queue, credit=MANY)
    with monkeypatch.context() as broken:
        broken.setattr(os, "pread", refuse_to_read)
        queue.add_consumer(consumer)
        disk.settle()
        disk.advance(READ_AGAIN_MS)
        assert len(consumer.bodies) <= USUAL_PAGING.head_messages
        assert queue.ready_count + len(consumer.bodies) == MANY
    disk.advance(READ_AGAIN_MS)
    disk.settle()
    assert consumer.bodies == bodies
    assert queue.ready_count == queue.ready_bytes == 0
    assert disk.broker.store.damage() == []


def test_a_poll_says_that_it_cannot_read(disk: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    queue = declare(disk, durable=True)
    publish(disk, queue, [b"kept"], PERSISTENT)
    disk.settle()
    disk.restart()
    queue = disk.queue(queue.name)
    with monkeypatch.context() as broken:
        broken.setattr(os, "pread", refuse_to_read)
        with pytest.raises(StoreUnavailable, match="Input/output error"):
            queue.poll(no_ack=True)
    found = queue.poll(no_ack=True)
    assert found is not None
    assert found[0].body == b"kept"
