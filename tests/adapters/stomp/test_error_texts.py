"""What ERROR frames say: the `message` and the sentence of RabbitMQ's plugin, as programs compare them (spec B.9).

What stands here has been said by RabbitMQ.  A hint may follow the sentence, unless `stomp_bare_errors` is set.
"""

from __future__ import annotations

import pytest

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import Answer, StompClient, frame
from warren.adapters.stomp.codec.errors import StompError, of_broker
from warren.adapters.stomp.settings import StompSettings
from warren.core.errors import AccessRefused, BrokerError, NotFound, PreconditionFailed

SUBSCRIBED = frame("SUBSCRIBE", id="1", destination="/queue/x")
TYPES = "Valid destination types are: /temp-queue, /exchange, /topic, /queue, /amq/queue, /reply-queue/."

CASES: dict[str, tuple[bytes, str, str]] = {
    **{
        f"{command} {destination!r}": (
            frame(command, id="1", destination=destination),
            "Invalid destination",
            f"'{rest}' is not a valid {kind} destination",
        )
        for command in ("SEND", "SUBSCRIBE")
        for destination, rest, kind in (
            ("/queue", "", "queue"),
            ("/topic", "", "topic"),
            ("/exchange", "", "exchange"),
            ("/amq/queue", "", "amqqueue"),
            ("/temp-queue", "", "temp_queue"),
            ("/queue/", "/", "queue"),
            ("/topic/", "/", "topic"),
            ("/exchange/", "/", "exchange"),
            ("/amq/queue/", "/", "amqqueue"),
            ("/temp-queue/", "/", "temp_queue"),
            ("/queue/a/b", "/a/b", "queue"),
            ("/exchange//x", "//x", "exchange"),
        )
    },
    **{
        f"{command} to or from nowhere {destination!r}": (
            frame(command, id="1", destination=destination),
            "Unknown destination",
            f"'{destination}' is not a valid destination.\n{TYPES}",
        )
        for command in ("SEND", "SUBSCRIBE")
        for destination in ("/nonsense/x", "/reply-queue", "/queues/x")
    },
    **{
        f"{command} {what}": (frame(command, **headers), message, sentence.format(command))
        for command in ("SEND", "SUBSCRIBE")
        for what, headers, message, sentence in (
            ("blank", {"id": "1", "destination": ""}, "Invalid destination", "Destination cannot be blank"),
            (
                "temporary",
                {"id": "1", "destination": "/temp-queue/x"},
                "Invalid destination",
                "'/temp-queue/x' is not a valid destination for '{}'",
            ),
            ("without", {"id": "1"}, "Missing destination", "\"{}\" must include a 'destination' header"),
        )
    },
    "subscribed already": (
        SUBSCRIBED + SUBSCRIBED,
        "Duplicated subscription identifier",
        "A subscription identified by 'T_1' already exists.",
    ),
    "durable without id": (
        frame("SUBSCRIBE", destination="/topic/x", durable="true"),
        "Missing Header",
        "Header 'id' is required for durable subscriptions",
    ),
    "unsubscribing nothing": (
        frame("UNSUBSCRIBE", id="7"),
        "No subscription found",
        "UNSUBSCRIBE must refer to an existing subscription.\nSubscription to \"id='7'\" not found.",
    ),
    "unsubscribing without id": (
        frame("UNSUBSCRIBE"),
        "Missing destination or id",
        "UNSUBSCRIBE must include a 'destination' or 'id' header",
    ),
    **{
        f"{command} {what}": (frame(command, **headers), message, sentence.format(command))
        for command in ("ACK", "NACK")
        for what, headers, message, sentence in (
            ("without id", {}, "Missing header", '"{}" must include the "id" header'),
            ("of nonsense", {"id": "7"}, "Invalid header", '"{}" must include a valid "id" header'),
            (
                "of no subscription",
                {"id": "T_1@@session-x@@1"},
                "Subscription not found",
                'Message with id "T_1@@session-x@@1" has no subscription',
            ),
        )
    },
    **{
        f"{command} without name": (
            frame(command),
            "Missing transaction",
            f"\"{command}\" must include a 'transaction' header",
        )
        for command in ("BEGIN", "COMMIT", "ABORT")
    },
    **{
        f"{command} of no transaction": (
            frame(command, destination="/queue/x", transaction="t"),
            "Bad transaction",
            'Invalid transaction identifier: "t"',
        )
        for command in ("SEND", "COMMIT", "ABORT")
    },
    "no such command": (frame("NONSENSE"), "Bad command", 'Could not interpret command "NONSENSE"'),
    "no exchange": (
        frame("SEND", destination="/exchange/missing/k"),
        "not_found",
        "NOT_FOUND - no exchange 'missing' in vhost '/'",
    ),
    "no queue": (
        frame("SUBSCRIBE", id="1", destination="/amq/queue/missing"),
        "not_found",
        "NOT_FOUND - no queue 'missing' in vhost '/'",
    ),
}

