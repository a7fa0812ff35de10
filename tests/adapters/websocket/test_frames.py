"""The frame reader beside wsproto: the same bytes, cut anywhere, say the same to both."""

from __future__ import annotations

import random
import zlib
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, TextMessage
from wsproto.extensions import PerMessageDeflate

from tests.support.simulated_websocket import frame
from warren.adapters.websocket.deflate import Inflater, deflate
from warren.adapters.websocket.frame_reader import FrameReader
from warren.adapters.websocket.frames import ALIKE_BYTES_MAX, ALIKE_MIN, alike_frames, common_frames, head

BYTES_MAX = 200_000

END = bytes(66_000)
"""Ends each stream, and whatever frame it may have left half done: when that is looked at may differ by some bytes."""

Said = list[tuple[str, bytes]]
"""What was received, in order: ("text" | "binary", payload), ("ping", payload), ("close", code), ("failed", code)."""

WRONG_MESSAGE = ("failed", b"1007")


class Record:
    """A Receiver that writes down what it hears; runs of the same kind of payload are one entry."""

    message_bytes_max = BYTES_MAX

    def __init__(self) -> None:
        self.said: Said = []

    def payload(self, data: bytes, is_text: bool) -> None:
        kind = "text" if is_text else "binary"
        if self.said and self.said[-1][0] == kind:
            data = self.said.pop()[1] + data
        if data:
            self.said.append((kind, data))

    def ping(self, data: bytes) -> None:
        self.said.append(("ping", data))

    def peer_closes(self, code: int, reason: str) -> None:
        self.said.append(("close", b"%d" % code))

    def failed(self, code: int, reason: str) -> None:
        assert reason
        self.said.append(("failed", b"%d" % code))


def heard_by_us(pieces: Sequence[bytes], compressed: bool) -> Said:
    record = Record()
    reader = FrameReader(record, Inflater(lambda: BYTES_MAX) if compressed else None)
    for piece in pieces:
        reader.read(piece)
        while reader.unfinished:
            reader.read(b"")
        if reader.stopped:
            break
    return record.said


def heard_by_wsproto(data: bytes, compressed: bool) -> Said:
    extension = PerMessageDeflate(client_no_context_takeover=True)
    extension.finalize("permessage-deflate; client_no_context_takeover")
    peer = Connection(ConnectionType.SERVER, [extension] if compressed else [])
    record = Record()
    peer.receive_data(data)
    for event in peer.events():
        if isinstance(event, TextMessage):
            record.payload(event.data.encode(), True)
        elif isinstance(event, BytesMessage):
            record.payload(bytes(event.data), False)
        elif isinstance(event, Ping):
            record.ping(bytes(event.payload))
        elif isinstance(event, CloseConnection):
            if peer.state is ConnectionState.REMOTE_CLOSING:
                record.peer_closes(event.code, "")
            else:
                record.failed(event.code, "wrong")
            break
    return record.said


def agree(one: Said, other: Said) -> bool:
    """Whether both heard the same; of a message that turns out to be wrong, one may have heard more."""
    if one[-1:] != [WRONG_MESSAGE] or other[-1:] != [WRONG_MESSAGE]:
        return one == other
    less, more = sorted((one[:-1], other[:-1]), key=lambda said: (len(said), sum(len(data) for _, data in said)))
    if len(more) - len(less) > 1:
        return False
    if less == more[: len(less)]:
        return True
    kind, data = less[-1]
    same_kind, more_data = more[len(less) - 1]
    return less[:-1] == more[: len(less) - 1] and kind == same_kind and more_data.startswith(data)


payloads = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(str.encode),
    st.integers(100, 140).map(lambda size: b"m" * size),
    st.sampled_from([1000, 65_535, 65_536, 70_000]).map(lambda size: b"l" * size),
)

