"""Help for people at a keyboard (friendly.py)."""

from __future__ import annotations

from tests.adapters.stomp.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import StompClient
from warren.adapters.stomp.codec.frames import CLIENT_COMMANDS
from warren.adapters.stomp.friendly import EXAMPLES, HELP_TEXT
from warren.adapters.stomp.settings import StompSettings

FRIENDLY = StompSettings(friendly=True)


def typed(client: StompClient, *lines: str) -> None:
    for line in lines:
        client.transport.receive(f"{line}\r\n".encode())
    client.simulated.settle()


def test_help_comes_without_logging_in(accept: Connect) -> None:
    client = accept()
    typed(client, "HELP")
    assert client.transport.take().decode() == HELP_TEXT.replace("\n", "\r\n")


def test_help_names_every_command() -> None:
    for command in CLIENT_COMMANDS:
        assert command == "STOMP" or command in HELP_TEXT
        assert command in EXAMPLES or command == "DISCONNECT"
    assert max(map(len, HELP_TEXT.splitlines())) <= 120


def test_a_session_by_hand_after_help(accept: Connect) -> None:
    client = accept()
    typed(client, "HELP")
    client.transport.take()
    typed(client, "connect", "")
    assert client.answers()[0].command == "CONNECTED"
    typed(client, "SUBSCRIBE", "destination: /queue/greetings", "id: 1", "")
    assert client.answers() == []
    typed(client, "SEND", "destination:/queue/greetings", "", "Good morning!", "How are you?", ".")
    (message,) = client.answers()
    assert message.body == b"Good morning!\nHow are you?"
    typed(client, "SEND", "destination:/queue/greetings", "", "As ever")
    client.transport.receive(b"\0\r\n")
    client.simulated.settle()
    assert client.answers()[0].body == b"As ever"


def test_friendly_by_configuration(accept: Connect) -> None:
    client = accept(FRIENDLY)
    typed(client, "CONNECT", "login: guest", "passcode: guest", "")
    assert client.answers()[0]["version"] == "1.0"
    typed(client, "SEND", "destination:a", "receipt:1", "", "hello", ".")
    assert client.answers()[0]["receipt-id"] == "1"


def test_programs_are_not_mistaken_for_people(accept: Connect, simulated: SimulatedBroker) -> None:
    client = accept(FRIENDLY)
    client.send_bytes(b"CONNECT\r\naccept-version:1.2\r\n\r\n\0")
    client.send_bytes(b"SEND\r\ndestination:/queue/a\r\n\r\none\r\n.\r\ntwo\0")
    (message,) = simulated.queue("a").browse(0, 1)
    assert message.body == b"one\r\n.\r\ntwo"


def test_errors_carry_hints(accept: Connect) -> None:
    client = accept()
    typed(client, "HELP", "SEND", "destination:a", "", "x", ".")
    client.transport._sent = bytearray(client.transport._sent.replace(HELP_TEXT.replace("\n", "\r\n").encode(), b""))
    (answer,) = client.answers()
    assert answer.body.endswith(b"\nHint: type CONNECT and an empty line first; HELP lists the commands\n")
    typed(client, "CONNECT", "")
    client.answers()
    typed(client, "SUBSCRIBE", "id:1", "")
    (answer,) = client.answers()
    assert answer.body.endswith(
        b"\nHint: SUBSCRIBE, destination:/queue/greetings, id:1, then an empty line; HELP lists the commands\n"
    )
    typed(client, "hello")
    (answer,) = client.answers()
    assert answer["message"] == "Bad command"
    assert answer.body.endswith(b"Hint: HELP lists the commands\n")
    assert not client.closed


def test_programs_get_no_hints(accept: Connect) -> None:
    (answer,) = accept().send("SEND")
    assert b"Hint" not in answer.body


def test_people_have_more_time_to_log_in(accept: Connect, simulated: SimulatedBroker) -> None:
    client = accept()
    typed(client, "HELP")
    simulated.advance(119_000)
    assert not client.closed
    simulated.advance(1_000)
    assert client.closed


def test_heads_typed_are_not_taken_for_known_ones(accept: Connect, simulated: SimulatedBroker) -> None:
    client = accept().connect()
    for _ in range(3):
        client.send_bytes(b"SEND\ndestination:/queue/a\n\nx\0")
    typed(client, "HELP")
    client.transport.take()
    client.send_bytes(b"SEND\ndestination:/queue/a\n\ntyped\n.\n")
    assert [message.body for message in simulated.queue("a").browse(0, 9)] == [b"x"] * 3 + [b"typed"]
