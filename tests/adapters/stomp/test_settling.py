"""ACK and NACK (spec B.7)."""

from __future__ import annotations

import pytest

from tests.adapters.stomp.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import Answer, StompClient
from warren.adapters.stomp.codec.limits import NUMBER_DIGITS_MAX
from warren.adapters.stomp.settings import StompSettings


def receive(client: StompClient, count: int, mode: str, queue: str = "a", id: str = "1") -> list[Answer]:
    """Subscribe to a queue and put messages into it."""
    client.send("SUBSCRIBE", id=id, destination=f"/queue/{queue}", ack=mode)
    return [client.send("SEND", b"%d" % number, destination=f"/queue/{queue}")[0] for number in range(count)]


def name_of(client: StompClient, message: Answer) -> dict[str, str]:
    if client.version == "1.2":
        return {"id": message["ack"]}
    return {"message_id": message["message-id"], "subscription": message["subscription"]}


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
def test_client_acknowledges_everything_before(connect: Connect, simulated: SimulatedBroker, version: str) -> None:
    client = connect(version)
    messages = receive(client, 3, "client")
    client.send("ACK", **name_of(client, messages[1]))
    assert simulated.queue("a").unacked_count == 1
    (answer,) = client.send("ACK", receipt="1", **name_of(client, messages[0]))
    assert (answer["message"], answer["receipt-id"]) == ("Message not found", "1")
    assert not client.closed


@pytest.mark.parametrize("version", ["1.1", "1.2"])
def test_client_individual_acknowledges_one(connect: Connect, simulated: SimulatedBroker, version: str) -> None:
    client = connect(version)
    messages = receive(client, 3, "client-individual")
    client.send("ACK", **name_of(client, messages[1]))
    assert simulated.queue("a").unacked_count == 2


