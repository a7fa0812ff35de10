"""Help for people at a keyboard (friendly.py)."""

from __future__ import annotations

import pytest

from tests.adapters.stomp.conftest import Connect
from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_stomp import StompClient
from warren.adapters.stomp.codec.escaping import V1_0, V1_2
from warren.adapters.stomp.codec.frames import CLIENT_COMMANDS
from warren.adapters.stomp.friendly import EXAMPLES, help_text
from warren.adapters.stomp.settings import StompSettings

HELP_TEXT = help_text(V1_0)

FRIENDLY = StompSettings(friendly=True)


def typed(client: StompClient, *lines: str) -> None:
    for line in lines:
        client.transport.receive(f"{line}\r\n".encode())
    client.simulated.settle()


def came(client: StompClient, data: bytes) -> None:
    client.transport.receive(data)
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
    typed(client, "good morning")
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


@pytest.mark.parametrize("word", ["help", "Help", "?", "hello", "hi", " HELP "])
@pytest.mark.parametrize("end", ["\r\n", "\n"])
def test_words_for_help(accept: Connect, word: str, end: str) -> None:
    client = accept()
    came(client, f"{word}{end}".encode())
    assert client.transport.take().decode() == HELP_TEXT.replace("\n", "\r\n")


def test_help_in_a_session_that_was_begun_as_programs_do(accept: Connect) -> None:
    client = accept().connect()
    typed(client, "help")
    assert client.transport.take().decode() == help_text(V1_2).replace("\n", "\r\n")
    typed(client, "send", "destination:/queue/a", "", "x", ".", "subscribe", "id:1", "destination:/queue/a", "")
    assert client.answers()[0].body == b"x"


def test_a_command_in_small_letters_is_to_be_typed_again(accept: Connect) -> None:
    client = accept()
    typed(client, "connect")
    told = client.transport.take().decode()
    assert told.startswith("'connect' is in small letters, so you are no program")
    assert "Type CONNECT once more, please.\r\n" in told
    assert told.endswith(HELP_TEXT.replace("\n", "\r\n"))
    typed(client, "connect", "")
    assert client.answers()[0].command == "CONNECTED"


def test_a_program_that_writes_small_letters_isnt_logged_in(accept: Connect, simulated: SimulatedBroker) -> None:
    client = accept()
    came(client, b"connect\naccept-version:1.2\nlogin:guest\npasscode:guest\n\n\0")
    came(client, b"send\ndestination:/queue/a\n\nx\0")
    assert b"CONNECTED" not in client.transport.take()
    assert "a" not in simulated.broker.vhosts["/"].queues


def test_small_letters_of_a_program_that_is_logged_in_are_an_error(accept: Connect) -> None:
    (answer,) = accept().connect().send("send", destination="/queue/a")
    assert answer["message"] == "Bad command"
    assert b"Hint" not in answer.body


def test_small_letters_by_configuration_are_fine_at_once(accept: Connect) -> None:
    client = accept(FRIENDLY)
    typed(client, "connect", "")
    assert client.answers()[0].command == "CONNECTED"


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 100])
def test_what_telnet_says_itself(accept: Connect, cut: int) -> None:
    client = accept()
    introduction = b"\xff\xfb\x1f\xff\xfd\x03\xff\xfa\x1f\x50\x18\xff\xf0"
    whole = introduction + b"connect\r\n\r\n"
    for start in range(0, len(whole), cut):
        came(client, whole[start : start + cut])
    sent = client.transport.take()
    help_sent = HELP_TEXT.replace("\n", "\r\n").encode()
    assert sent.startswith(help_sent), "at once, not only when something was typed"
    assert sent.removeprefix(help_sent).startswith(b"CONNECTED\n")
    came(client, b"subscribe\r\nid:1\r\ndestination:/queue/a\r\n\r\n")
    came(client, b"\xff\xf4\xff\xfd\x06send\r\ndestination:/queue/a\r\n\r\nan \xff\xff\xff\xf1x\r\n.\r\n")
    assert client.answers()[0].body == b"an \xffx"


def test_bytes_that_only_look_like_telnet_are_no_frame(accept: Connect) -> None:
    client = accept().connect()
    came(client, b"SEND\ndestination:/queue/a\nx:\xff\xfd\x03\n\nx\0")
    came(client, b"SUBSCRIBE\nid:1\ndestination:/queue/a\n\n\0")
    (message,) = client.answers()
    assert message["x"].encode("utf-8", "surrogateescape") == b"\xff\xfd\x03", "a program's bytes stay as they are"


def test_a_missing_colon_is_asked_for_again(accept: Connect) -> None:
    client = accept()
    typed(client, "HELP", "CONNECT", "")
    client.transport.take()
    typed(client, "SUBSCRIBE", "id:1", "destination /queue/a")
    assert client.transport.take() == (
        b"'destination /queue/a' is no header, and left out: write name:value, such as destination:/queue/greetings, "
        b"or an empty line behind the last header\r\n"
    )
    typed(client, "destination:/queue/a", "receipt:1", "")
    assert client.answers()[0]["receipt-id"] == "1"


def test_a_missing_colon_of_a_program_ends_its_connection(accept: Connect) -> None:
    client = accept().connect()
    came(client, b"SEND\ndestination /queue/a\n\nx\0")
    assert client.answers()[0]["message"] == "Framing error"
    assert client.closed


@pytest.mark.parametrize(("version", "header"), [("1.0", b"message-id:"), ("1.1", b"message-id:"), ("1.2", b"id:")])
def test_hints_fit_the_version(accept: Connect, version: str, header: bytes) -> None:
    client = accept()
    typed(client, "HELP", "CONNECT", f"accept-version:{version}", "")
    client.transport.take()
    typed(client, "ACK", "")
    (answer,) = client.answers()
    assert b"\nHint: ACK, " + header in answer.body
    typed(client, "HELP")
    told = client.transport.take()
    assert (b"the value of ack in the MESSAGE" in told) is (version == "1.2")


@pytest.mark.parametrize("word", ["quit", "QUIT", "exit", "bye"])
@pytest.mark.parametrize("logged_in", [False, True])
def test_quit(accept: Connect, simulated: SimulatedBroker, word: str, logged_in: bool) -> None:
    client = accept()
    if logged_in:
        client.connect()
        client.transport.take()
    typed(client, word)
    assert client.transport.take() == b"Goodbye.\r\n"
    assert client.closed


def test_the_timeout_speaks_of_help(accept: Connect, simulated: SimulatedBroker) -> None:
    client = accept()
    simulated.advance(10_000)
    (answer,) = client.answers()
    assert answer.body == (
        b"no CONNECT came within 10 s; connect again; who types it by hand types HELP first, and has two minutes\n"
    )
    client = accept()
    typed(client, "help")
    client.transport.take()
    simulated.advance(120_000)
    assert client.answers()[0].body.startswith(b"no CONNECT came within 120 s; ")
