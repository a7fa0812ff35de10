"""Limits on consumers that the node's configuration sets (A.5, A.7 Consumers)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.scenario import Inbox, Refusal, Workbench, assert_refused, fill, ready_count, refusal_of
from tests.support.brokers import run_warren


@pytest.fixture(scope="module")
def bench() -> Iterator[Workbench]:
    with run_warren("--set", "consumer_max_per_channel=2", "--set", "default_consumer_prefetch=3") as broker:
        workbench = Workbench(broker.address)
        yield workbench
        workbench.clean_up()


def test_consumers_of_a_channel(bench: Workbench) -> None:
    channel = bench.channel()
    queue = bench.queue(channel)
    first = Inbox(channel, queue)
    Inbox(channel, queue)
    channel.basic_cancel(first.tag)
    Inbox(channel, queue)
    other = channel.connection.channel()
    Inbox(other, queue)
    refusal = refusal_of(lambda: Inbox(channel, queue), channel)
    assert_refused(refusal, Refusal("connection", 530, "NOT_ALLOWED - reached maximum (2) of consumers per channel"))


def test_a_prefetch_for_who_sets_none(bench: Workbench) -> None:
    channel = bench.channel()
    queue = bench.queue(channel)
    inbox = Inbox(channel, queue)
    fill(channel, queue, 10)
    assert len(inbox.wait(3)) == 3
    assert ready_count(channel, queue) == 7
    channel.basic_qos(prefetch_count=0)
    unlimited = Inbox(channel, queue)
    assert len(unlimited.wait(7)) == 7
