"""A look at an AMQP 1.0 connection's frames: in words, without secrets (adapters.session.tap)."""

from __future__ import annotations

from tests.adapters.amqp10.conftest import Connect
from tests.support.simulated_amqp10 import Amqp10Client, data
from tests.support.simulated_broker import SimulatedBroker
from warren.adapters.amqp10.codec import sasl
from warren.adapters.amqp10.codec.composites import encode_composite
from warren.adapters.amqp10.codec.framing import EMPTY_FRAME, SASL_FRAME, SASL_HEADER, frame, frame_of
from warren.adapters.amqp10.codec.performatives import Begin, Open, Transfer
from warren.adapters.amqp10.frame_words import Amqp10FrameWords
from warren.adapters.session.tap import HEAD_BYTES, look_at

WORDS = Amqp10FrameWords()


def described(data: bytes) -> str:
    assert WORDS.size(data, 0) == len(data)
    return WORDS.describe(data[:HEAD_BYTES], len(data), received=True)


def test_what_passes_is_told_in_words(connect: Connect, simulated: SimulatedBroker) -> None:
    client = connect()
    name = client.connection.name
    assert look_at(simulated.broker, name).frames == []
    client.attach_sender("/queue/q", handle=0, name="s")
    client.publish(data(b"body"))
    client.attach_receiver("/queues/q", handle=1, name="r")
    client.credit(1)
    client.settle(0)
    client.detach(1)
    client.begin(3)
    client.end(3)
    found = [(each.direction, each.text) for each in look_at(simulated.broker, name).frames]
    texts = [text for _, text in found]
    attach = "attach name='s' handle=0 role='sender' source=source target=target(address='/queue/q')"
    assert found[0] == ("received", f"channel 0: {attach} initial_delivery_count=0")
    assert (
        "received",
        "channel 0: transfer handle=0 delivery_id=0 delivery_tag=b'0' message_format=0 "
        "settled=False, 12 bytes of payload",
    ) in found
    assert ("sent", "channel 0: disposition role='receiver' first=0 last=0 settled=True state=accepted") in found
    assert any(text.startswith("channel 0: flow ") and "link_credit=1 " in f"{text} " for text in texts)
    assert ("received", "channel 0: detach handle=1 closed=True") in found
    assert ("received", "channel 3: end") in found
    assert any(direction == "sent" and text.startswith("channel 0: transfer ") for direction, text in found)
    look_at(simulated.broker, name, 0)
    assert client.connection.tap is None


def test_no_password_is_shown() -> None:
    init = sasl.SaslInit()
    init.mechanism = "PLAIN"
    init.initial_response = b"\0guest\0secret"
    assert described(frame(0, init, SASL_FRAME)) == "sasl-init mechanism='PLAIN' initial_response=•••".replace(
        "•••", "'•••'"
    )
    for made in (sasl.SaslResponse(b"secret"), sasl.SaslChallenge(b"secret"), sasl.SaslOutcome(0, b"secret")):
        assert "secret" not in described(frame(0, made, SASL_FRAME))


def test_headers_and_empty_frames() -> None:
    assert described(SASL_HEADER) == "protocol header 3-1-0-0"
    assert described(EMPTY_FRAME) == "empty frame"
    assert WORDS.size(b"\0\0\0", 0) is None
    assert described(frame(0, Open("me"))) == "open container_id='me'"


def test_what_is_long_or_none_is_told_by_its_size() -> None:
    made = Transfer()
    made.delivery_id = 5
    large = frame_of(2, encode_composite(made) + b"x" * 100_000)
    assert described(large) == "channel 2: transfer handle=0 delivery_id=5, 100000 bytes of payload"
    assert described(frame_of(2, b"\x00\x53\x10\xd0\0\x01\x86\xa0" + b"x" * 99_999)).startswith("channel 2: frame of 1")
    assert "can't be decoded" in described(frame_of(0, b"nothing"))
    assert described(b"\0\0\0\x09\x02\x07\0\0x") == "frame of unknown type 7, 9 bytes"


def test_a_tap_that_begins_late_sees_what_is_left(simulated: SimulatedBroker) -> None:
    client = Amqp10Client(simulated).open()
    whole = frame(5, Begin())
    client.send_bytes(whole[:5])
    look_at(simulated.broker, client.connection.name)
    client.send_bytes(whole[5:])
    texts = [each.text for each in look_at(simulated.broker, client.connection.name).frames]
    assert texts[0] == "channel 5: begin"
    assert texts[1].startswith("channel 5: begin remote_channel=5 ")