close_payloads = st.one_of(
    st.just(b""),
    st.binary(min_size=1, max_size=5),
    st.tuples(st.integers(0, 5000), st.text(max_size=5)).map(
        lambda pair: pair[0].to_bytes(2, "big") + pair[1].encode()
    ),
)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """A message in one to four frames, with pings and pongs in between; compressed ones aren't interrupted."""
    first = draw(st.sampled_from([0x01, 0x02]))
    payload = draw(payloads)
    compress = draw(st.booleans())
    if compress:
        payload, first = deflate([payload], 15), first | 0x40
    cuts = sorted(draw(st.lists(st.integers(0, len(payload)), max_size=3)))
    parts = [payload[a:b] for a, b in zip([0, *cuts], [*cuts, len(payload)], strict=True)]
    data = b""
    for number, part in enumerate(parts):
        opcode = first if number == 0 else 0
        data += frame(opcode | (0x80 if number == len(parts) - 1 else 0), part)
        if not compress and draw(st.booleans()):
            data += frame(draw(st.sampled_from([0x89, 0x8A])), draw(st.binary(max_size=125)))
    return data


odd_frames = st.one_of(
    st.builds(frame, st.integers(0, 255), st.binary(max_size=130)),
    st.builds(lambda payload: frame(0x82, payload, masked=False), st.binary(max_size=130)),
    st.builds(
        lambda first, size: frame(first, b"x" * 10, size=size), st.sampled_from([0x81, 0x82]), st.sampled_from([2, 8])
    ),
    st.builds(lambda payload: frame(0x88, payload), close_payloads),
    st.binary(max_size=20),
)

plain_runs = st.lists(
    st.builds(frame, st.sampled_from([0x81, 0x82]), st.text(max_size=30).map(str.encode)), max_size=20
)


@st.composite
def streams(draw: st.DrawFn) -> list[bytes]:
    """A stream of frames, mostly right, as pieces."""
    parts = draw(st.lists(st.one_of(plain_runs.map(b"".join), messages()), max_size=5))
    parts += draw(st.lists(odd_frames, max_size=2))
    data = b"".join(parts) + END
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=8)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@given(streams(), st.booleans())
def test_both_hear_the_same(pieces: list[bytes], compressed: bool) -> None:
    assert agree(heard_by_us(pieces, compressed), heard_by_wsproto(b"".join(pieces), compressed))


@given(streams())
def test_cuts_make_no_difference(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    whole = heard_by_us([data], compressed=True)
    assert agree(heard_by_us(pieces, compressed=True), whole)
    size = len(data) - len(END)
    if size < 3000:
        bytewise = [data[at : at + 1] for at in range(size)] + [data[size:]]
        assert agree(heard_by_us(bytewise, compressed=True), whole)


@given(st.lists(st.binary(max_size=3000), min_size=1, max_size=5), st.integers(9, 15))
def test_what_is_compressed_can_be_inflated(chunks: list[bytes], window_bits: int) -> None:
    inflater = zlib.decompressobj(-window_bits)
    assert inflater.decompress(deflate(chunks, window_bits) + b"\0\0\xff\xff") == b"".join(chunks)


@given(st.sampled_from([0, 1, 125, 126, 65_535, 65_536, 100_000]), st.sampled_from([0x81, 0x82, 0xC1]))
def test_heads_are_as_wsproto_reads_them(length: int, first: int) -> None:
    client = Connection(ConnectionType.CLIENT, [PerMessageDeflate()] if first & 0x40 else [])
    client.receive_data(head(first & 0xBF, length) + b"x" * length)
    (event, *rest) = client.events()
    assert isinstance(event, BytesMessage | TextMessage)
    assert (len(event.data), event.message_finished, rest) == (length, True, [])


HELLO = {
    "one block": "f248cdc9c90700",
    "not compressed": "000500faff48656c6c6f00",
    "a last block": "f348cdc9c9070000",
    "two blocks": "f24805000000ffffcac9c90700",
}
"""The examples of RFC 7692, 7.2.3."""


@pytest.mark.parametrize("payload", HELLO.values(), ids=HELLO.keys())
@pytest.mark.parametrize("cut", range(4))
def test_the_examples_of_rfc_7692(payload: str, cut: int) -> None:
    data = bytes.fromhex(payload)
    frames = frame(0x41, data[:cut]) + frame(0x80, data[cut:]) if cut else frame(0xC1, data)
    assert heard_by_us([frames], compressed=True) == [("text", b"Hello")]


def test_what_follows_the_last_block_is_not_kept() -> None:
    inflater = Inflater(lambda: BYTES_MAX)
    reader = FrameReader(Record(), inflater)
    reader.read(frame(0x41, bytes.fromhex(HELLO["a last block"])))
    for _ in range(100):
        reader.read(frame(0x00, bytes(1000)))
    decompressor = inflater._decompressor
    assert decompressor is not None
    assert len(decompressor.unused_data) <= 1000


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_a_ping_between_compressed_fragments(step: int) -> None:
    payload = deflate([b"hello " * 1000], 15)
    data = frame(0x42, payload[:10]) + frame(0x89, b"p") + frame(0x00, payload[10:20]) + frame(0x80, payload[20:])
    said = heard_by_us([data[at : at + step] for at in range(0, len(data), step)], compressed=True)
    assert b"".join(data for kind, data in said if kind == "binary") == b"hello " * 1000
    assert [data for kind, data in said if kind == "ping"] == [b"p"]


def masked(payload: bytes, key: bytes) -> bytes:
    """A binary message, by a key of its own."""
    head = bytes((0x82, 0x80 | len(payload)))
    return head + key + bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))


