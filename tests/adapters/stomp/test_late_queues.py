"""STOMP clients and a queue that answers late: receipts of SEND, COMMIT and DISCONNECT, and refusals."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import core_clients
from tests.support.late_queue import LATE_BY_MS, LateQueue, late_queues
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import StompClient


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[SimulatedBroker]:
    with late_queues():
        broker = SimulatedBroker(tmp_path)
        core_clients.queue(broker, "late", {"x-queue-type": "late"}, durable=True)
        yield broker
        broker.settle()
        broker.close()


def late(broker: SimulatedBroker) -> LateQueue:
    queue = broker.vhost.queue("late")
    assert isinstance(queue, LateQueue)
    return queue


def later(broker: SimulatedBroker, client: StompClient) -> list[tuple[str, str]]:
    """What the client is told once the queue has answered: commands and receipts."""
    broker.advance(LATE_BY_MS)
    return [(answer.command, answer.headers.get("receipt-id", "")) for answer in client.answers()]


def test_a_receipt_comes_after_the_answer(broker: SimulatedBroker) -> None:
    client = StompClient(broker).connect()
    assert client.send("SEND", b"1", destination="/amq/queue/late", receipt="r", persistent="true") == []
    assert later(broker, client) == [("RECEIPT", "r")]
    assert late(broker).ready_count == 1


def test_a_late_refusal_is_an_error(broker: SimulatedBroker) -> None:
    client = StompClient(broker).connect()
    assert client.send("SEND", b"1", destination="/amq/queue/late", receipt="r") == []
    late(broker).refuses = True
    assert later(broker, client) == [("ERROR", "r")]
    assert late(broker).ready_count == 0


def test_who_asks_for_no_receipt_is_told_nothing(broker: SimulatedBroker) -> None:
    client = StompClient(broker).connect()
    assert client.send("SEND", b"1", destination="/amq/queue/late") == []
    late(broker).refuses = True
    assert later(broker, client) == []
    assert not client.closed


@pytest.mark.parametrize("refuses", [False, True])
def test_a_commit_waits(broker: SimulatedBroker, refuses: bool) -> None:
    client = StompClient(broker).connect()
    client.send("BEGIN", transaction="t")
    client.send("SEND", b"1", destination="/amq/queue/late", transaction="t")
    assert client.send("COMMIT", transaction="t", receipt="c") == []
    late(broker).refuses = refuses
    assert later(broker, client) == [("ERROR" if refuses else "RECEIPT", "c")]


def test_disconnect_covers_what_was_sent_before(broker: SimulatedBroker) -> None:
    client = StompClient(broker).connect()
    client.send("SEND", b"1", destination="/amq/queue/late")
    assert client.send("DISCONNECT", receipt="bye") == []
    assert not client.closed
    assert later(broker, client) == [("RECEIPT", "bye")]
    assert client.closed


def test_who_is_gone_is_told_nothing(broker: SimulatedBroker) -> None:
    client = StompClient(broker).connect()
    client.send("SEND", b"1", destination="/amq/queue/late", receipt="r")
    client.transport.lose()
    broker.advance(LATE_BY_MS)
    assert late(broker).ready_count == 1
    assert not broker.broker.awaiting_flush
