"""Tickets of a backlog (backlog.py) in arrays: 12 or 20 bytes each instead of 56, and nothing for a garbage collection.

A *pack* is a row of tickets that follow each other in a queue: log positions, body sizes, and sequences, which are None
where positions serve as such, as they do behind a restart.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

if TYPE_CHECKING:
    from warren.core.messages.message import Message

_POSITION_BITS: Final = 64
_SIZE_BITS: Final = 32
_POSITION_MASK: Final = (1 << _POSITION_BITS) - 1
_SIZE_MASK: Final = (1 << _SIZE_BITS) - 1
_SEQUENCE_SHIFT: Final = _POSITION_BITS + _SIZE_BITS

PACKED_TICKETS: Final = 1024
"""In one pack: what is taken apart at once, in a quarter of a millisecond."""

PACKED_TICKETS_MIN: Final = 16
"""From so many on a pack, with its arrays, is smaller than what is in it."""

Pack: TypeAlias = "tuple[array[int], array[int], array[int] | None]"


def make_ticket(sequence: int, body_size: int, position: int) -> int:
    """Pack what a queue must know of a message that is not in memory."""
    return sequence << _SEQUENCE_SHIFT | body_size << _POSITION_BITS | position


def ticket_sequence(ticket: int) -> int:
    """The sequence of a ticket."""
    return ticket >> _SEQUENCE_SHIFT


def ticket_position(ticket: int) -> int:
    """The log position of a ticket."""
    return ticket & _POSITION_MASK


def ticket_size(ticket: int) -> int:
    """The body size of a ticket, in bytes."""
    return (ticket >> _POSITION_BITS) & _SIZE_MASK


def pack(tickets: Sequence[int]) -> Pack:
    """A pack of these tickets."""
    positions = array("Q", [ticket & _POSITION_MASK for ticket in tickets])
    sizes = array("I", [(ticket >> _POSITION_BITS) & _SIZE_MASK for ticket in tickets])
    sequences = array("Q", [ticket >> _SEQUENCE_SHIFT for ticket in tickets])
    return positions, sizes, None if sequences == positions else sequences


def unpack(packed: Pack) -> list[int]:
    """The tickets in a pack."""
    positions, sizes, sequences = packed
    return list(map(make_ticket, positions if sequences is None else sequences, sizes, positions))


def each_unpacked(entries: deque[Message | int], packs: dict[int, Pack], start: int) -> Iterator[Message | int]:
    """All entries with what is packed behind them, from an index on."""
    for entry in entries:
        if start > 0:
            start -= 1
        else:
            yield entry
        packed = packs.get(entry) if isinstance(entry, int) else None
        if packed is None:
            continue
        if start >= len(packed[0]):
            start -= len(packed[0])
        else:
            yield from unpack(packed)[start:]
            start = 0


def each_taken(entries: deque[Message | int], packs: dict[int, Pack]) -> Iterator[Message | int]:
    """All entries with what is packed behind them, which leave the deque as they come: a million at once take long."""
    while entries:
        entry = entries.popleft()
        yield entry
        packed = packs.pop(entry, None) if isinstance(entry, int) else None
        if packed is not None:
            yield from unpack(packed)
