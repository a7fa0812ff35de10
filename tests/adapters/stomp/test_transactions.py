"""BEGIN, COMMIT, ABORT: everything or nothing (spec B.8)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.adapters.stomp.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import Answer, StompClient
from warren.adapters.stomp.settings import StompSettings
from warren.core.queues.unacked import Delivery


def fill(client: StompClient, transaction: str = "t") -> None:
    client.send("BEGIN", transaction=transaction)
    for number in range(3):
        client.send("SEND", b"%d" % number, destination="/queue/a", persistent="true", transaction=transaction)


def test_commit_does_it_all_in_order(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    fill(client)
    assert simulated.queue("a").ready_count == 0
    assert client.send("COMMIT", transaction="t", receipt="1")[0]["receipt-id"] == "1"
    assert [message.body for message in simulated.queue("a").browse(0, 9)] == [b"0", b"1", b"2"]


def test_abort_does_nothing(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    fill(client)
    assert client.send("ABORT", transaction="t", receipt="1")[0].command == "RECEIPT"
    assert simulated.queue("a").ready_count == 0


def test_disconnecting_does_nothing(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    fill(client)
    client.send("DISCONNECT", receipt="1")
    assert simulated.queue("a").ready_count == 0


def test_beginning_again_starts_over(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    fill(client)
    client.send("BEGIN", transaction="t")
    client.send("COMMIT", transaction="t")
    assert simulated.queue("a").ready_count == 0


def test_transactions_do_not_mix(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    fill(client, "t")
    fill(client, "u")
    client.send("ABORT", transaction="t")
    client.send("COMMIT", transaction="u")
    assert simulated.queue("a").ready_count == 3


def test_acknowledgements(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/b", ack="client-individual")
    messages = [client.send("SEND", b"%d" % number, destination="/queue/b")[0] for number in range(3)]
    client.send("BEGIN", transaction="t")
    client.send("ACK", id=messages[0]["ack"], transaction="t")
    client.send("NACK", id=messages[1]["ack"], transaction="t", requeue="false")
    assert simulated.queue("b").unacked_count == 3
    client.send("COMMIT", transaction="t")
    assert simulated.queue("b").unacked_count == 1


def test_aborted_acknowledgements_can_be_made_again(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/b", ack="client")
    (message,) = client.send("SEND", b"x", destination="/queue/b")
    client.send("BEGIN", transaction="t")
    client.send("ACK", id=message["ack"], transaction="t")
    client.send("ABORT", transaction="t")
    assert client.send("ACK", id=message["ack"]) == []
    assert simulated.queue("b").unacked_count == 0


def test_a_commit_that_is_refused_does_nothing(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/b", ack="client")
    (message,) = client.send("SEND", b"x", destination="/queue/b")
    fill(client)
    client.send("ACK", id=message["ack"], transaction="t")
    client.send("ACK", id=message["ack"])
    (answer,) = client.send("COMMIT", transaction="t", receipt="1")
    assert (answer["message"], answer["receipt-id"]) == ("Message not found", "1")
    assert simulated.queue("a").ready_count == 0
    assert client.send("COMMIT", transaction="t")[0]["message"] == "Bad transaction"


@pytest.mark.parametrize(
    ("first", "second", "is_refused"),
    [
        ("all 2", "all 1", True),
        ("all 2", "all 2", True),
        ("all 2", "one 1", True),
        ("all 1", "one 2", False),
        ("all 1", "all 2", False),
        ("one 2", "all 2", False),
        ("one 2", "all 1", False),
        ("one 1", "all 2", False),
        ("one 1", "one 1", True),
        ("one 2", "one 1", False),
    ],
)
def test_a_commit_settles_no_delivery_twice(connect: Connect, first: str, second: str, is_refused: bool) -> None:
    """In the order of delivery: all 1, one 1, all 2, one 2; `all` is a subscription that acknowledges cumulatively."""
    client = connect()
    client.send("BEGIN", transaction="t")
    client.send("SUBSCRIBE", id="all", destination="/queue/all", ack="client")
    client.send("SUBSCRIBE", id="one", destination="/queue/one", ack="client-individual")
    ids: dict[str, str] = {}
    for number in (1, 2):
        for name in ("all", "one"):
            ids[f"{name} {number}"] = client.send("SEND", b"x", destination=f"/queue/{name}")[0]["ack"]
    for each in (first, second):
        client.send("ACK", id=ids[each], transaction="t")
    (answer,) = client.send("COMMIT", transaction="t", receipt="1")
    assert answer.command == ("ERROR" if is_refused else "RECEIPT")


class CountedTag(int):
    """A delivery tag that counts how often it is compared with others."""

    compared = 0

    def __le__(self, other: int) -> bool:
        CountedTag.compared += 1
        return int(self) <= other

    def __gt__(self, other: int) -> bool:
        CountedTag.compared += 1
        return int(self) > other


@pytest.mark.interpreted("counts comparisons of tags of its own, which the compiled form takes for numbers")
def test_a_commit_looks_at_no_delivery_for_each_acknowledgement(
    connect: Connect, simulated: SimulatedBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cumulative ones cost what they settle, not what is unacknowledged behind."""
    monkeypatch.setattr(CountedTag, "compared", 0)
    client = connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/b", ack="client")
    messages = [client.send("SEND", b"x", destination="/queue/b")[0] for _ in range(100)]
    client.send("BEGIN", transaction="t")
    for message in messages[:50]:
        client.send("ACK", id=message["ack"], transaction="t")
    unacked = client.session.deliveries.unacked
    counted: dict[int, Delivery] = {CountedTag(tag): delivery for tag, delivery in unacked.items()}
    unacked.clear()
    unacked.update(counted)
    assert receipts(client.send("COMMIT", transaction="t", receipt="1")) == ["1"]
    assert simulated.queue("b").unacked_count == 50
    assert 50 <= CountedTag.compared <= 150, "each once when it is settled, and one that isn't"