def test_cumulative_acknowledgements_reach_across_subscriptions(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    receive(client, 2, "client-individual", "a", "1")
    (message,) = receive(client, 1, "client", "b", "2")
    client.send("ACK", id=message["ack"])
    assert [simulated.queue(name).unacked_count for name in "ab"] == [0, 0]


def test_nack_returns_the_message(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    (message,) = receive(client, 1, "client")
    (again,) = client.send("NACK", id=message["ack"])
    assert again["redelivered"] == "true"
    assert again.body == message.body
    assert client.send("NACK", id=again["ack"], requeue="false") == []
    assert simulated.queue("a").ready_count == 0


def test_what_nack_does_by_itself_can_be_configured(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect("1.2", StompSettings(nack_requeues=False))
    (message,) = receive(client, 1, "client")
    assert client.send("NACK", id=message["ack"]) == []
    assert simulated.queue("a").ready_count + simulated.queue("a").unacked_count == 0


def test_a_discarded_message_is_dead_lettered(connect: Connect) -> None:
    client = connect()
    client.send("SUBSCRIBE", id="dead", destination="/queue/dead")
    arguments = {"x_dead_letter_exchange": "amq.direct", "x_dead_letter_routing_key": "k"}
    client.send("SUBSCRIBE", id="letters", destination="/exchange/amq.direct/k")
    client.send("SUBSCRIBE", id="1", destination="/queue/a", ack="client", **arguments)
    (message,) = client.send("SEND", b"acknowledged", destination="/queue/a")
    assert client.send("ACK", id=message["ack"]) == [], "no dead letter"
    (message,) = client.send("SEND", b"x", destination="/queue/a")
    (dead,) = client.send("NACK", id=message["ack"], requeue="false")
    assert dead["subscription"] == "letters"
    assert dead["destination"] == "/exchange/amq.direct/k"
    assert dead["x-first-death-reason"] == "rejected"
    assert dead["x-death"].startswith('[{"')


def test_messages_delivered_automatically_cannot_be_acknowledged(connect: Connect) -> None:
    client = connect()
    (message,) = receive(client, 1, "auto")
    (answer,) = client.send("ACK", id=message["message-id"])
    assert answer["message"] == "Message not found"


def test_another_sessions_message(connect: Connect, simulated: SimulatedBroker) -> None:
    client, other = connect(), connect()
    (message,) = receive(client, 1, "client")
    receive(other, 1, "client", "b")
    (answer,) = other.send("ACK", id=message["ack"], receipt="1")
    assert (answer["message"], answer["receipt-id"]) == ("Message not found", "1")
    assert [simulated.queue(name).unacked_count for name in "ab"] == [1, 1]


def test_an_id_with_separators_in_it(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    client.send("SUBSCRIBE", id="a@@b\\c", destination="/queue/a", ack="client")
    (message,) = client.send("SEND", b"x", destination="/queue/a")
    assert message["subscription"] == "a@@b:"
    assert client.send("ACK", id=message["ack"].replace(":", "\\c")) == []
    assert simulated.queue("a").unacked_count == 0


def test_what_was_delivered_can_be_settled_after_unsubscribing(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    first, second = receive(client, 2, "client-individual")
    client.send("UNSUBSCRIBE", id="1")
    client.send("ACK", id=first["ack"])
    client.send("NACK", id=second["ack"])
    assert (simulated.queue("a").ready_count, simulated.queue("a").unacked_count) == (1, 0)


MISSING = [
    ("1.2", "ACK", '"ACK" must include the "id" header; with the value of \'ack\' in the MESSAGE'),
    ("1.1", "NACK", '"NACK" must include the "message-id" header; with the value of \'message-id\' in the MESSAGE'),
]


@pytest.mark.parametrize(("version", "command", "text"), MISSING)
def test_without_an_id(connect: Connect, version: str, command: str, text: str) -> None:
    (answer,) = connect(version).send(command)
    assert (answer["message"], answer.body.decode().rstrip()) == ("Missing header", text)


@pytest.mark.parametrize("tag", ["", "x", "-1", "1.0", "\u0663", "1" * (NUMBER_DIGITS_MAX + 1)])
def test_an_id_that_is_none(connect: Connect, tag: str) -> None:
    client = connect()
    (message,) = receive(client, 1, "client")
    made = message["ack"].rpartition("@@")[0] + "@@" + tag
    for wrong in (made, "1", "T_1@@1"):
        (answer,) = client.send("ACK", id=wrong, receipt="1")
        sentence = '"ACK" must include a valid "id" header'
        text = f"{sentence}; '{wrong}' is no message id; copy it from the MESSAGE as it is"
        assert (answer["message"], answer.body.decode().rstrip()) == ("Invalid header", text)


def test_ids_that_mean_no_delivery(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    (message,) = receive(client, 1, "client")
    subscription, session, tag = message["ack"].split("@@")
    for wrong in (
        f"{subscription}@@{session}@@{int(tag) + 1}",
        f"{subscription}@@{session}@@{'0' * (NUMBER_DIGITS_MAX - 1)}7",
        f"{subscription}@@{session}x@@{tag}",
    ):
        (answer,) = client.send("ACK", id=wrong, receipt="1")
        assert answer["message"] == "Message not found"
        assert answer.body.decode().rstrip() == (
            f"'{wrong}' is not waiting for an acknowledgement in this session: it was settled before, "
            "delivered with ack:auto, or belongs to another session"
        )
    wrong = f"{subscription}x@@{session}@@{tag}"
    (answer,) = client.send("ACK", id=wrong, receipt="1")
    assert answer["message"] == "Subscription not found"
    assert answer.body.decode().rstrip() == (
        f'Message with id "{wrong}" has no subscription; '
        "there is none of this id in this session that a message waits for"
    )
    assert simulated.queue("a").unacked_count == 1
    zeros = "0" * (NUMBER_DIGITS_MAX - len(tag))
    assert client.send("ACK", id=f"{subscription}@@{session}@@{zeros}{tag}") == []
    assert simulated.queue("a").unacked_count == 0
