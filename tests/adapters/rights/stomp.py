"""What is done by STOMP, by which rights, and what is said without one of them."""

from __future__ import annotations

from functools import partial

from tests.adapters.rights.operation import ANY, PASSWORD, USER, Operation, configure, read, write
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import StompClient


def stomp_client(broker: SimulatedBroker) -> StompClient:
    return StompClient(broker).connect("1.2", login=USER, passcode=PASSWORD, host="/")


def stomp(command: str, broker: SimulatedBroker, **headers: str) -> str:
    (answer,) = stomp_client(broker).send(command, b"", receipt="done", **headers)
    return "allowed" if answer.command == "RECEIPT" else f"ERROR {answer['message']}"


def stomp_enter(broker: SimulatedBroker) -> str:
    (answer,) = StompClient(broker).send("CONNECT", accept_version="1.2", login=USER, passcode=PASSWORD, host="/")
    return "allowed" if answer.command == "CONNECTED" else f"ERROR {answer['message']}"


def stomp_transaction(broker: SimulatedBroker) -> str:
    client = stomp_client(broker)
    client.send("BEGIN", transaction="t")
    answers = client.send("SEND", b"body", destination="/exchange/x/bound", transaction="t")
    answers += client.send("COMMIT", transaction="t", receipt="done")
    errors = [answer for answer in answers if answer.command == "ERROR"]
    return f"ERROR {errors[0]['message']}" if errors else "allowed"


STOMP_REFUSED = "ERROR access_refused"

STOMP = (
    Operation("enter", stomp_enter, (), "ERROR Bad CONNECT"),
    Operation(
        "SEND to a queue",
        partial(stomp, "SEND", destination="/queue/new"),
        (configure("queue", "new"), write("exchange", "amq.default")),
        STOMP_REFUSED,
    ),
    Operation(
        "SEND to an exchange",
        partial(stomp, "SEND", destination="/exchange/x/bound"),
        (write("exchange", "x"),),
        STOMP_REFUSED,
    ),
    Operation(
        "SEND to a topic",
        partial(stomp, "SEND", destination="/topic/k"),
        (write("exchange", "amq.topic"), ("write", "topic", "amq.topic", "k")),
        STOMP_REFUSED,
    ),
    Operation("COMMIT", stomp_transaction, (write("exchange", "x"),), STOMP_REFUSED),
    Operation(
        "SUBSCRIBE to a queue",
        partial(stomp, "SUBSCRIBE", destination="/queue/new", id="1"),
        (configure("queue", "new"), read("queue", "new")),
        STOMP_REFUSED,
    ),
    Operation(
        "SUBSCRIBE to a queue that is there",
        partial(stomp, "SUBSCRIBE", destination="/amq/queue/q", id="1"),
        (read("queue", "q"),),
        STOMP_REFUSED,
    ),
    Operation(
        "SEND to a queue that is there",
        partial(stomp, "SEND", destination="/amq/queue/q"),
        (write("exchange", "amq.default"),),
        STOMP_REFUSED,
    ),
    Operation(
        "SUBSCRIBE to an exchange",
        partial(stomp, "SUBSCRIBE", destination="/exchange/x/k", id="1"),
        (configure("queue", ANY), write("queue", ANY), read("queue", ANY), read("exchange", "x")),
        STOMP_REFUSED,
    ),
    Operation(
        "SUBSCRIBE to a stream",
        partial(stomp, "SUBSCRIBE", destination="/amq/queue/s", id="1", ack="client", prefetch_count="5"),
        (read("queue", "s"),),
        STOMP_REFUSED,
    ),
    Operation(
        "SUBSCRIBE to a topic",
        partial(stomp, "SUBSCRIBE", destination="/topic/k", id="1"),
        (
            configure("queue", ANY),
            write("queue", ANY),
            read("queue", ANY),
            read("exchange", "amq.topic"),
            ("read", "topic", "amq.topic", "k"),
        ),
        STOMP_REFUSED,
    ),
)