@pytest.mark.parametrize("length", [1, 2, 3, 4, 27, 28, ALIKE_BYTES_MAX])
@pytest.mark.parametrize("behind", [b"", b"\x82", b"\x82\x9f1234", b"\x81\x811234x", b"\x82\x811234x" * 3])
def test_frames_of_one_length_are_unmasked_together_as_one_by_one(length: int, behind: bytes) -> None:
    chance = random.Random(length)
    count = max(ALIKE_MIN, length) + 3
    run = b"".join([masked(chance.randbytes(length), chance.randbytes(4)) for _ in range(count)])
    data = b"before" + run + behind
    expected, _ = common_frames(data, 6, BYTES_MAX)
    joined, found, stop = alike_frames(data, 6, BYTES_MAX)
    assert (found, stop) >= (count, 6 + len(run))
    assert joined == b"".join(expected[:found])
    assert stop == 6 + found * (length + 6)


def test_few_frames_or_long_ones_or_larger_than_they_may_be_are_not_for_this() -> None:
    for count, length, most in (
        (ALIKE_MIN - 1, 8, BYTES_MAX),
        (ALIKE_BYTES_MAX - 1, ALIKE_BYTES_MAX, BYTES_MAX),
        (500, ALIKE_BYTES_MAX + 1, BYTES_MAX),
        (500, 9, 8),
        (500, 0, BYTES_MAX),
    ):
        assert alike_frames(frame(0x82, b"x" * length) * count, 0, most) == (b"", 0, 0)
    assert alike_frames(b"\x82", 0, BYTES_MAX) == (b"", 0, 0)


@pytest.mark.parametrize("odd", [frame(0x82, b"shorter"), frame(0x81, b"as long.."), frame(0x02, b"as long..")])
@pytest.mark.parametrize("place", [0, ALIKE_MIN - 1, ALIKE_MIN, ALIKE_MIN + 5])
def test_it_stops_at_the_first_that_is_not_alike(odd: bytes, place: int) -> None:
    alike = frame(0x82, b"123456789")
    data = alike * place + odd + alike * 100
    joined, found, stop = alike_frames(data, 0, BYTES_MAX)
    if place >= ALIKE_MIN:
        assert (joined, found, stop) == (b"123456789" * place, place, place * len(alike))
    else:
        assert (joined, found, stop) == (b"", 0, 0)


def test_text_that_is_not_ascii_is_looked_at_message_by_message() -> None:
    """What is cut between two messages is no UTF-8, though their payloads behind each other are."""
    cut = [frame(0x81, b"x\xc3"), frame(0x81, b"\xbcx")] * 100
    whole = [frame(0x81, "xü".encode())] * 200
    assert heard_by_us([b"".join(cut)], False) == [WRONG_MESSAGE]
    assert heard_by_us([b"".join(whole)], False) == [("text", "xü".encode() * 200)]
