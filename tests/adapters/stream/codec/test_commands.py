"""Commands as frames, and the other way round (spec H.2)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.adapters.stream.codec.drawn_commands import BY_TYPE, drawn
from warren.adapters.stream.codec import commands
from warren.adapters.stream.codec.commands import LAYOUTS, PLAIN_ANSWERS, Answer, Command
from warren.adapters.stream.codec.encoding import decode, encode, key_of, name_of
from warren.adapters.stream.codec.errors import FrameError
from warren.adapters.stream.codec.keys import RESPONSE, Code, Key, OffsetType
from warren.adapters.stream.codec.kinds import OffsetSpec


def test_all_31_commands_are_there_from_both_sides() -> None:
    assert set(BY_TYPE) == set(LAYOUTS)
    keys = {layout.key & ~RESPONSE for layout in LAYOUTS.values()}
    assert keys == set(Key) == set(range(1, 32))
    one_way = {
        Key.PUBLISH,
        Key.PUBLISH_CONFIRM,
        Key.PUBLISH_ERROR,
        Key.DELIVER,
        Key.STORE_OFFSET,
        Key.METADATA_UPDATE,
        Key.HEARTBEAT,
    }
    answered = {layout.key & ~RESPONSE for layout in LAYOUTS.values() if layout.key & RESPONSE} | PLAIN_ANSWERS
    assert answered == set(Key) - one_way


def test_all_codes_are_there() -> None:
    assert [int(code) for code in Code] == list(range(1, 0x14))


@given(drawn)
def test_what_is_encoded_is_decoded(command: Command) -> None:
    frame = encode(command)
    assert int.from_bytes(frame[:4], "big") == len(frame) - 4
    found = decode(frame[4:])
    assert type(found) is type(command)
    assert tuple(map(_plain, found)) == tuple(map(_plain, command))


def _plain(value: object) -> object:
    """Sequences may come back as another kind of them."""
    return list(value) if isinstance(value, tuple) and not hasattr(value, "_fields") else value


@given(drawn, st.data())
def test_a_frame_that_is_cut_off_is_another_command_or_none(command: Command, data: st.DataObject) -> None:
    frame = encode(command)[4:]
    cut = frame[: data.draw(st.integers(0, max(len(frame) - 1, 0)))]
    found = _decoded(cut)
    if isinstance(found, FrameError):
        assert found.code is Code.UNKNOWN_FRAME
    else:
        assert len(encode(found)) >= len(cut)


def _decoded(frame: bytes) -> Command | FrameError:
    try:
        return decode(frame)
    except FrameError as error:
        return error


@given(st.binary(max_size=60), st.integers(0, 40), st.integers(0, 3), st.booleans())
def test_any_bytes_are_a_command_or_none(data: bytes, key: int, version: int, is_answer: bool) -> None:
    head = (key | RESPONSE * is_answer).to_bytes(2, "big") + version.to_bytes(2, "big")
    for frame in (data, head + data):
        found = _decoded(frame)
        if isinstance(found, FrameError):
            assert found.code is Code.UNKNOWN_FRAME
            assert found.text
        else:
            assert key_of(found) == int.from_bytes(frame[:2], "big")


EXAMPLES: list[tuple[str, Command]] = [
    ("0001 0001 00000007 05 ffff 0001 73", commands.DeclarePublisher(7, 5, None, "s")),
    ("0001 0001 00000007 05 0002 6d65 0001 73", commands.DeclarePublisher(7, 5, "me", "s")),
    (
        "0002 0001 01 00000001 0000000000000009 00000001 61",
        commands.Publish(1, 1, bytes.fromhex("00000000000000090000000161")),
    ),
    ("0002 0002 01 00000000", commands.PublishV2(1, 0, b"")),
    ("0003 0001 01 00000002 0000000000000001 0000000000000002", commands.PublishConfirm(1, [1, 2])),
    (
        "0004 0001 01 00000001 0000000000000001 0012",
        commands.PublishError(1, [commands.PublishingError(1, Code.NO_PUBLISHER)]),
    ),
    ("0007 0001 00000001 02 0001 73 0003 000a", commands.Subscribe(1, 2, "s", OffsetSpec(OffsetType.NEXT), 10)),
    (
        "0007 0001 00000001 02 0001 73 0004 0000000000000063 000a 00000001 0001 61 0001 62",
        commands.Subscribe(1, 2, "s", OffsetSpec(OffsetType.OFFSET, 99), 10, {"a": "b"}),
    ),
    (
        "0007 0001 00000001 02 0001 73 0005 ffffffffffffffff 000a",
        commands.Subscribe(1, 2, "s", OffsetSpec(OffsetType.TIMESTAMP, -1), 10),
    ),
    ("8009 0001 0004 07", commands.CreditAnswer(Code.NO_SUBSCRIPTION, 7)),
    ("000a 0001 0002 6d65 0001 73 0000000000000063", commands.StoreOffset("me", "s", 99)),
    ("800b 0001 00000001 0013 0000000000000000", commands.QueryOffsetAnswer(1, Code.NO_OFFSET)),
    ("800d 0001 00000001 0005", Answer(Key.CREATE, 1, Code.STREAM_EXISTS)),
    (
        "800f 0001 00000001 00000001 0000 0001 68 000015b0 00000001 0001 73 0001 0000 00000000",
        commands.MetadataAnswer(
            1, [commands.BrokerAddress(0, "h", 5552)], [commands.StreamMetadata("s", Code.OK, 0, [])]
        ),
    ),
    ("0013 0001 00000001 0005 504c41494e ffffffff", commands.SaslAuthenticate(1, "PLAIN", None)),
    ("8013 0001 00000001 000a 00000001 61", commands.SaslAuthenticateAnswer(1, Code.SASL_CHALLENGE, b"a")),
    ("0014 0001 00100000 0000003c", commands.Tune(1_048_576, 60)),
    ("8014 0001 00100000 0000003c", commands.TuneAnswer(1_048_576, 60)),
    ("8015 0001 00000001 000c", commands.OpenAnswer(1, Code.VHOST_REFUSED)),
    ("0017 0001", commands.Heartbeat()),
    ("001a 0001 00000001 05 01", commands.ConsumerUpdate(1, 5, 1)),
    ("801a 0001 00000001 0001 0003", commands.ConsumerUpdateAnswer(1, Code.OK, OffsetSpec(OffsetType.NEXT))),
    ("801c 0001 00000001 0001 00000001 0001 61 ffffffffffffffff", commands.StreamStatsAnswer(1, Code.OK, {"a": -1})),
    (
        "001d 0001 00000001 0001 73 00000001 0001 70 00000001 0001 6b 00000000",
        commands.CreateSuperStream(1, "s", ["p"], ["k"], {}),
    ),
]


@pytest.mark.parametrize(("frame", "command"), EXAMPLES, ids=[name_of(key_of(each)) for _, each in EXAMPLES])
def test_frames_are_as_the_protocol_has_them(frame: str, command: Command) -> None:
    data = bytes.fromhex(frame)
    assert decode(data) == command
    assert encode(command)[4:] == data


@pytest.mark.parametrize(
    ("frame", "text"),
    [
        ("", "a frame of 0 bytes has no command"),
        ("0000 0001", "there is no command 0x0000"),
        ("0020 0001", "there is no command 0x0020"),
        ("8017 0001", "there is no command 0x8017"),
        ("000d 0003", "Create has no version 3"),
        ("800d 0001 00", "Create answer of 5 bytes"),
        ("0017 0001 00", "1 bytes behind the command Heartbeat"),
        ("0015 0001 00000001 fffe", "a length of -2"),
        ("0015 0001 00000001 0002 61", "the frame ends within a string"),
        ("0015 0001 0000", "the frame ends within a number"),
        ("000f 0001 00000001 ffffffff", "an array of 4294967295 in a frame that has 0 bytes more"),
        ("001f 0001 00000001 0001 73 0006", "6 is no type of offset"),
    ],
)
def test_what_is_wrong_is_said(frame: str, text: str) -> None:
    with pytest.raises(FrameError) as raised:
        decode(bytes.fromhex(frame))
    assert raised.value.text == text


def test_an_answer_to_consumer_update_may_have_an_offset_that_its_type_has_no_use_for() -> None:
    wanted = commands.ConsumerUpdateAnswer(3, Code.OK, OffsetSpec(OffsetType.FIRST))
    frame = encode(wanted)[4:]
    assert decode(frame + bytes(8)) == wanted
    for size in (1, 7, 9, 16):
        with pytest.raises(FrameError):
            decode(frame + bytes(size))
