"""Every frame of the files in `malformed` on a live connection: the error that it should be, on the right level.

The size in a frame's head is put right where the case isn't about that: sizes are tedious to count by hand.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.amqp10.conftest import Connect
from tests.support.simulated_amqp10 import Amqp10Client, data, of
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec.framing import SASL_HEADER
from warren.adapters.amqp10.codec.performatives import Close, Detach, Disposition, End, Open

FILES = [
    tomllib.loads(file.read_text("utf-8")) for file in sorted((Path(__file__).parent / "malformed").glob("*.toml"))
]
CASES: list[dict[str, Any]] = [case for file in FILES for case in file.get("frame", [])]
LOGINS: list[dict[str, Any]] = [case for file in FILES for case in file.get("login", [])]

LEVELS = {"link": Detach, "session": End, "connection": Close}


def frame_bytes(case: dict[str, Any]) -> bytes:
    """The frame."""
    text = re.sub(r"\{(\w+)\*(\d+)\}", lambda found: found[1] * int(found[2]), case["bytes"])
    raw = bytes.fromhex(text.replace(" ", ""))
    is_about_its_head = case["clause"] == "2.3.1" and len(raw) == 8
    return raw if is_about_its_head else len(raw).to_bytes(4, "big") + raw[4:]


@pytest.fixture
def client(connect: Connect) -> Amqp10Client:
    """With a sender's link and a receiver's."""
    made = connect()
    made.attach_sender("/queue/q", handle=0)
    made.attach_receiver("/queue/q", handle=1)
    return made


@pytest.mark.parametrize("cut", ["whole", "byte by byte"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_it_is_told_on_the_right_level(
    client: Amqp10Client, simulated: SimulatedBroker, case: dict[str, Any], cut: str
) -> None:
    if case.get("alarm"):
        simulated.broker.alarms.set("memory", True)
    for before in case.get("before", []):
        client.send_bytes(bytes.fromhex(before))
    was_closed = client.closed
    if "window" in case:
        client.connection.sessions[0].incoming_window = case["window"]
    frames = client.send_bytes(frame_bytes(case), cut)
    if case["ends"] == "nothing":
        assert frames == []
        assert client.closed == was_closed
        return
    told = of(LEVELS[case["ends"]], frames)
    assert len(told) == 1, frames
    assert told[0].error.condition == case["condition"]
    assert told[0].error.description
    assert client.closed == (case["ends"] == "connection")
    simulated.broker.alarms.set("memory", False)
    simulated.settle()
    if case["ends"] == "link":
        client.attach_sender("/queue/q", handle=8)
        assert of(Disposition, client.publish(data(b"goes on"), handle=8, delivery_id=7))
    elif case["ends"] == "session":
        client.begin(1)
        client.attach_sender("/queue/q", handle=8, channel=1)
        assert of(Disposition, client.publish(data(b"goes on"), handle=8, channel=1))
    simulated.settle()
    assert simulated.queue("q").unacked_count == 0


def test_each_names_its_clause() -> None:
    every = CASES + LOGINS
    assert all(case["clause"] for case in every)
    assert len({case["name"] for case in every}) == len(every)


@pytest.mark.parametrize("cut", ["whole", "byte by byte"])
@pytest.mark.parametrize("case", LOGINS, ids=[case["name"] for case in LOGINS])
def test_before_open_it_is_told_where_there_is_a_word_for_it(
    accept: Connect, simulated: SimulatedBroker, case: dict[str, Any], cut: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = accept()
    if case["after"] == "header":
        client.send_bytes(SASL_HEADER)
    elif case["after"] == "login":
        client.log_in()
    frames = client.send_bytes(bytes.fromhex(case["bytes"]), cut)
    assert client.closed
    assert case["words"] in caplog.text
    if "condition" in case:
        opened, closed = frames
        assert isinstance(opened.body, Open)
        assert closed.body.error.condition == case["condition"]
        assert closed.body.error.description
    else:
        assert of(Close, frames) == []
    client.transport.lose()
    assert not simulated.broker.sessions


@pytest.mark.parametrize(
    ("sent", "ends"),
    [
        (b"AMQP\x03\x01\x00\x00" + bytes.fromhex("0000001002000000005341c003010040"), "a frame of type 0"),
        (b"AMQP\x03\x01\x00\x00" + bytes.fromhex("0000001002010000005343c00301a000"), "out of order"),
        (b"AMQP\x03\x01\x00\x00" + bytes.fromhex("0000001202010000005341c00501a3024e4f"), "isn't offered"),
        (b"AMQP\x03\x01\x00\x00" + bytes.fromhex("0000ffff02010000"), "at most 512"),
        (b"AMQP\x03\x01\x00\x00" + bytes.fromhex("0000000c0201000000534145"), "mandatory"),
    ],
)
def test_before_open_the_connection_is_only_closed(
    accept: Connect, sent: bytes, ends: str, caplog: pytest.LogCaptureFixture
) -> None:
    client = accept()
    client.send_bytes(sent)
    assert client.closed
    assert ends in caplog.text
