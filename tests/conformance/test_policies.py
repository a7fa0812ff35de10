"""Policies as clients see them: at once, for what exists and for what comes, one of each kind (spec A.7, G)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import Workbench, drain, fill, ready_count, send, synchronise
from tests.support.brokers import Broker


class Policies:
    """Sets policies that are cleared after the test."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._set: list[tuple[str, str]] = []

    def set(self, name: str, pattern: str, definition: str, *options: str, kind: str = "policy") -> None:
        self._broker.ctl(f"set_{kind}", *options, name, pattern, definition)
        self._set.append((kind, name))

    def clear(self, name: str, kind: str = "policy") -> None:
        self._broker.ctl(f"clear_{kind}", name)
        self._set.remove((kind, name))

    def clear_all(self) -> None:
        for kind, name in dict.fromkeys(self._set):
            self._broker.ctl(f"clear_{kind}", name)


@pytest.fixture
def policies(broker: Broker) -> Iterator[Policies]:
    found = Policies(broker)
    yield found
    found.clear_all()


def routed_by(channel: BlockingChannel, exchange: str, *queues: str) -> list[int]:
    """Where a message to the exchange ends up: how many are then in each of these queues, which are emptied."""
    send(channel, exchange, "key", b"m")
    synchronise(channel)
    return [len(drain(channel, queue)) for queue in queues]


def test_an_alternate_exchange_by_policy(bench: Workbench, channel: BlockingChannel, policies: Policies) -> None:
    main, spare = bench.exchange(channel), bench.exchange(channel, "fanout")
    queue = bench.bound_queue(channel, spare, "")
    assert routed_by(channel, main, queue) == [0]
    policies.set("p", f"^{main}$", f'{{"alternate-exchange": "{spare}"}}', "--apply-to", "exchanges")
    assert routed_by(channel, main, queue) == [1]
    policies.clear("p")
    assert routed_by(channel, main, queue) == [0]


def test_the_argument_wins_over_the_policy(bench: Workbench, channel: BlockingChannel, policies: Policies) -> None:
    by_argument, by_policy = bench.exchange(channel, "fanout"), bench.exchange(channel, "fanout")
    first, second = bench.bound_queue(channel, by_argument, ""), bench.bound_queue(channel, by_policy, "")
    policies.set("p", "^topic-", f'{{"alternate-exchange": "{by_policy}"}}')
    arguments: dict[str, Any] = {"alternate-exchange": by_argument}
    main = bench.exchange(channel, "topic", arguments=arguments)
    other = bench.exchange(channel, "topic")
    assert routed_by(channel, main, first, second) == [1, 0]
    assert routed_by(channel, other, first, second) == [0, 1]


def test_a_length_limit_for_existing_and_later_queues(
    bench: Workbench, channel: BlockingChannel, policies: Policies
) -> None:
    before = bench.queue(channel, "limited")
    fill(channel, before, 5)
    policies.set("p", "^limited-", '{"max-length": 2}', "--apply-to", "queues")
    after = bench.queue(channel, "limited")
    for queue in (before, after):
        fill(channel, queue, 5)
        assert drain(channel, queue) == [b"4", b"5"]
    policies.clear("p")
    fill(channel, before, 5)
    assert ready_count(channel, before) == 5


def test_the_highest_priority_alone_and_an_operator_bounds_it(
    bench: Workbench, channel: BlockingChannel, policies: Policies
) -> None:
    queue = bench.queue(channel, "ranked")
    policies.set("low", "^ranked-", '{"max-length": 1}', "--priority", "1")
    policies.set("high", "^ranked-", '{"max-length-bytes": 4}', "--priority", "2")
    fill(channel, queue, 6)
    assert drain(channel, queue) == [b"3", b"4", b"5", b"6"]
    policies.set("bound", "^ranked-", '{"max-length": 3, "max-length-bytes": 1000}', kind="operator_policy")
    fill(channel, queue, 6)
    assert drain(channel, queue) == [b"4", b"5", b"6"]


def test_the_smaller_of_argument_and_policy(bench: Workbench, channel: BlockingChannel, policies: Policies) -> None:
    policies.set("p", "^both-", '{"max-length": 3}')
    small = bench.queue(channel, "both", arguments={"x-max-length": 2})
    large = bench.queue(channel, "both", arguments={"x-max-length": 9})
    for queue, expected in ((small, 2), (large, 3)):
        fill(channel, queue, 5)
        assert ready_count(channel, queue) == expected
