"""Policies as clients see them: at once, for what exists and for what comes, one of each kind (spec A.7, G)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import (
    Inbox,
    Workbench,
    drain,
    fill,
    process_until,
    queue_exists,
    ready_count,
    send,
    synchronise,
)
from tests.support.brokers import Broker
from tests.support.child import ChildError


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


def test_a_ttl_for_what_waits_already(bench: Workbench, channel: BlockingChannel, policies: Policies) -> None:
    """And its dead letter exchange, by the same policy."""
    graveyard = bench.queue(channel)
    queue = bench.queue(channel, "aging")
    fill(channel, queue, 3)
    definition = f'{{"message-ttl": 20, "dead-letter-exchange": "", "dead-letter-routing-key": "{graveyard}"}}'
    policies.set("p", "^aging-", definition, "--apply-to", "queues")
    later = bench.queue(channel)
    shows_the_time = bench.queue(
        channel, arguments={"x-message-ttl": 300, "x-dead-letter-exchange": "", "x-dead-letter-routing-key": later}
    )
    send(channel, "", shows_the_time, b"now")
    Inbox(channel, later).wait(1)
    assert ready_count(channel, queue) == 0
    letters = Inbox(channel, graveyard, auto_ack=True).wait(3)
    assert [letter.properties.headers["x-death"][0]["reason"] for letter in letters] == ["expired"] * 3
    policies.clear("p")
    assert fill(channel, queue, 2) == drain(channel, queue)


def test_an_expiry_for_queues_that_are_there(bench: Workbench, channel: BlockingChannel, policies: Policies) -> None:
    unused, used = bench.queue(channel, "unused"), bench.queue(channel, "unused")
    Inbox(channel, used)
    policies.set("p", "^unused-", '{"expires": 50}', "--apply-to", "queues")
    process_until(channel, lambda: not queue_exists(bench, unused))
    assert queue_exists(bench, used)


def test_rejected_messages_by_policy(bench: Workbench, channel: BlockingChannel, policies: Policies) -> None:
    """The argument wins over the policy for names and overflow."""
    by_argument, by_policy = bench.queue(channel), bench.queue(channel)
    plain = bench.queue(channel, "rejecting")
    own = bench.queue(
        channel,
        "rejecting",
        arguments={"x-dead-letter-exchange": "", "x-dead-letter-routing-key": by_argument, "x-overflow": "drop-head"},
    )
    policies.set(
        "p",
        "^rejecting-",
        f'{{"dead-letter-exchange": "", "dead-letter-routing-key": "{by_policy}",'
        ' "overflow": "reject-publish", "max-length": 1}',
    )
    for queue in (plain, own):
        fill(channel, queue, 2)
    assert drain(channel, plain) == [b"1"]
    assert drain(channel, own) == [b"2"]
    assert drain(channel, by_argument) == [b"1"]
    assert drain(channel, by_policy) == []


def test_operators_bound_what_users_ask_for(bench: Workbench, channel: BlockingChannel, policies: Policies) -> None:
    """Of each number the smaller counts, whoever set it; a policy of the user's alone is as it was once that ends."""
    queue = bench.queue(channel, "bounded")
    policies.set("p", "^bounded-", '{"max-length": 2, "message-ttl": 3600000}', "--apply-to", "queues")
    policies.set("o", "^bounded-", '{"max-length": 4, "message-ttl": 0}', kind="operator_policy")
    fill(channel, queue, 3)
    process_until(channel, lambda: ready_count(channel, queue) == 0)
    policies.clear("o", kind="operator_policy")
    fill(channel, queue, 3)
    assert drain(channel, queue) == [b"2", b"3"]


@pytest.mark.parametrize(
    ("apply_to", "limited"), [("all", [True, True]), ("queues", [True, True]), ("exchanges", [False, False])]
)
def test_what_a_policy_is_for(
    bench: Workbench, channel: BlockingChannel, policies: Policies, apply_to: str, limited: list[bool]
) -> None:
    classic = bench.queue(channel, "kinds")
    quorum = bench.queue(channel, "kinds", durable=True, arguments={"x-queue-type": "quorum"})
    policies.set("p", "^kinds-", '{"max-length": 1}', "--apply-to", apply_to)
    for queue, is_limited in zip((classic, quorum), limited, strict=True):
        fill(channel, queue, 2)
        process_until(channel, lambda queue=queue, count=1 if is_limited else 2: ready_count(channel, queue) == count)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("apply_to", "limited"),
    [("classic_queues", [True, False]), ("quorum_queues", [False, True]), ("streams", [False, False])],
)
def test_policies_for_one_type_of_queue(
    bench: Workbench,
    channel: BlockingChannel,
    broker: Broker,
    policies: Policies,
    apply_to: str,
    limited: list[bool],
) -> None:
    if not broker.is_warren:
        pytest.skip("newer releases know these words")
    test_what_a_policy_is_for(bench, channel, policies, apply_to, limited)


@pytest.mark.parametrize(
    ("kind", "definition", "said"),
    [
        ("policy", '{"max-lenght": 1}', "not recognised policy settings"),
        ("policy", "{}", "no policy provided"),
        ("policy", '{"max-length": -1}', "not a valid maximum length"),
        ("policy", '{"max-length": "1"}', "not a valid maximum length"),
        ("policy", '{"message-ttl": -5}', "not a valid message TTL"),
        ("policy", '{"expires": 0}', "not a valid queue expiry"),
        ("policy", '{"overflow": "explode"}', "not a valid overflow"),
        ("policy", '{"dead-letter-exchange": 1}', "not a valid dead letter exchange name"),
        ("policy", '{"max-length": 1', ""),
        ("operator_policy", '{"dead-letter-exchange": "x"}', "not recognised policy settings"),
        ("operator_policy", '{"max-length": -1}', "not a valid maximum length"),
    ],
)
def test_refused_policies_change_nothing(
    bench: Workbench, channel: BlockingChannel, broker: Broker, kind: str, definition: str, said: str
) -> None:
    queue = bench.queue(channel, "refusing")
    with pytest.raises((AssertionError, ChildError)) as refused:
        broker.ctl(f"set_{kind}", "refused", "^refusing-", definition)
    assert said in " ".join(str(refused.value).split())
    assert "refused" not in broker.ctl("list_policies" if kind == "policy" else "list_operator_policies")
    assert drain(channel, queue) == []
    assert fill(channel, queue, 2) == drain(channel, queue)


def test_a_pattern_that_is_no_expression(broker: Broker) -> None:
    with pytest.raises((AssertionError, ChildError)):
        broker.ctl("set_policy", "refused", "(", '{"max-length": 1}')
    assert "refused" not in broker.ctl("list_policies")
