"""Batches that publishers pack: is what they say of themselves possible, and does it hold where that can be seen?

A batch is stored as it came, and whoever reads it unpacks it; so what nobody could unpack isn't taken.  Those that
aren't compressed, or by gzip, are looked into, all of them; of the other kinds only what they say is looked at.

Looking goes in steps, since a few kilobytes may unpack to very many: no more than a step is ever unpacked at a time,
and of messages nothing is kept but how much of one is still to come.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from warren.adapters.stream.codec.messages import compression_of
from warren.core.streams.chunk import PACKED_BIT, records_of

HEAD_BYTES: Final = 11
UNPACKED_BYTES_MAX: Final = 64 << 20
"""RabbitMQ's: whoever reads it has to hold it."""

UNPACKED_PER_FRAME_BYTES_MAX: Final = 256 << 20
"""Of all batches of a frame that are looked into: a megabyte may unpack to a thousand, and that would be seconds of
work.  What goes beyond isn't taken."""

STEP_BYTES: Final = 256 << 10
"""Unpacked at a time: a millisecond's worth at most."""

COMMANDS_PER_STEP: Final = 32
"""As so many commands of a ration a step counts."""

RECORDS_PER_STEP: Final = 512
"""Messages that are passed at a time: up to half a millisecond."""

COMMANDS_PER_BATCH: Final = 1
"""As so many commands each batch counts that is looked into, however small it is: some ten microseconds."""

_NONE: Final = 0
_GZIP: Final = 1
_ZSTD: Final = 4
_SIZE_BYTES: Final = 4
_GZIP_WINDOW: Final = 31


class Looking:
    """Into the entries of one Publish frame, one after the other.

    fault: what is wrong with the last one, in words; nothing if it is right.
    """

    __slots__ = ("_left", "_message_bytes_max", "fault")

    def __init__(self, message_bytes_max: int) -> None:
        self._message_bytes_max = message_bytes_max
        self._left = UNPACKED_PER_FRAME_BYTES_MAX
        self.fault = ""

    def into(self, entry: bytes) -> Iterator[int]:
        """Look into an entry; after each step, as how many commands of a ration it counts."""
        self.fault = ""
        if not entry[0] & PACKED_BIT:
            size = len(entry) - _SIZE_BYTES
            if size > self._message_bytes_max:
                self.fault = f"a message of {size} bytes, {self._message_bytes_max} are possible"
            return
        self.fault = _fault_of_head(entry)
        if self.fault:
            return
        compression = compression_of(entry)
        unpacked_bytes = int.from_bytes(entry[3:7], "big")
        if compression == _GZIP:
            if unpacked_bytes > self._left:
                self.fault = f"batches of more than {UNPACKED_PER_FRAME_BYTES_MAX} bytes in one frame"
                return
            self._left -= unpacked_bytes
        elif compression != _NONE:
            return
        yield COMMANDS_PER_BATCH
        records = records_of(entry)
        data = entry[HEAD_BYTES:]
        # Of the message that is being passed so many bytes are still to come, or these are of its size.
        skip = 0
        rest = b""
        unpacking = zlib.decompressobj(_GZIP_WINDOW) if compression == _GZIP else None
        total = 0
        while True:
            if unpacking is None:
                part = data
            else:
                try:
                    # One byte more than it says, so that one that says too little is found out.
                    part = unpacking.decompress(data, min(STEP_BYTES, unpacked_bytes + 1 - total))
                except zlib.error as error:
                    self.fault = f"a batch that is no gzip ({error})"
                    return
                data = unpacking.unconsumed_tail
                total += len(part)
                if total > unpacked_bytes:
                    self.fault = _of_another_size(unpacked_bytes)
                    return
            buffer = rest + part
            at = skip
            passed = 0
            while records and at + _SIZE_BYTES <= len(buffer):
                size = int.from_bytes(buffer[at : at + _SIZE_BYTES], "big")
                if size > self._message_bytes_max:
                    most = self._message_bytes_max
                    self.fault = f"a batch with a message of {size} bytes, {most} are possible"
                    return
                at += _SIZE_BYTES + size
                records -= 1
                passed += 1
                if passed == RECORDS_PER_STEP:
                    passed = 0
                    yield COMMANDS_PER_STEP
            skip = max(at - len(buffer), 0)
            rest = buffer[at:]
            if rest and not records:
                break
            if unpacking is None or unpacking.eof:
                break
            if not part and not data:
                self.fault = "a batch whose gzip is cut off"
                return
            yield COMMANDS_PER_STEP
        if unpacking is not None and total != unpacked_bytes and not rest:
            self.fault = _of_another_size(unpacked_bytes)
        elif unpacking is not None and unpacking.unused_data:
            self.fault = "a batch with something behind its gzip"
        elif records or skip or rest:
            self.fault = f"a batch that isn't {records_of(entry)} messages"


def _fault_of_head(entry: bytes) -> str:
    """What is wrong with what a batch says of itself."""
    records = records_of(entry)
    compression = compression_of(entry)
    unpacked_bytes = int.from_bytes(entry[3:7], "big")
    data_bytes = len(entry) - HEAD_BYTES
    if unpacked_bytes > UNPACKED_BYTES_MAX:
        return f"a batch of {unpacked_bytes} bytes, {UNPACKED_BYTES_MAX} are possible"
    if not records:
        return "a batch of no messages"
    if records * _SIZE_BYTES > unpacked_bytes:
        return f"a batch of {records} messages in {unpacked_bytes} bytes"
    if compression > _ZSTD:
        return f"a batch with the unknown compression {compression}"
    if compression == _NONE:
        return "" if data_bytes == unpacked_bytes else _of_another_size(unpacked_bytes)
    return "" if data_bytes else "a batch that is compressed to nothing"


def _of_another_size(unpacked_bytes: int) -> str:
    return f"a batch of another size than the {unpacked_bytes} bytes that it says"
