"""tx: publishes and acknowledgements that take effect together (A.5, A.7)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tests.conformance.scenario import (
    Inbox,
    Refusal,
    Workbench,
    assert_refused,
    channel_refusal,
    drain,
    fill,
    get,
    process_until,
    ready_count,
    refusal_of,
    send,
    synchronise,
)


@pytest.fixture
def transaction(channel: BlockingChannel) -> BlockingChannel:
    """A second channel of the same connection, in transaction mode."""
    transaction = channel.connection.channel()
    transaction.tx_select()
    return transaction


def test_publishes_wait_for_the_commit(
    bench: Workbench, channel: BlockingChannel, transaction: BlockingChannel
) -> None:
    queue = bench.queue(channel)
    bodies = fill(transaction, queue, 10)
    assert ready_count(channel, queue) == 0
    transaction.tx_commit()
    assert drain(channel, queue) == bodies


def test_rollback_discards_publishes(bench: Workbench, channel: BlockingChannel, transaction: BlockingChannel) -> None:
    queue = bench.queue(channel)
    send(transaction, "", queue, b"discarded")
    transaction.tx_rollback()
    send(transaction, "", queue, b"kept")
    transaction.tx_commit()
    assert drain(channel, queue) == [b"kept"]


def test_acknowledgements_wait_for_the_commit(
    bench: Workbench, channel: BlockingChannel, transaction: BlockingChannel
) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 4)
    for _ in range(4):
        get(transaction, queue, auto_ack=False)
    transaction.basic_ack(2, multiple=True)
    transaction.basic_reject(3, requeue=True)
    synchronise(transaction)
    assert ready_count(channel, queue) == 0
    transaction.tx_commit()
    assert drain(channel, queue) == [b"3"]
    transaction.close()
    assert drain(channel, queue) == [b"4"]


def test_closing_without_commit_undoes_acknowledgements(
    bench: Workbench, channel: BlockingChannel, transaction: BlockingChannel
) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 2)
    for _ in range(2):
        get(transaction, queue, auto_ack=False)
    transaction.basic_ack(2, multiple=True)
    send(transaction, "", queue, b"never committed")
    transaction.close()
    assert drain(channel, queue) == [b"1", b"2"]


def test_rollback_leaves_messages_unacknowledged(
    bench: Workbench, channel: BlockingChannel, transaction: BlockingChannel
) -> None:
    """They aren't redelivered, and may be settled again."""
    queue = bench.queue(channel)
    fill(channel, queue, 2)
    for _ in range(2):
        get(transaction, queue, auto_ack=False)
    transaction.basic_ack(1)
    transaction.basic_reject(2, requeue=True)
    transaction.tx_rollback()
    assert ready_count(channel, queue) == 0
    transaction.basic_ack(1)
    transaction.tx_commit()
    transaction.close()
    assert drain(channel, queue) == [b"2"]


def test_rolled_back_acknowledgements_still_count_against_prefetch(
    bench: Workbench, channel: BlockingChannel, transaction: BlockingChannel
) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 3)
    transaction.basic_qos(prefetch_count=1)
    inbox = Inbox(transaction, queue)
    inbox.wait(1)
    transaction.basic_ack(1)
    transaction.tx_rollback()
    assert ready_count(channel, queue) == 2
    transaction.basic_ack(1)
    transaction.tx_commit()
    assert inbox.bodies(2) == [b"1", b"2"]


def test_one_commit_moves_messages_between_queues(
    bench: Workbench, channel: BlockingChannel, transaction: BlockingChannel
) -> None:
    source, targets = bench.queue(channel, durable=True), [bench.queue(channel, durable=True) for _ in range(3)]
    fill(channel, source, 3)
    for target in targets:
        delivery = get(transaction, source, auto_ack=False)
        assert delivery is not None
        send(transaction, "", target, delivery.body, delivery_mode=2)
        transaction.basic_ack(delivery.tag)
    transaction.tx_commit()
    transaction.close()
    assert drain(channel, source) == []
    assert [drain(channel, target) for target in targets] == [[b"1"], [b"2"], [b"3"]]


def test_a_commit_shows_in_all_queues_at_once(
    bench: Workbench, channel: BlockingChannel, transaction: BlockingChannel
) -> None:
    queues = [bench.queue(channel) for _ in range(5)]
    watching = bench.channel()
    inbox = Inbox(watching, queues[0], auto_ack=True)
    for queue in queues:
        send(transaction, "", queue, b"message")
    transaction.tx_commit()
    inbox.wait(1)
    assert [ready_count(watching, queue) for queue in queues[1:]] == [1, 1, 1, 1]


