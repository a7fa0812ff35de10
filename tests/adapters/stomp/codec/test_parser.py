"""The parser gives the same frames however the bytes are cut (spec B.1)."""

from __future__ import annotations

import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.adapters.stomp.codec.errors import FramingError
from warren.adapters.stomp.codec.escaping import ESCAPES
from warren.adapters.stomp.codec.frames import END, END_WITH_LINE_FEED, Frame, encode_frame
from warren.adapters.stomp.codec.parser import FrameParser


def parser(version: str | None = "1.2", *, friendly: bool = False) -> FrameParser:
    made = FrameParser()
    made.version = version
    made.frame_bytes_max = 4 * 1024 * 1024
    made.friendly = friendly
    return made


def parse(made: FrameParser, *pieces: bytes) -> list[Frame]:
    frames = []
    for piece in pieces:
        position = 0
        while True:
            frame, position = made.next(piece, position)
            if frame is None:
                assert position == len(piece)
                break
            frames.append(frame)
    return frames


def bytewise(data: bytes) -> list[bytes]:
    return [data[at : at + 1] for at in range(len(data))]


FRAMES = [
    # bytes, version, frames
    (b"SEND\n\n\0", "1.2", [Frame("SEND", {})]),
    (b"SEND\nd:x\n\nbody\0", "1.2", [Frame("SEND", {"d": "x"}, b"body")]),
    (b"SEND\r\nd:x\r\n\r\nbody\r\n\0\r\n", "1.0", [Frame("SEND", {"d": "x"}, b"body\r\n")]),
    (b"\n\0\r\n\0\nSEND\n\n\0\0\n\r\nACK\n\n\0\n", "1.2", [Frame("SEND", {}), Frame("ACK", {})]),
    (b"SEND\nurl:http://a:1\n\n\0", "1.2", [Frame("SEND", {"url": "http://a:1"})]),
    (b"SEND\na:1\na:2\n\n\0", "1.2", [Frame("SEND", {"a": "1"})]),
    (b"SEND\na:  x \n\n\0", "1.0", [Frame("SEND", {"a": "x "})]),
    (b"SEND\na:  x \n\n\0", "1.1", [Frame("SEND", {"a": "  x "})]),
    (b"SEND\na\\cb:1\\n2\\\\3\\r4\n\n\0", "1.2", [Frame("SEND", {"a:b": "1\n2\\3\r4"})]),
    (b"SEND\na\\cb:1\\n2\\\\3\\r4\n\n\0", "1.1", [Frame("SEND", {"a:b": "1\n2\\3\r4"})]),
    (b"SEND\na:C:\\dir\\new\n\n\0", "1.0", [Frame("SEND", {"a": "C:\\dir\\new"})]),
    (b"CONNECT\npasscode:a\\tb\n\n\0", "1.2", [Frame("CONNECT", {"passcode": "a\\tb"})]),
    (b"SEND\na:\xff\n\n\0", "1.2", [Frame("SEND", {"a": "\udcff"})]),
    (b"SEND\na:\n\n\0", "1.2", [Frame("SEND", {"a": ""})]),
    (b"SEND\ncontent-length:3\n\na\0b\0", "1.2", [Frame("SEND", {"content-length": "3"}, b"a\0b")]),
    (b"SEND\ncontent-length: 3 \n\na\0b\0", "1.2", [Frame("SEND", {"content-length": " 3 "}, b"a\0b")]),
    (b"ACK\ncontent-length:3\n\na\0b\0", "1.2", [Frame("ACK", {"content-length": "3"}, b"a\0b")]),
    (b"SEND\ncontent-length:three\n\nab\0", "1.2", [Frame("SEND", {"content-length": "three"}, b"ab")]),
    (b"SEND\ncontent-length:0\n\n\0", "1.2", [Frame("SEND", {"content-length": "0"})]),
    (b"HELP\r\nSEND\n\n\0", "1.2", [Frame("HELP", {}), Frame("SEND", {})]),
    (b"SOMETHING\n\n\0", "1.2", [Frame("SOMETHING", {})]),
    (b"SEND\n\nfirst\0SEND\n\nsecond\0", "1.2", [Frame("SEND", {}, b"first"), Frame("SEND", {}, b"second")]),
]


