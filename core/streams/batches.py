"""The messages of a batch that a publisher packed, one after the other.

A batch is stored as it came (chunk.py) and takes an offset for each of its messages.  Who reads the stream protocol
unpacks it himself; for everybody else the broker does, as far as it can: batches that aren't compressed, and those of
gzip.

Unpacking goes in steps of bounded size, since a few kilobytes may unpack to very many, and ends where a batch has more
than it says.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from warren.core.storage.disk.errors import DamagedRecordError
from warren.core.streams.chunk import Batch

NONE: Final = 0
GZIP: Final = 1
COMPRESSIONS: Final = ("none", "gzip", "snappy", "lz4", "zstd")
"""By their numbers (spec H.2)."""

STEP_BYTES: Final = 256 << 10
"""Unpacked at a time: half a millisecond's worth."""

_GZIP_WINDOW: Final = 16 + zlib.MAX_WBITS
_SIZE_BYTES: Final = 4


def can_unpack(batch: Batch) -> bool:
    """True where `unpacked` can be asked."""
    return batch.compression in (NONE, GZIP)


def unpacked(batch: Batch) -> Iterator[bytes | None]:
    """The records of a batch that isn't compressed, or by gzip; None now and then, where others should have a turn.

    Never more records than the batch says.  Raises DamagedRecordError behind the last that can be read.
    """
    buffer = bytearray()
    left = batch.records
    total = 0
    for part in _parts(batch):
        total += len(part)
        if total > batch.unpacked_size:
            raise DamagedRecordError(f"it unpacks to more than the {batch.unpacked_size} bytes that it says")
        buffer += part
        at = 0
        is_empty = True
        while left and at + _SIZE_BYTES <= len(buffer):
            size = int.from_bytes(buffer[at : at + _SIZE_BYTES], "big")
            if size > batch.unpacked_size:
                raise DamagedRecordError(f"a message of {size} bytes in a batch of {batch.unpacked_size}")
            end = at + _SIZE_BYTES + size
            if end > len(buffer):
                break
            yield bytes(buffer[at + _SIZE_BYTES : end])
            at = end
            left -= 1
            is_empty = False
        del buffer[:at]
        if buffer and not left:
            raise DamagedRecordError(f"more stands behind its {batch.records} messages")
        if is_empty:
            yield None
    if left:
        raise DamagedRecordError(f"it says it holds {batch.records} messages, and holds {batch.records - left}")


def _parts(batch: Batch) -> Iterator[bytes]:
    """What it unpacks to, in parts."""
    if batch.compression == NONE:
        yield batch.data
        return
    unpacker = zlib.decompressobj(_GZIP_WINDOW)
    data = batch.data
    while not unpacker.eof:
        try:
            part = unpacker.decompress(data, STEP_BYTES)
        except zlib.error as error:
            raise DamagedRecordError(f"it is no gzip ({error})") from error
        data = unpacker.unconsumed_tail
        if not part and not data and not unpacker.eof:
            raise DamagedRecordError("its gzip is cut off")
        yield part
    if unpacker.unused_data:
        raise DamagedRecordError("something stands behind its gzip")