def test_the_next_transaction_begins_by_itself(
    bench: Workbench, channel: BlockingChannel, transaction: BlockingChannel
) -> None:
    queue = bench.queue(channel)
    for number in range(3):
        send(transaction, "", queue, str(number).encode())
        synchronise(transaction)
        assert ready_count(channel, queue) == number
        transaction.tx_commit()
        assert ready_count(channel, queue) == number + 1


def test_committing_nothing_is_fine(transaction: BlockingChannel) -> None:
    transaction.tx_commit()
    transaction.tx_rollback()
    transaction.tx_select()
    transaction.tx_commit()


def test_gets_and_deliveries_are_not_part_of_it(
    bench: Workbench, channel: BlockingChannel, transaction: BlockingChannel
) -> None:
    queue = bench.queue(channel)
    fill(channel, queue, 1)
    assert drain(transaction, queue) == [b"1"]
    transaction.tx_rollback()
    assert ready_count(channel, queue) == 0


def test_a_full_queue_spoils_a_commit(bench: Workbench, channel: BlockingChannel, transaction: BlockingChannel) -> None:
    """What could be done is done, and the client learns that something could not."""
    full = bench.queue(channel, arguments={"x-max-length": 1, "x-overflow": "reject-publish"})
    roomy = bench.queue(channel)
    transaction.basic_publish("", roomy, b"1")
    for body in (b"1", b"2"):
        transaction.basic_publish("", full, body)
    with channel_refusal(406, "PRECONDITION_FAILED - partial tx completion"):
        transaction.tx_commit()
    assert drain(channel, full) == [b"1"]
    assert drain(channel, roomy) == [b"1"]


def test_returns_come_with_the_commit(bench: Workbench, transaction: BlockingChannel) -> None:
    returned: list[tuple[Any, ...]] = []
    transaction.add_on_return_callback(lambda *each: returned.append(each))
    transaction.basic_publish("", bench.name("missing"), b"message", mandatory=True)
    synchronise(transaction)
    assert returned == []
    transaction.tx_commit()
    process_until(transaction, lambda: bool(returned))


def test_an_error_discards_the_transaction(
    bench: Workbench, channel: BlockingChannel, transaction: BlockingChannel
) -> None:
    queue, missing = bench.queue(channel), bench.name("missing")
    send(transaction, "", queue, b"discarded")
    with channel_refusal(404, f"NOT_FOUND - no exchange '{missing}' in vhost '/'"):
        send(transaction, missing, "key", b"message")
        synchronise(transaction)
    assert ready_count(channel, queue) == 0


def test_unknown_tags_are_refused_before_the_commit(transaction: BlockingChannel) -> None:
    with channel_refusal(406, "PRECONDITION_FAILED - unknown delivery tag 5"):
        transaction.basic_ack(5)
        synchronise(transaction)


def test_a_tag_counts_once_within_a_transaction(
    bench: Workbench, channel: BlockingChannel, transaction: BlockingChannel
) -> None:
    fill(channel, queue := bench.queue(channel), 1)
    get(transaction, queue, auto_ack=False)
    transaction.basic_ack(1)
    with channel_refusal(406, "PRECONDITION_FAILED - unknown delivery tag 1"):
        transaction.basic_ack(1)
        synchronise(transaction)


MIXED: list[tuple[str, Callable[[BlockingChannel], object], str]] = [
    (
        "confirm after tx",
        lambda channel: (channel.tx_select(), channel.confirm_delivery()),
        "cannot switch from tx to confirm mode",
    ),
    (
        "tx after confirm",
        lambda channel: (channel.confirm_delivery(), channel.tx_select()),
        "cannot switch from confirm to tx mode",
    ),
    ("commit without tx", lambda channel: channel.tx_commit(), "channel is not transactional"),
    ("rollback without tx", lambda channel: channel.tx_rollback(), "channel is not transactional"),
]


@pytest.mark.parametrize(("action", "words"), [pytest.param(*row[1:], id=row[0]) for row in MIXED])
def test_mixing_modes(channel: BlockingChannel, action: Callable[[BlockingChannel], object], words: str) -> None:
    refusal = Refusal("channel", 406, f"PRECONDITION_FAILED - {words}")
    assert_refused(refusal_of(lambda: action(channel), channel), refusal)
