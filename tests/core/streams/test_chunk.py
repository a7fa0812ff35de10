"""Chunks: the layout of RabbitMQ's stream protocol, there and back, and what is no chunk."""

from __future__ import annotations

from struct import pack
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.streams.chunk import (
    HEAD_SIZE,
    Batch,
    Kind,
    batch_entry,
    decode_head,
    encode_chunk,
    entries_of,
    record_entry,
)

BATCHES = st.builds(
    Batch,
    compression=st.integers(0, 4),
    records=st.integers(1, 0xFFFF),
    unpacked_size=st.integers(0, 0xFFFF_FFFF),
    data=st.binary(max_size=100),
)


def test_the_layout_is_that_of_the_protocol() -> None:
    data = pack(">I", 3) + b"one" + pack(">BHII", 0x90, 2, 50, 4) + b"pack"
    chunk = encode_chunk(
        Kind.USER,
        [record_entry(b"one"), batch_entry(Batch(1, 2, 50, b"pack"))],
        3,
        time_ms=1_700_000_000_000,
        first_offset=41,
        filter_=b"f" * 16,
    )
    head = (
        bytes([0x50, 0]) + pack(">HIqQQIII", 2, 3, 1_700_000_000_000, 1, 41, crc32(data), len(data), 0) + b"\x10\0\0\0"
    )
    assert chunk == head + b"f" * 16 + data


@given(st.lists(st.binary(max_size=50) | BATCHES, max_size=20), st.integers(0, 2**63), st.binary(max_size=255))
def test_entries_come_back_with_their_offsets(entries: list[bytes | Batch], first: int, filter_: bytes) -> None:
    encoded = [record_entry(each) if isinstance(each, bytes) else batch_entry(each) for each in entries]
    records = sum(1 if isinstance(each, bytes) else each.records for each in entries)
    chunk = encode_chunk(Kind.USER, encoded, records, time_ms=5, first_offset=first, filter_=filter_)
    head = decode_head(chunk)
    assert (head.size, head.first_offset, head.records, head.entries) == (len(chunk), first, records, len(entries))
    found = list(entries_of(head, chunk[HEAD_SIZE + head.filter_size :]))
    assert [entry for _, entry in found] == entries
    expected = first
    for (offset, _), each in zip(found, entries, strict=True):
        assert offset == expected
        expected += 1 if isinstance(each, bytes) else each.records


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(b"\x50" * (HEAD_SIZE - 1), id="cut off"),
        pytest.param(b"\x51" + bytes(HEAD_SIZE), id="another magic"),
    ],
)
def test_what_is_no_head_is_refused(chunk: bytes) -> None:
    with pytest.raises(DamagedRecordError):
        decode_head(chunk)


@pytest.mark.parametrize(
    ("entries", "records", "data"),
    [
        pytest.param(1, 1, b"\0\0", id="no size"),
        pytest.param(1, 1, b"\0\0\0\x05abc", id="a record cut off"),
        pytest.param(1, 1, b"\x90\0\x01", id="a batch cut off"),
        pytest.param(1, 2, record_entry(b"a"), id="fewer records than said"),
        pytest.param(1, 1, record_entry(b"a") + b"x", id="bytes left over"),
    ],
)
def test_entries_that_the_head_contradicts_are_refused(entries: int, records: int, data: bytes) -> None:
    head = decode_head(encode_chunk(Kind.USER, [b""] * entries, records, time_ms=0, first_offset=0))
    with pytest.raises(DamagedRecordError):
        list(entries_of(head, data))