@pytest.mark.parametrize(("data", "version", "expected"), FRAMES)
def test_frames(data: bytes, version: str, expected: list[Frame]) -> None:
    assert parse(parser(version), data) == expected
    assert parse(parser(version), *bytewise(data)) == expected


TYPED = [
    (b"SEND\r\ndestination : a\r\n\r\nHello\r\nyou\r\n.\r\n", [Frame("SEND", {"destination": "a"}, b"Hello\nyou")]),
    (b"send\n\n.\n", [Frame("SEND", {})]),
    (b"SEND\r\n\r\n..\r\n...\r\na.\r\n.\r\n", [Frame("SEND", {}, b".\n..\na.")]),
    (b"SEND\r\n\r\n\r\nx\r\n.\r\n", [Frame("SEND", {}, b"\nx")]),
    (b"SEND\r\n\r\nHello\r\n\0\r\n", [Frame("SEND", {}, b"Hello")]),
    (b"SEND\r\n\r\nHello\0\r\n", [Frame("SEND", {}, b"Hello")]),
    (b"SEND\r\ncontent-length:3\r\n\r\n.\r\n\0", [Frame("SEND", {"content-length": "3"}, b".\r\n")]),
    (b"subscribe\r\nid: 1\r\n\r\n\0\r\nhelp\r\n", [Frame("SUBSCRIBE", {"id": "1"}), Frame("HELP", {})]),
    (b"hello there\r\nBEGIN\r\n\r\n", [Frame("HELLO THERE", {}), Frame("BEGIN", {})]),
    (b"  \r\nBEGIN\r\n\r\n", [Frame("BEGIN", {})]),
]


@pytest.mark.parametrize(("data", "expected"), TYPED)
def test_frames_as_people_type_them(data: bytes, expected: list[Frame]) -> None:
    assert parse(parser(friendly=True), data) == expected
    assert parse(parser(friendly=True), *bytewise(data)) == expected


@pytest.mark.parametrize(
    ("data", "friendly"),
    [
        (b"CONNECT\r\n\r\n", True),
        (b"CONNECT\r\nlogin: guest\r\n\r\n", True),
        (b"CONNECT\n\n\0", False),
        (b"CONNECT\r\naccept-version:1.2\r\n\r\n\0", False),
        (b"SEND\r\n\r\n\0", False),
    ],
)
def test_who_types_like_a_person(data: bytes, friendly: bool) -> None:
    made = FrameParser(friendly_expected=True)
    (frame,) = parse(made, data)
    assert made.friendly is friendly
    assert frame.headers.get("login", "guest") == "guest"


BROKEN = [
    # bytes, part of what is said
    (b"SEND\rx\n\n\0", "carriage return"),
    (b"\rSEND\n\n\0", "carriage return"),
    (b"SEND\na:b\rc\n\n\0", "carriage return"),
    (b"SEND\nab\n\n\0", "header line 'ab' has no colon"),
    (b"SEND\n:x\n\n\0", "':x' has no name"),
    (b"SEND\na:\\t\n\n\0", "unknown escape '\\t'"),
    (b"SEND\na:x\\\n\n\0", "unknown escape '\\'"),
    (b"SEND\na:b\0\n\n", "NUL byte before the blank line"),
    (b"SEND\0\n\n", "NUL byte before the blank line"),
    (b"X" * 33 + b"\n\n\0", "longer than 32 bytes"),
    (b"X" * 64, "longer than 32 bytes"),
    (b"SEND\ncontent-length:-1\n\n\0", "can't be negative"),
    (b"SEND\ncontent-length:2\n\nabc\0", "no NUL follows"),
    (b"SEND\ncontent-length:99999999999999999999\n\n", "larger than"),
    (b"SEND\n" + b"".join(b"h%d:x\n" % number for number in range(101)) + b"\n\0", "more than 100 headers"),
    (b"SEND\na:" + b"x" * 102_401 + b"\n\n\0", "longer than 102400 bytes"),
    (b"SEND\n" + b"x" * 102_401 + b":a\n\n\0", "longer than 102400 bytes"),
    (b"SEND\n" + b"x" * 300_000, "longer than 102400 bytes"),
]


