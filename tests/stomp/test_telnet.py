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
        assert comparable(screen.screen) == comparable(documented(name)), screen.screen
        assert "Traceback" not in broker.log.read_text()
