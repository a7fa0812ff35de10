"""Whole sessions typed into a real telnet client, as README.md and docs/stomp.md show them."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from tests.support.terminal import Terminal, terminal
from tests.support.warren_process import REPOSITORY, warren_process

DOCUMENTS = [REPOSITORY / "docs" / "stomp.md", REPOSITORY / "README.md"]

Steps = list[tuple[str, str]]
"""What is typed, and what appears then."""

BY_HAND: Steps = [
    ("CONNECT\naccept-version:1.2\nlogin:guest\npasscode:guest\n\n\0\n", "server:"),
    ("SUBSCRIBE\nid:1\ndestination:/queue/greetings\nack:client\nreceipt:subscribed\n\n\0\n", "receipt-id:subscribed"),
    ("SEND\ndestination:/queue/greetings\n\nGood morning!\0\n", "content-length:13\n\nGood morning!"),
    ("SEND\nreceipt:1\n\nWhere to?\0\n", "'destination' header"),
    ("DISCONNECT\nreceipt:bye\n\n\0\n", "Connection closed by foreign host."),
]

FRIENDLY: Steps = [
    ("HELP\n", "  Good morning!\n  .\n"),
    ("connect\n\n", "server:"),
    ("subscribe\ndestination: /queue/greetings\nid: 1\nreceipt: yes\n\n", "receipt-id:yes"),
    ("send\ndestination: /queue/greetings\n\nGood morning!\nHow are you?\n.\n", "How are you?\n"),
    ("How are you?\n", "HELP lists the commands"),
    ("send\ndestination: greetings/you\n\nHello\n.\n", "HELP lists the commands"),
    ("disconnect\n\n", "Connection closed by foreign host."),
]


TYPED_AT_ONCE: Steps = [
    ("CONNECT\n\n", "server:"),
    ("SUBSCRIBE\ndestination: /queue/greetings\nid: 1\n\n", ""),
    ("SEND\ndestination: /queue/greetings\n\nGood morning!\n.\n", "content-length:13\n\nGood morning!\n"),
    ("SEND\n\nWhere to?\n.\n", "HELP lists the commands"),
    ("DISCONNECT\n\n", "Connection closed by foreign host."),
]


STRANGER: Steps = [
    ("hello\n", "  Good morning!\n  .\n"),
    ("connect\n\n", "server:"),
    ("subscribe\ndestination /queue/greetings\n", "write name:value"),
    ("destination:/queue/greetings\nid:1\nack:client\nreceipt:yes\n\n", "receipt-id:yes"),
    ("send\ndestination:/queue/greetings\n\nGood morning!\n.\n", "Good morning!\n"),
    ("ack\n\n", "Hint: ACK, message-id: and its value in the MESSAGE, then an empty line; HELP lists the commands"),
    ("quit\n", "Connection closed by foreign host."),
]


def play(screen: Terminal, steps: Steps) -> None:
    for typed, shown in steps:
        screen.type(typed)
        screen.wait_for(typed.replace("\0", "^@"))
        screen.wait_for(shown)


def documented(name: str) -> str:
    """The transcript of this name in one of the documents."""
    for document in DOCUMENTS:
        found = re.search(rf"<!-- transcript: {name} -->\n```console\n(.*?)```\n", document.read_text(), re.DOTALL)
        if found is not None:
            return found[1]
    raise AssertionError(f"there is no transcript called {name}")


def comparable(text: str) -> str:
    """A transcript without what differs from run to run."""
    text = re.sub(r"session-[0-9a-f-]{36}", "session-...", text)
    text = re.sub(r"server:\S+", "server:...", text)
    text = re.sub(r"\n+", "\n", text)
    return text.partition("Escape character is '^]'.\n")[2].strip()


@pytest.mark.skipif(shutil.which("telnet") is None, reason="telnet isn't installed (Debian: inetutils-telnet)")
@pytest.mark.parametrize(
    ("name", "steps", "options"),
    [
        ("by hand", BY_HAND, []),
        ("friendly", FRIENDLY, []),
        ("", STRANGER, []),
        ("readme", TYPED_AT_ONCE, ["--set", "stomp.friendly=true"]),
    ],
)
def test_a_session_by_telnet(name: str, steps: Steps, options: list[str], tmp_path: Path) -> None:
    with (
        warren_process(in_memory=True, listen=["stomp=127.0.0.1:0"], options=options, parent=tmp_path) as broker,
        terminal(["telnet", "127.0.0.1", str(broker.addresses["stomp"][1])]) as screen,
    ):
        screen.wait_for("Escape character is '^]'.")
        play(screen, steps)
        if name:
            assert comparable(screen.screen) == comparable(documented(name)), screen.screen
        assert "Traceback" not in broker.log.read_text()


@pytest.mark.skipif(shutil.which("telnet") is None, reason="telnet isn't installed (Debian: inetutils-telnet)")
@pytest.mark.parametrize(("protocol", "title"), [("mqtt", "MQTT"), ("amqp", "AMQP"), ("amqp10", "AMQP 1.0")])
def test_text_typed_at_another_port(protocol: str, title: str, tmp_path: Path) -> None:
    with (
        warren_process(in_memory=True, listen=[f"{protocol}=127.0.0.1:0"], parent=tmp_path) as broker,
        terminal(["telnet", "127.0.0.1", str(broker.addresses[protocol][1])]) as screen,
    ):
        screen.wait_for("Escape character is '^]'.")
        screen.type("hello\n")
        screen.wait_for(
            f"This port speaks {title}, which is for programs. What can be typed is STOMP, which has a port"
        )
        screen.wait_for("Connection closed by foreign host.")


@pytest.mark.skipif(shutil.which("telnet") is None, reason="telnet isn't installed (Debian: inetutils-telnet)")
def test_telnet_that_introduces_itself(tmp_path: Path) -> None:
    """Told to negotiate, telnet does so before anybody has typed; to a port for everything, too."""
    with (
        warren_process(in_memory=True, listen=["auto=127.0.0.1:0"], parent=tmp_path) as broker,
        terminal(["telnet", "127.0.0.1", str(broker.addresses["auto"][1])]) as screen,
    ):
        screen.wait_for("Escape character is '^]'.")
        screen.wait_until_a_line_ends_at("\x1d")
        screen.type("\x1d")
        screen.wait_for("telnet> ")
        screen.type("send do echo\n")
        screen.wait_for("This is Warren, and it speaks STOMP")
        screen.type("connect\n\n")
        screen.wait_for("version:1.0")
        screen.type("quit\n")
        screen.wait_for("Connection closed by foreign host.")
