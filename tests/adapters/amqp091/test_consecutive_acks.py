"""How many acknowledgements of one delivery after the other there are: never one too many."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from warren.adapters.amqp091.codec import methods
from warren.adapters.amqp091.consecutive_acks import ACK_FRAME_BYTES, ACK_TAG_AT, BLOCK_TAGS, ConsecutiveAcks

FIRST = st.one_of(st.integers(1, 300), st.integers(2**32 - 100, 2**32 + 100), st.just(2**63))


def frame(tag: int) -> bytes:
    return methods.encode_frame(7, methods.BasicAck(tag))


def count(acks: ConsecutiveAcks, tag: int, data: bytes, position: int = 0) -> int:
    return acks.count(frame(tag)[:ACK_TAG_AT], tag, data, position)


@given(st.lists(st.tuples(FIRST, st.integers(1, 200)), min_size=1, max_size=5), st.integers(0, ACK_FRAME_BYTES - 1))
def test_all_to_the_end_of_a_block(runs: list[tuple[int, int]], more_bytes: int) -> None:
    acks = ConsecutiveAcks()
    for first, length in runs:
        data = b"before" + b"".join(map(frame, range(first, first + length))) + frame(first)[:more_bytes]
        found = count(acks, first, data, len(b"before"))
        most = min(length, BLOCK_TAGS - first % BLOCK_TAGS)
        assert found == (most if most > 3 else 1)


@given(FIRST, st.integers(4, 63), st.data())
def test_none_behind_one_that_is_otherwise(first: int, length: int, data: st.DataObject) -> None:
    frames = bytearray(b"".join(map(frame, range(first, first + length))))
    place = data.draw(st.integers(ACK_FRAME_BYTES, len(frames) - 1))
    frames[place] ^= data.draw(st.integers(1, 255))
    assert 1 <= count(ConsecutiveAcks(), first, bytes(frames)) <= place // ACK_FRAME_BYTES


def test_another_order() -> None:
    data = b"".join(map(frame, [9, 8, 7, 6, 5, 4]))
    assert count(ConsecutiveAcks(), 9, data) == 1
