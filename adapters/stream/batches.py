"""Batches that publishers pack: is what they say of themselves possible, and does it hold where that can be seen?

A batch is stored as it came, and whoever reads it unpacks it; so what nobody could unpack isn't taken.  Those that
aren't compressed, or by gzip, are looked into, as far as a bound; of the other kinds only what they say is looked at.
"""

from __future__ import annotations

import zlib
from typing import Final

from warren.adapters.stream.codec.messages import compression_of
from warren.core.streams.chunk import PACKED_BIT, records_of

HEAD_BYTES: Final = 11
UNPACKED_BYTES_MAX: Final = 64 << 20
"""RabbitMQ's: whoever reads it has to hold it."""

LOOKED_INTO_BYTES_MAX: Final = 4 << 20
"""Of a batch when it is unpacked: some milliseconds.  What says that it is larger isn't looked into."""

_NONE: Final = 0
_GZIP: Final = 1
_ZSTD: Final = 4
_SIZE_BYTES: Final = 4
_GZIP_WINDOW: Final = 31


def fault_of(entry: bytes, message_bytes_max: int) -> str:
    """What is wrong with an entry of a Publish, in words; nothing if it is right."""
    if not entry[0] & PACKED_BIT:
        size = len(entry) - _SIZE_BYTES
        if size > message_bytes_max:
            return f"a message of {size} bytes, {message_bytes_max} are possible"
        return ""
    records = records_of(entry)
    compression = compression_of(entry)
    unpacked_bytes = int.from_bytes(entry[3:7], "big")
    if unpacked_bytes > UNPACKED_BYTES_MAX:
        return f"a batch of {unpacked_bytes} bytes, {UNPACKED_BYTES_MAX} are possible"
    if not records:
        return "a batch of no messages"
    if records * _SIZE_BYTES > unpacked_bytes:
        return f"a batch of {records} messages in {unpacked_bytes} bytes"
    if compression > _ZSTD:
        return f"a batch with the unknown compression {compression}"
    data = entry[HEAD_BYTES:]
    if compression == _NONE:
        return _fault_inside(data, records, unpacked_bytes, message_bytes_max)
    if not data:
        return "a batch that is compressed to nothing"
    if compression == _GZIP and unpacked_bytes <= LOOKED_INTO_BYTES_MAX:
        try:
            # One byte more than it says, so that one that says too little is found out.
            unpacking = zlib.decompressobj(_GZIP_WINDOW)
            unpacked = unpacking.decompress(data, unpacked_bytes + 1)
        except zlib.error as error:
            return f"a batch that is no gzip ({error})"
        if len(unpacked) <= unpacked_bytes and not unpacking.eof:
            return "a batch whose gzip is cut off"
        return _fault_inside(unpacked, records, unpacked_bytes, message_bytes_max)
    return ""


def _fault_inside(data: bytes, records: int, unpacked_bytes: int, message_bytes_max: int) -> str:
    if len(data) != unpacked_bytes:
        return f"a batch of another size than the {unpacked_bytes} bytes that it says"
    at = 0
    for _ in range(records):
        size = int.from_bytes(data[at : at + _SIZE_BYTES], "big")
        if size > message_bytes_max:
            return f"a batch with a message of {size} bytes, {message_bytes_max} are possible"
        at += _SIZE_BYTES + size
    if at != len(data):
        return f"a batch that isn't {records} messages"
    return ""