def test_a_permission_lost_before_the_commit(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.send("SEND", b"x", destination="/queue/b")
    client.send("BEGIN", transaction="t")
    client.send("SEND", b"1", destination="/queue/b", transaction="t")
    client.send("SEND", b"2", destination="/exchange/amq.direct/k", transaction="t")
    simulated.broker.users.set_permissions("guest", "/", ".*", "amq.default", ".*")
    (answer,) = client.send("COMMIT", transaction="t", receipt="1")
    assert (answer["message"], answer["receipt-id"]) == ("access_refused", "1")
    assert simulated.queue("b").ready_count == 1


def test_a_full_queue_is_told_at_the_commit(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    arguments = {"x_max_length": "1", "x_overflow": "reject-publish"}
    client.send("BEGIN", transaction="t")
    for _ in range(2):
        client.send("SEND", b"x", destination="/queue/b", transaction="t", **arguments)
    (answer,) = client.send("COMMIT", transaction="t", receipt="1")
    assert (answer["message"], answer["receipt-id"]) == ("Message refused", "1")
    assert simulated.queue("b").ready_count == 1


def test_atomic_across_queues_and_a_crash(tmp_path: Path) -> None:
    broker = SimulatedBroker(tmp_path)
    client = StompClient(broker).connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/in", ack="client")
    (message,) = client.send("SEND", b"in", destination="/queue/in", persistent="true")
    broker.commits_by_itself = False
    client.send("BEGIN", transaction="t")
    client.send("ACK", id=message["ack"], transaction="t")
    client.send("SEND", b"out", destination="/queue/out", persistent="true", transaction="t")
    assert client.send("COMMIT", transaction="t", receipt="1") == []
    broker.begin_commit()
    broker.finish_commit()
    broker.settle()
    assert client.answers()[0]["receipt-id"] == "1"
    broker.crash()
    assert [broker.queue(name).ready_count for name in ("in", "out")] == [0, 1]
    broker.close()


def test_what_is_not_committed_is_gone_after_a_crash(tmp_path: Path) -> None:
    broker = SimulatedBroker(tmp_path)
    client = StompClient(broker).connect()
    fill(client)
    broker.crash()
    assert broker.queue("a").ready_count == 0
    broker.close()


# Receipts of what is in a transaction


def receipts(answers: list[Answer]) -> list[str]:
    assert all(answer.command == "RECEIPT" for answer in answers), answers
    return [answer["receipt-id"] for answer in answers]


def test_receipts_of_frames_come_at_commit_before_its_own(connect: Connect) -> None:
    client = connect()
    (message,) = client.send("SUBSCRIBE", id="1", destination="/queue/b", ack="client-individual") + client.send(
        "SEND", b"x", destination="/queue/b"
    )
    assert receipts(client.send("BEGIN", transaction="t", receipt="begin")) == ["begin"]
    assert client.send("SEND", b"1", destination="/queue/a", transaction="t", receipt="1") == []
    assert client.send("ACK", id=message["ack"], transaction="t", receipt="2") == []
    assert client.send("SEND", b"3", destination="/queue/a", transaction="t") == []
    assert client.send("SEND", b"4", destination="/queue/a", transaction="t", receipt="4") == []
    assert receipts(client.send("COMMIT", transaction="t", receipt="commit")) == ["1", "2", "4", "commit"]


def test_they_come_if_commit_asks_for_none(connect: Connect) -> None:
    client = connect()
    client.send("BEGIN", transaction="t")
    client.send("SEND", b"1", destination="/queue/a", transaction="t", receipt="1")
    assert receipts(client.send("COMMIT", transaction="t")) == ["1"]


@pytest.mark.parametrize("command", ["ABORT", "BEGIN"])
def test_they_never_come_for_what_was_given_up(connect: Connect, command: str) -> None:
    client = connect()
    client.send("BEGIN", transaction="t")
    client.send("SEND", b"1", destination="/queue/a", transaction="t", receipt="1")
    assert receipts(client.send(command, transaction="t", receipt="2")) == ["2"]
    client.send("BEGIN", transaction="t")
    assert receipts(client.send("COMMIT", transaction="t", receipt="3")) == ["3"]


def test_transactions_keep_their_receipts_apart(connect: Connect) -> None:
    client = connect()
    for name in ("t", "u"):
        client.send("BEGIN", transaction=name)
        client.send("SEND", b"1", destination="/queue/a", transaction=name, receipt=f"{name}-1")
    assert receipts(client.send("COMMIT", transaction="u", receipt="u")) == ["u-1", "u"]
    assert receipts(client.send("COMMIT", transaction="t", receipt="t")) == ["t-1", "t"]


def test_a_frame_that_is_refused_has_no_receipt(connect: Connect) -> None:
    client = connect()
    client.send("BEGIN", transaction="t")
    (answer,) = client.send("SEND", b"1", destination="/nonsense/a", transaction="t", receipt="1")
    assert (answer.command, answer["receipt-id"]) == ("ERROR", "1")
    assert receipts(client.send("COMMIT", transaction="t", receipt="2")) == ["2"]


def test_they_wait_for_the_disk(tmp_path: Path) -> None:
    simulated = SimulatedBroker(tmp_path)
    client = StompClient(simulated).connect()
    client.send("SUBSCRIBE", id="1", destination="/queue/a")
    simulated.settle()
    simulated.commits_by_itself = False
    client.send("BEGIN", transaction="t")
    client.send("SEND", b"1", destination="/queue/d", persistent="true", transaction="t", receipt="1")
    assert client.send("COMMIT", transaction="t", receipt="2") == []
    simulated.begin_commit()
    simulated.finish_commit()
    simulated.settle()
    assert receipts(client.answers()) == ["1", "2"]
    simulated.close()


def test_or_they_come_at_once(simulated: SimulatedBroker) -> None:
    client = StompClient(simulated, StompSettings(receipts_at_commit=False)).connect()
    (message,) = client.send("SUBSCRIBE", id="1", destination="/queue/b", ack="client-individual") + client.send(
        "SEND", b"x", destination="/queue/b"
    )
    client.send("BEGIN", transaction="t")
    assert receipts(client.send("SEND", b"1", destination="/queue/a", transaction="t", receipt="1")) == ["1"]
    assert receipts(client.send("ACK", id=message["ack"], transaction="t", receipt="2")) == ["2"]
    assert simulated.queue("a").ready_count == 0
    assert receipts(client.send("COMMIT", transaction="t", receipt="3")) == ["3"]
    client.transport.lose()
