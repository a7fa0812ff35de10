"""Transfers, dispositions and flows that are like most of them, read and written by hand: many come with each read.

What is unusual in any way (a described value, a delivery state of some other kind, a long form where nobody uses one)
goes to the declarations in performatives.py; both say the same of everything (a property test sees to it).
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from warren.adapters.amqp10.codec.composites import decode_composite
from warren.adapters.amqp10.codec.encoding import binary, uint
from warren.adapters.amqp10.codec.errors import Undecodable
from warren.adapters.amqp10.codec.performatives import Disposition, Transfer
from warren.adapters.amqp10.codec.termini import Accepted

OPEN: Final = 0x10
FLOW: Final = 0x13
TRANSFER: Final = 0x14
DISPOSITION: Final = 0x15

ACCEPTED_BYTES: Final[bytes] = b"\x00\x53\x24\x45"
_ACCEPTED_LONG: Final = b"\x00\x53\x24\xc0\x01\x00"

_u32 = Struct(">I")
_head = Struct(">IBBH")

pack_id_and_tag = Struct(">IHI").pack
"""A delivery-id behind its code, and a tag of four bytes behind its code and size."""

TAG_OF_4: Final = 0xA004
ID_AND_TAG_BYTES: Final = 10

_PLACES: Final = 11


class _UnusualError(Exception):
    """To be read by its declaration."""


def read_transfer(data: bytes, at: int, end: int) -> tuple[Transfer, int]:
    """The transfer at `at`, and where its payload begins."""
    try:
        return _transfer(data, at, end)
    except (_UnusualError, IndexError):
        found, payload_at = decode_composite(data, at, end)
        if not isinstance(found, Transfer):
            raise Undecodable("no transfer", clause="2.7.5") from None
        return found, payload_at


def _transfer(data: bytes, at: int, end: int) -> tuple[Transfer, int]:
    if data[at : at + 4] != b"\x00\x53\x14\xc0":
        raise _UnusualError
    stop = at + 5 + data[at + 4]
    count = data[at + 5]
    at += 6
    if stop > end or not 1 <= count <= _PLACES:
        raise _UnusualError
    made = Transfer()
    for place in range(count):
        code = data[at]
        at += 1
        if code == 0x40:
            if not place:
                raise _UnusualError
            continue
        if code == 0x41 or code == 0x42:
            _flag(made, place, code == 0x41)
        elif code == 0xA0 and place == 2:
            size = data[at]
            made.delivery_tag = data[at + 1 : at + 1 + size]
            at += 1 + size
        elif code == 0x43 or code == 0x52 or code == 0x70:
            if code == 0x43:
                number = 0
            elif code == 0x52:
                number = data[at]
                at += 1
            else:
                number = int.from_bytes(data[at : at + 4], "big")
                at += 4
            if place == 0:
                made.handle = number
            elif place == 1:
                made.delivery_id = number
            elif place == 3:
                made.message_format = number
            else:
                raise _UnusualError
        else:
            raise _UnusualError
    if at != stop:
        raise _UnusualError
    return made, stop


def _flag(made: Transfer, place: int, value: bool) -> None:
    if place == 4:
        made.settled = value
    elif place == 5:
        made.more = value
    elif place == 8:
        made.resume = value
    elif place == 9:
        made.aborted = value
    elif place == 10:
        made.batchable = value
    else:
        raise _UnusualError


def read_disposition(data: bytes, at: int, end: int) -> Disposition:
    """The disposition at `at`, which ends at `end`."""
    try:
        found = _disposition(data, at, end)
    except (_UnusualError, IndexError):
        found, stop = decode_composite(data, at, end)
        if not isinstance(found, Disposition):
            raise Undecodable("no disposition", clause="2.7.6") from None
        if stop != end:
            raise Undecodable(f"{end - stop} bytes behind a disposition", clause="2.3.2") from None
    return found


def _disposition(data: bytes, at: int, end: int) -> Disposition:
    if data[at : at + 4] != b"\x00\x53\x15\xc0" or at + 5 + data[at + 4] != end:
        raise _UnusualError
    count = data[at + 5]
    role = data[at + 6]
    if not 2 <= count <= 5 or (role != 0x41 and role != 0x42):
        raise _UnusualError
    made = Disposition()
    made.role = role == 0x41
    made.first, at = _uint(data, at + 7)
    if count > 2:
        if data[at] == 0x40:
            at += 1
        else:
            made.last, at = _uint(data, at)
    if count > 3:
        code = data[at]
        at += 1
        if code != 0x41 and code != 0x42:
            raise _UnusualError
        made.settled = code == 0x41
    if count > 4:
        state = data[at:end]
        if state in (ACCEPTED_BYTES, _ACCEPTED_LONG):
            made.state = Accepted()
            at = end
        elif state == b"\x40":
            at = end
    if at != end:
        raise _UnusualError
    return made


def _uint(data: bytes, at: int) -> tuple[int, int]:
    code = data[at]
    if code == 0x43:
        return 0, at + 1
    if code == 0x52:
        return data[at + 1], at + 2
    if code == 0x70:
        return int.from_bytes(data[at + 1 : at + 5], "big"), at + 5
    raise _UnusualError


def transfer_around(channel: int, handle: bytes, *, settled: bool, payload_bytes: int) -> tuple[bytes, bytes]:
    """The frame of a whole message up to its delivery-id, and from behind its tag up to its payload.

    What stands in between is `pack_id_and_tag(id, TAG_OF_4, id)`: the id in four bytes, whatever it is, so that all
    frames of a size are alike, and the tag, which is the id.  handle: as `encoding.uint` writes it.
    """
    list_bytes = 1 + len(handle) + 1 + ID_AND_TAG_BYTES + 2
    size = 8 + 5 + list_bytes
    begin = b"%b\x00\x53\x14\xc0%c\x05%b\x70" % (
        _head.pack(size + payload_bytes, 2, 0, channel),
        list_bytes,
        handle,
    )
    return begin, b"\x43\x41" if settled else b"\x43\x42"


def part_head(
    channel: int,
    handle: bytes,
    delivery_id: int | None,
    *,
    settled: bool,
    more: bool,
    payload_bytes: int,
    tag_prefix: bytes = b"",
) -> bytes:
    """The frame of a part of a message; delivery_id: with the first part alone.  tag_prefix: stands before the id in
    the tag."""
    if delivery_id is None:
        begin = handle + b"\x40\x40\x40"
    else:
        begin = handle + uint(delivery_id) + binary(tag_prefix + _u32.pack(delivery_id)) + b"\x43"
    fields = begin + (b"\x41" if settled else b"\x42") + (b"\x41" if more else b"\x42")
    size = 8 + 6 + len(fields)
    return b"%b\x00\x53\x14\xc0%c\x06%b" % (
        _head.pack(size + payload_bytes, 2, 0, channel),
        len(fields) + 1,
        fields,
    )


def disposition(channel: int, *, receiver: bool, first: int, last: int, state: bytes, settled: bool = True) -> bytes:
    """A frame that settles the deliveries from `first` to `last`, or only says their state.  state: encoded."""
    fields = b"%b%b%b%b%b" % (
        b"\x41" if receiver else b"\x42",
        uint(first),
        uint(last),
        b"\x41" if settled else b"\x42",
        state,
    )
    if len(fields) < 255:
        body = b"\x00\x53\x15\xc0%c\x05%b" % (len(fields) + 1, fields)
    else:
        body = b"\x00\x53\x15\xd0%b\0\0\0\x05%b" % (_u32.pack(len(fields) + 4), fields)
    return _head.pack(8 + len(body), 2, 0, channel) + body