BEFORE_LOGIN: dict[str, tuple[bytes, str, str]] = {
    "not logged in": (frame("SEND", destination="/queue/x"), "Illegal command", "You must log in using CONNECT first"),
    "no such version": (
        frame("CONNECT", accept_version="9.9", host="/"),
        "Version mismatch",
        "Supported versions are 1.0,1.1,1.2",
    ),
    "a wrong password": (
        frame("CONNECT", accept_version="1.2", host="/", login="guest", passcode="wrong"),
        "Bad CONNECT",
        "Access refused for user 'guest'",
    ),
    "no such virtual host": (
        frame("CONNECT", accept_version="1.2", host="nowhere", login="guest", passcode="guest"),
        "Bad CONNECT",
        "Virtual host 'nowhere' access denied",
    ),
}

LATE_MS = 60_000
"""Refused logins are told of late."""


def errors(simulated: SimulatedBroker, client: StompClient, sent: bytes) -> list[Answer]:
    answers = client.send_bytes(sent)
    simulated.advance(LATE_MS)
    return [answer for answer in answers + client.answers() if answer.command == "ERROR"][:1]


def parameters() -> list[object]:
    return [
        pytest.param(*case, logs_in, id=name)
        for cases, logs_in in ((CASES, True), (BEFORE_LOGIN, False))
        for name, case in cases.items()
    ]


@pytest.mark.parametrize("bare", [False, True])
@pytest.mark.parametrize(("sent", "message", "sentence", "logs_in"), parameters())
def test_the_table(
    simulated: SimulatedBroker, sent: bytes, message: str, sentence: str, logs_in: bool, bare: bool
) -> None:
    client = StompClient(simulated, StompSettings(bare_errors=bare))
    if logs_in:
        client.connect()
    (error,) = errors(simulated, client, sent)
    body = error.body.decode().removesuffix("\n")
    assert error["message"] == message
    if bare:
        assert body == sentence
    else:
        hinted = f"{sentence} " if sentence.endswith(".") else f"{sentence}; "
        assert body == sentence or body.startswith(hinted)
    client.transport.lose()


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (NotFound("no queue 'a; b' in vhost '/'"), "NOT_FOUND - no queue 'a; b' in vhost '/'"),
        (PreconditionFailed("queue 'q' in use; it has 1 consumer(s)"), "PRECONDITION_FAILED - queue 'q' in use"),
        (AccessRefused("a;b; a hint; and another"), "ACCESS_REFUSED - a;b"),
        (PreconditionFailed("it's; a hint"), "PRECONDITION_FAILED - it's"),
        (PreconditionFailed(""), "PRECONDITION_FAILED - "),
    ],
)
def test_where_a_sentence_of_core_ends(error: BrokerError, sentence: str) -> None:
    told = of_broker(error)
    assert (told.sentence, told.detail, told.fatal) == (sentence, error.reply_text, True)


def test_an_error_without_hint_is_its_sentence() -> None:
    error = StompError("Message", "sentence")
    assert (error.sentence, error.detail) == ("sentence", "sentence")


def test_the_server_is_the_first_header_of_connected(simulated: SimulatedBroker) -> None:
    client = StompClient(simulated)
    (connected,) = client.send("CONNECT", accept_version="1.2", host="/", heart_beat="5000,6000")
    names = [line.partition(":")[0] for line in connected.lines]
    assert names == ["server", "session", "heart-beat", "version"]
    client.transport.lose()
