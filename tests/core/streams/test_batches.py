"""Batches that publishers pack, read one message at a time."""

from __future__ import annotations

import gzip
from collections.abc import Sequence

import pytest

from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.streams.batches import STEP_BYTES, can_unpack, unpacked
from warren.core.streams.chunk import Batch


def packed(records: Sequence[bytes], compression: int) -> Batch:
    data = b"".join(len(record).to_bytes(4, "big") + record for record in records)
    return Batch(compression, len(records), len(data), gzip.compress(data) if compression else data)


def read(batch: Batch) -> list[bytes]:
    return [record for record in unpacked(batch) if record is not None]


@pytest.mark.parametrize("compression", [0, 1], ids=["none", "gzip"])
@pytest.mark.parametrize(
    "records",
    [[b""], [b"one", b"", b"three"], [b"x" * 1000] * 2000, [b"y" * (3 * STEP_BYTES), b"z"]],
    ids=["an empty one", "some", "many", "large"],
)
def test_its_messages_come_in_order(records: list[bytes], compression: int) -> None:
    batch = packed(records, compression)
    assert can_unpack(batch)
    assert read(batch) == records


@pytest.mark.parametrize("compression", [2, 3, 4, 7])
def test_other_compressions_are_for_others(compression: int) -> None:
    assert not can_unpack(Batch(compression, 1, 5, b"....."))


def test_a_large_message_lets_others_have_turns_while_it_is_unpacked() -> None:
    found = list(unpacked(packed([b"." * (4 * STEP_BYTES)], 1)))
    assert found[:3] == [None] * 3
    assert [record for record in found if record is not None] == [b"." * (4 * STEP_BYTES)]


def test_many_small_messages_need_no_such_turns() -> None:
    assert None not in list(unpacked(packed([b"." * 100] * 10_000, 1)))[:-1]


MALFORMED = {
    "no gzip": Batch(1, 1, 5, b"hello"),
    "gzip that is cut off": packed([b"hello"] * 100, 1)._replace(data=packed([b"hello"] * 100, 1).data[:-9]),
    "something behind the gzip": packed([b"hello"], 1)._replace(data=packed([b"hello"], 1).data + b"."),
    "more than it says": packed([b"hello"] * 100, 1)._replace(unpacked_size=50),
    "fewer messages": packed([b"hello"], 0)._replace(records=2),
    "more messages": packed([b"hello"] * 3, 0)._replace(records=2),
    "a size beyond the batch": Batch(0, 1, 8, b"\0\0\0\x05....."[:8]),
    "a size beyond everything": Batch(0, 1, 8, b"\x7f\xff\xff\xff...."),
    "a size that is cut off": Batch(0, 1, 4, b"\0\0\0"),
    "nothing": Batch(0, 1, 4, b""),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_what_is_malformed_ends_in_an_error(what: str) -> None:
    batch = MALFORMED[what]
    found: list[bytes | None] = []
    with pytest.raises(DamagedRecordError):
        found.extend(unpacked(batch))
    assert len(found) <= batch.records


def test_a_bomb_is_unpacked_no_further_than_it_says() -> None:
    bomb = gzip.compress(bytes(64 << 20))
    found: list[bytes | None] = []
    with pytest.raises(DamagedRecordError, match="more than the 1000 bytes"):
        found.extend(unpacked(Batch(1, 200, 1000, bomb)))
    assert found == []
