"""How the client's bytes are cut never matters: whole, byte by byte and at random cuts give the same answers and state.

The recorded stream goes through all phases of a connection.  Two things may differ: how many confirms are joined into
one, and how frames of different channels are interleaved; both are levelled out before comparing.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeGuard

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.simulated_broker import SimulatedBroker
from tests.support.simulated_client import PERSISTENT, Event, EventReader, handshake_bytes, publish_frames
from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.codec.framing import HEARTBEAT_FRAME
from warren.adapters.amqp091.settings import Amqp091Settings
from warren.core.messages.properties import encode_properties

HEADERS = encode_properties(headers={"a": 1}, priority=3).raw
SIZES = [0, 1, 3, 4, 11, 12, 13, 300, 4087, 4088, 4089, 9000]
"""Bodies around what the fast path and one frame of 4096 bytes hold."""


def frame(channel: int, method: methods.Method) -> bytes:
    return methods.encode_frame(channel, method)


def setting_up() -> bytes:
    """Channel 1 confirms, 2 consumes, 3 is transactional, 4 polls."""
    said = [handshake_bytes()]
    said += [frame(number, methods.ChannelOpen()) for number in (1, 2, 3, 4)]
    said += [
        frame(1, methods.QueueDeclare(queue="q", durable=True)),
        frame(1, methods.QueueDeclare(queue="tx", durable=True)),
        frame(1, methods.ExchangeDeclare(exchange="x", type="topic")),
        frame(1, methods.QueueBind(queue="q", exchange="x", routing_key="a.#")),
        frame(1, methods.ConfirmSelect()),
        frame(2, methods.BasicConsume(queue="q", consumer_tag="c")),
        frame(3, methods.TxSelect()),
    ]
    return b"".join(said)


def publishing() -> bytes:
    said = []
    for number, size in enumerate(SIZES * 2):
        properties = [b"\0\0", PERSISTENT, HEADERS][number % 3]
        said.append(publish_frames("a.b", b"%c" % number * size, exchange="x", properties=properties))
        said.append(publish_frames("tx", b"t" * size, properties=PERSISTENT, channel=3))
        said.append(HEARTBEAT_FRAME)
        if number % 5 == 4:
            said.append(publish_frames("nowhere", b"back", mandatory=True))
        if number in (4, 14):
            said.append(frame(3, methods.TxRollback()))
    said.append(frame(3, methods.TxCommit()))
    return b"".join(said)


def settling() -> bytes:
    tags = [*range(1, 11)]
    said = [frame(2, methods.BasicAck(tag)) for tag in tags]
    said += [
        frame(2, methods.BasicAck(15, multiple=True)),
        frame(2, methods.BasicReject(16, requeue=False)),
        frame(4, methods.BasicGet(queue="tx")),
        frame(4, methods.BasicAck(1)),
        frame(4, methods.BasicGet(queue="tx", no_ack=True)),
        frame(3, methods.TxCommit()),
        frame(2, methods.BasicCancel("c")),
        publish_frames("q", b"last", properties=PERSISTENT),
    ]
    return b"".join(said)


def ending() -> bytes:
    """An error on channel 4, whose frames are ignored from then on, then the end."""
    said = [
        frame(4, methods.BasicGet(queue="missing")),
        publish_frames("q", b"ignored", channel=4),
        frame(4, methods.BasicGet(queue="tx")),
        frame(4, methods.ChannelCloseOk()),
        frame(4, methods.ChannelOpen()),
        frame(1, methods.ChannelClose(200)),
        frame(0, methods.ConnectionClose(200)),
        frame(4, methods.BasicGet(queue="tx")),
    ]
    return b"".join(said)


PHASES = [setting_up(), publishing(), settling(), ending()]


Said = Event | tuple[str, int]
Outcome = tuple[dict[int, list[Said]], dict[str, list[tuple[bytes, bytes, bool]]]]
"""What was said on each channel, and then what each queue held: body, properties, redelivered."""


def is_event(said: Said, kind: type[methods.Method]) -> TypeGuard[Event]:
    return isinstance(said, Event) and isinstance(said.method, kind)


def level(events: Iterable[Event]) -> dict[int, list[Said]]:
    """Events by channel; confirms are counted instead of listed."""
    channels: dict[int, list[Said]] = {}
    confirmed = 0
    for event in events:
        if event.channel == 1 and isinstance(event.method, methods.BasicAck):
            assert event.method.multiple == (event.method.delivery_tag - confirmed > 1)
            confirmed = event.method.delivery_tag
        else:
            channels.setdefault(event.channel, []).append(event)
    channels[1].append(("confirmed", confirmed))
    return channels


def talk(broker: SimulatedBroker, cuts: list[list[int]], *, settle_often: bool) -> Outcome:
    """Say everything, cut as told; the answers and what the queues hold afterwards."""
    client = broker.accept()
    answers = b""
    for phase, places in zip(PHASES, cuts, strict=True):
        for start, stop in pairwise([0, *sorted(set(places)), len(phase)]):
            client.send_bytes(phase[start:stop])
            if settle_often:
                broker.settle()
        broker.settle()
        answers += client.transport.take()
        broker.check()
    assert client.transport.closed
    reader = EventReader()
    events = reader.read(answers)
    assert reader.is_between_frames
    broker.settle()
    state = {}
    for name in ("q", "tx"):
        queue = broker.queue(name)
        held = []
        while (found := queue.poll(no_ack=True)) is not None:
            held.append((found[0].body, found[0].properties.raw, found[1]))
        state[name] = held
    broker.settle()
    broker.check()
    return level(events), state


@pytest.fixture(scope="module")
def whole() -> Outcome:
    with TemporaryDirectory() as directory:
        broker = SimulatedBroker(Path(directory))
        said = talk(broker, [[]] * 4, settle_often=False)
        broker.close()
    return said


def test_the_recording_says_what_it_should(whole: Outcome) -> None:
    channels, state = whole
    delivered = [len(event.body) for event in channels[2] if is_event(event, methods.BasicDeliver)]
    assert delivered == SIZES * 2
    assert ("confirmed", 24 + 4 + 1) in channels[1]
    assert sum(is_event(event, methods.BasicReturn) for event in channels[1]) == 4
    assert state["q"][-1][0] == b"last"
    assert is_event(channels[0][-1], methods.ConnectionCloseOk)


@pytest.mark.parametrize("settle_often", [False, True])
def test_byte_by_byte(whole: Outcome, tmp_path: Path, settle_often: bool) -> None:
    broker = SimulatedBroker(tmp_path)
    cuts = [list(range(1, len(phase))) for phase in PHASES]
    if settle_often:
        cuts = [places[::7] for places in cuts]
    assert talk(broker, cuts, settle_often=settle_often) == whole
    broker.close()


@given(st.data())
@settings(max_examples=25, deadline=None)
def test_random_cuts(whole: Outcome, data: st.DataObject) -> None:
    cuts = [
        data.draw(st.lists(st.integers(1, len(phase) - 1), max_size=40), label=f"phase {number}")
        for number, phase in enumerate(PHASES)
    ]
    settle_often = data.draw(st.booleans())
    with TemporaryDirectory() as directory:
        broker = SimulatedBroker(Path(directory))
        assert talk(broker, cuts, settle_often=settle_often) == whole
        broker.close()


WRONG = {
    "unknown frame type": b"\x05\0\1\0\0\0\0\xce" + HEARTBEAT_FRAME * 2,
    "wrong end": b"\x01\0\1\0\0\0\4\0\x14\0\x0a\xcd" + HEARTBEAT_FRAME,
    "heartbeat on a channel": b"\x08\0\1\0\0\0\0\xce" + HEARTBEAT_FRAME * 2,
    "content on channel 0": b"\x02\0\0\0\0\0\0\xce" + HEARTBEAT_FRAME * 2,
    "oversized frame": b"\x03\0\1\0\0\x10\x01" + b"x" * 4096 + b"\xce",
    "malformed properties": publish_frames("q", b"x", properties=b"\x80\0\xff"),
    "message too large for one frame": publish_frames("q", b"x" * 3000),
    "publish within a publish": frame(1, methods.BasicPublish(routing_key="q")) + publish_frames("q", b"x"),
    "header within a body": publish_frames("q", b"x" * 9)[:-10] + publish_frames("q", b"x"),
    "cut short arguments": b"\x01\0\1\0\0\0\5\0\x3c\0\x28\0\xce" + HEARTBEAT_FRAME,
    "unknown method": b"\x01\0\1\0\0\0\4\0\x3c\0\x63\xce" + HEARTBEAT_FRAME,
    "no such channel": publish_frames("q", b"x", channel=9),
}


def answer_to(data: bytes, places: Iterable[int]) -> list[Event]:
    """What comes after a publish that was understood, and then this."""
    broker = SimulatedBroker(settings=Amqp091Settings(message_bytes_max=2000))
    client = broker.connect()
    client.declare("q")
    client.publish("q", b"x")
    client.publish("q", b"xxxxxxxxx")
    assert client.take() == []
    for start, stop in pairwise([0, *places, len(data)]):
        client.send_bytes(data[start:stop])
    events = client.take()
    broker.check()
    return events


@pytest.mark.parametrize("name", WRONG)
def test_wrong_input_gets_the_same_answer_however_it_is_cut(name: str) -> None:
    data = WRONG[name]
    expected = answer_to(data, [])
    assert len(expected) == 1
    assert isinstance(expected[0].method, methods.ConnectionClose | methods.ChannelClose)
    assert answer_to(data, range(1, len(data))) == expected
    for place in range(1, len(data), max(1, len(data) // 50)):
        assert answer_to(data, [place]) == expected, place