@pytest.mark.parametrize(("data", "text"), BROKEN)
def test_what_is_no_frame(data: bytes, text: str) -> None:
    with pytest.raises(FramingError, match=_literal(text)):
        parse(parser(), data)
    if len(data) < 1000:
        with pytest.raises(FramingError, match=_literal(text)):
            parse(parser(), *bytewise(data))


def _literal(text: str) -> str:
    return re.escape(text)


@pytest.mark.parametrize("cut", [1, 7, 10_000])
def test_the_frame_limit_holds_for_all_of_a_frame(cut: int) -> None:
    made = parser()
    made.frame_bytes_max = 1000
    data = b"SEND\na:" + b"x" * 500 + b"\n\n" + b"y" * 600
    with pytest.raises(FramingError, match="larger than 1000 bytes"):
        parse(made, *(data[at : at + cut] for at in range(0, len(data), cut)))


def test_a_frame_may_be_as_large_as_the_limit() -> None:
    made = parser()
    made.frame_bytes_max = 6 + 1000
    assert len(parse(made, b"SEND\n\n" + b"y" * 1000 + b"\0")[0].body) == 1000
    with pytest.raises(FramingError):
        parse(made, b"SEND\n\n" + b"y" * 1001 + b"\0")


def test_a_declared_length_beyond_the_limit_is_refused_before_the_body_comes() -> None:
    made = parser()
    made.body_bytes_max = 100
    with pytest.raises(FramingError, match="larger than 100 bytes"):
        parse(made, b"SEND\ncontent-length:101\n\n")


def test_before_login_the_limit_is_64_kib() -> None:
    with pytest.raises(FramingError, match="before logging in"):
        parse(FrameParser(), b"CONNECT\n\n" + b"x" * 65_536)


headers = st.dictionaries(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
        lambda name: name != "content-length"
    ),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=40),
    max_size=8,
)


@given(headers, st.binary(max_size=300), st.sampled_from([END, END_WITH_LINE_FEED]), st.integers())
def test_what_is_written_is_read_again(headers: dict[str, str], body: bytes, end: bytes, seed: int) -> None:
    data = encode_frame("MESSAGE", headers.items(), body, "1.2", end)
    chance = random.Random(seed)
    cuts = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randrange(9)))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    (frame,) = parse(parser(), *pieces)
    assert frame.command == "MESSAGE"
    assert {name: value for name, value in frame.headers.items() if name != "content-length"} == headers
    assert frame.body == body


@given(headers, st.sampled_from(sorted(ESCAPES)))
def test_no_header_breaks_a_frame_apart(headers: dict[str, str], version: str) -> None:
    data = encode_frame("MESSAGE", headers.items(), b"", version)
    assert data.count(b"\n") == len(headers) + 3
    (frame,) = parse(parser("1.1" if version == "1.1" else "1.0"), data)
    assert len(frame.headers) == len(headers)


@given(st.binary(max_size=200), st.booleans())
def test_garbage_is_a_frame_or_a_framing_error(data: bytes, friendly: bool) -> None:
    try:
        whole = parse(parser(friendly=friendly), data)
    except FramingError:
        with pytest.raises(FramingError):
            parse(parser(friendly=friendly), *bytewise(data))
    else:
        assert parse(parser(friendly=friendly), *bytewise(data)) == whole


def test_the_place_of_a_body_is_known_when_the_frame_is_whole() -> None:
    data = b"\nSEND\na:b\n\nbody\0"
    frame, _ = parser().next(data, 0)
    assert frame is not None
    assert data[frame.body_at :] == b"body\0"
    made = parser()
    assert made.next(data[:14], 0) == (None, 14)
    frame, _ = made.next(data[14:], 0)
    assert frame is not None
    assert (frame.body, frame.body_at) == (b"body", -1)
