"""Every case of `cases/*.toml` against the broker: the bytes in one piece, and one octet at a time.

A case has these keys:

    name      what is wrong with the bytes
    clause    where it is said what the answer is
    after     how far the client has come: "connect", "start", "tune" or "open" (with channel 1 open)
    frame_max what was negotiated, for cases after "open"
    send      the bytes, in the notation of notation.py
    answer    what the broker does, or a list of what it may do:
                "header"                       `AMQP` 0 0 9 1 and the end of the socket
                "header 1.0"                   `AMQP` 3 1 0 0: AMQP 1.0 behind SASL, which is asked for there
                "end"                          the end of the socket, nothing else
                "connection.close CODE TEXT"   with a text that contains TEXT; then the end
                "channel.close CODE TEXT"      the connection and its other channels go on
                "fine"                         nothing: the channel goes on
                a method's name                that method
    rabbitmq  the answer of Debian's RabbitMQ 3.10 where it is another one, with the reason in `because`

After each case the broker serves a fresh connection, and nothing of a traceback is in its log (see
conftest.py).
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import amqp_bytes as wire
from tests.support.amqp_wire import Close, DisconnectedError, WireClient, start_ok
from tests.support.brokers import Broker
from tests.wire.notation import octets

CASES = Path(__file__).with_name("cases")

OCTET_BY_OCTET_BYTES_MAX = 3000
"""Longer cases are about size, not about structure."""

WHOLE, OCTET_BY_OCTET = "whole", "octet by octet"

SPARE_CHANNEL = 2
"""Open beside the case's channel 1, to see whether the rest of the connection goes on."""


@dataclass(frozen=True)
class Case:
    """One entry of a case file."""

    after: str
    send: bytes
    answers: list[str]
    frame_max: int

    @classmethod
    def of(cls, entry: dict[str, Any], broker: str) -> Case:
        answer = entry.get("rabbitmq", entry["answer"]) if broker == "rabbitmq" else entry["answer"]
        answers = answer if isinstance(answer, list) else [answer]
        return cls(entry["after"], octets(entry["send"]), answers, entry.get("frame_max", 131072))


KEYS = {"name", "clause", "after", "frame_max", "send", "answer", "rabbitmq", "because"}


def parameters() -> list[Any]:
    """Entry and way of sending, for all cases of all files."""
    found = []
    for file in sorted(CASES.glob("*.toml")):
        for entry in tomllib.loads(file.read_text())["case"]:
            assert entry.keys() <= KEYS, entry
            name = f"{file.stem}: {entry['name']}"
            found.append(pytest.param(entry, WHOLE, id=name))
            if len(octets(entry["send"])) <= OCTET_BY_OCTET_BYTES_MAX:
                found.append(pytest.param(entry, OCTET_BY_OCTET, id=f"{name}, {OCTET_BY_OCTET}"))
    return found


@pytest.mark.parametrize(("entry", "way"), parameters())
def test_case(broker: Broker, entry: dict[str, Any], way: str) -> None:
    case = Case.of(entry, broker.name)
    pieces = [case.send] if way == WHOLE else [bytes([octet]) for octet in case.send]
    with WireClient(broker.address) as client:
        reach(client, case)
        for piece in pieces:
            client.send_if_open(piece)
        heard = listen(client, case)
    assert heard.encode(), "a text for people is UTF-8"
    assert any(matches(heard, answer) for answer in case.answers), f"{heard}, expected {case.answers}"


def reach(client: WireClient, case: Case) -> None:
    """Brings the client to where the case begins."""
    if case.after == "open":
        client.handshake(frame_max=case.frame_max)
        client.open_channel(1)
        client.open_channel(SPARE_CHANNEL)
    elif case.after != "connect":
        client.start()
        if case.after == "tune":
            client.send(start_ok())
            client.expect("connection.tune", 0)


def listen(client: WireClient, case: Case) -> str:
    """What the broker answers, in the words of a case's `answer`."""
    if case.after == "connect":
        return listen_for_header(client)
    if case.after == "open":
        client.send_if_open(wire.method(SPARE_CHANNEL, "channel.flow", wire.bits(True)))
    try:
        frame = client.read_frame()
    except DisconnectedError:
        return "end"
    if frame.name == "connection.close":
        client.send_if_open(wire.method(0, "connection.close-ok"))
        client.expect_end()
    elif frame.name == "channel.close":
        client.send(wire.method(frame.channel, "channel.close-ok"))
        client.wait_for_round_trip(SPARE_CHANNEL)
    if frame.name.endswith(".close"):
        close = Close.of(frame)
        return f"{frame.name} {close.code} {close.text}"
    if (frame.name, frame.channel) == ("channel.flow-ok", SPARE_CHANNEL):
        client.send_if_open(wire.method(1, "channel.flow", wire.bits(True)))
        return listen_once_more(client)
    return frame.name


def listen_once_more(client: WireClient) -> str:
    """The rest of the connection goes on: whether channel 1 does."""
    try:
        frame = client.read_frame()
    except DisconnectedError:
        return "end"
    if frame.name.endswith(".close"):
        close = Close.of(frame)
        return f"{frame.name} {close.code} {close.text}"
    return "fine" if (frame.name, frame.channel) == ("channel.flow-ok", 1) else frame.name


def listen_for_header(client: WireClient) -> str:
    try:
        start = client.peek(1)
    except DisconnectedError:
        return "end"
    if start != b"A":
        return client.read_frame().name
    if client.peek(len(wire.PROTOCOL_HEADER)) == b"AMQP\x03\x01\x00\x00":
        return "header 1.0"
    assert client.read_to_end() == wire.PROTOCOL_HEADER
    return "header"


def matches(heard: str, answer: str) -> bool:
    """Whether what was heard is this answer: a close's code is the same, and the answer's text is in what it says."""
    if ".close " not in answer:
        return heard == answer
    name, code, *text = answer.split(" ", 2)
    return heard.startswith(f"{name} {code} ") and "".join(text) in heard
