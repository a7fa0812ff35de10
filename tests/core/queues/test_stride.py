"""Rows of alike messages: found once, written once, and never another's."""

from __future__ import annotations

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from warren.core.messages.address import Address
from warren.core.messages.message import Message
from warren.core.messages.properties import EMPTY
from warren.core.queues.stride import STRIDE_MAX, LatestStride

ADDRESSES = (Address("e", "a"), Address("e", "b"))


def message(sequence: int, address: int = 0, framed_for: int = 5, content: bytes = b"[body]", size: int = 4) -> Message:
    return Message(sequence, ADDRESSES[address], EMPTY, content, 1, size, framed_for, 0)


MESSAGES = st.lists(
    st.builds(
        message,
        st.integers(1, 1000),
        st.sampled_from((0, 0, 0, 1)),
        st.sampled_from((5, 5, 5, 6)),
        st.sampled_from((b"[body]", b"[BODY]", b"[longer]")),
        st.sampled_from((4, 4, 4, 5)),
    ),
    min_size=1,
    max_size=12,
)


def alike(messages: list[Message], most: int) -> list[Message]:
    """What `find` should find, by looking at each."""

    def looks(each: Message) -> tuple[object, ...]:
        return each.address, each.framed_for, each.body_size, len(each.content)

    found = []
    for each in messages[:most]:
        if looks(each) != looks(messages[0]):
            break
        found.append(each)
    return found


@given(MESSAGES, st.lists(st.tuples(st.integers(1, 14), st.integers(0, 11)), min_size=1, max_size=6))
def test_what_is_found_is_alike_whoever_looked_before(messages: list[Message], looks: list[tuple[int, int]]) -> None:
    stride = LatestStride()
    for most, start in looks:
        rest = messages[min(start, len(messages) - 1) :]
        expected = alike(rest, most)
        count = stride.find(deque(rest), most)
        # Whoever looked before may have asked for fewer of them: what is found then is those.
        assert 1 <= count <= len(expected)
        assert stride.messages[:count] == expected[:count]
        assert stride.contents[:count] == [each.content for each in expected[:count]]


def test_others_behind_the_same_first_message_are_seen() -> None:
    stride = LatestStride()
    first, second, third = message(1), message(2), message(3)
    assert stride.find(deque([first, second, third]), 9) == 3
    other = message(4, content=b"[BODY]")
    assert stride.find(deque([first, other, third]), 9) == 3
    assert stride.contents == [b"[body]", b"[BODY]", b"[body]"]


def test_a_ticket_is_no_message() -> None:
    stride = LatestStride()
    assert stride.find(deque([7, message(1)]), 9) == 0
    assert stride.find(deque([message(1), 7, message(2)]), 9) == 1


def test_so_many_are_looked_at_together() -> None:
    stride = LatestStride()
    assert stride.find(deque([message(1)] * (STRIDE_MAX + 5)), STRIDE_MAX + 5) == STRIDE_MAX


@given(st.lists(st.binary(min_size=3, max_size=3), min_size=1, max_size=30), st.data())
def test_packets_are_as_one_by_one(contents: list[bytes], data: st.DataObject) -> None:
    stride = LatestStride()
    stride.find(deque([message(1, content=each, size=1) for each in contents]), 99)
    for _ in range(3):
        at = data.draw(st.integers(0, len(contents) - 1))
        count = data.draw(st.integers(1, len(contents) - at))
        octet = data.draw(st.integers(0, 256 - count))
        prefix = data.draw(st.sampled_from((b"<\0>", b"x\0y", b"\0 ")))
        octet_at = prefix.index(0)
        expected = b"".join(
            [
                prefix[:octet_at] + bytes((octet + number,)) + prefix[octet_at + 1 :] + contents[at + number]
                for number in range(count)
            ]
        )
        assert stride.packets(prefix, octet_at, octet, at, count) == expected


def test_nothing_is_kept_over_the_end_of_a_turn() -> None:
    stride = LatestStride()
    messages: deque[Message | int] = deque([message(1, content=b"[one!]"), message(2, content=b"[two!]")])
    stride.find(messages, 2)
    stride.packets(b"\0", 0, 1, 0, 2)
    stride.forget()
    assert (stride.messages, stride.contents) == ([], [])
    stride.find(deque([message(3, content=b"[new!]"), message(4, content=b"[new?]")]), 2)
    assert stride.packets(b"\0", 0, 1, 0, 2) == b"\x01[new!]\x02[new?]"
