"""WebSocket frames on the path of messages: the common ones in, and all data frames out (RFC 6455, 5.2).

The common frame is whole in what was read, a message by itself, not compressed, and masked, as clients must.  Parsing
it here takes a fraction of what wsproto needs, which does everything else (frame_reader.py); the tests hold one against
the other.
"""

from __future__ import annotations

from typing import Final

from wsproto.frame_protocol import XorMaskerSimple

TEXT: Final = 0x81
BINARY: Final = 0x82
"""First bytes of a message in one frame: FIN and the opcode."""

COMPRESSED: Final = 0x40
"""RSV1 in the first byte (RFC 7692, 6)."""

_MASKED: Final = 0x80
"""In the second byte, beside the length."""

_WORDS_MAX: Final = 200
"""Longer payloads are unmasked faster in wsproto's way, byte by byte through tables: as numbers 30 bytes take 0.6 µs
instead of 1.6 µs, but 64 KiB take 170 µs instead of 80 µs (CPython 3.11)."""

_REPEAT: Final = tuple(sum(1 << 32 * each for each in range(count)) for count in range(_WORDS_MAX + 1))
"""A key times the n-th of these is the key n times in a row."""


def head(first: int, length: int) -> bytes:
    """The head of a frame from the server, which doesn't mask."""
    if length < 126:
        return bytes((first, length))
    if length < 65536:
        return bytes((first, 126, length >> 8, length & 0xFF))
    return bytes((first, 127)) + length.to_bytes(8, "big")


RUN_BYTES: Final = 64 * 1024
"""A run of frames ends after so many bytes: 8,192 of the smallest frames, some 5 ms."""


def common_frames(data: bytes, position: int, bytes_max: int) -> tuple[list[bytes], int]:
    """(payloads, where they end) of the common frames from `position` on that begin with the same byte.

    It stops in front of anything else, and of frames with more than `bytes_max` bytes.  Long, since it is one loop that
    runs for every message.  A frame from a client (RFC 6455, 5.2), in bytes:

        0        FIN 1, RSV 000, opcode 1 or 2: 0x81 is TEXT, 0x82 BINARY
        1        MASK 1, then seven bits: the length up to 125, or 126, or 127
        2-3      with 126: the length, at least 126, since it has to be written as short as possible
        2-9      with 127: the length, at least 65536
        4 bytes  the masking key
        length   the payload, each byte XORed with the key's byte of its position modulo 4
    """
    payloads: list[bytes] = []
    append = payloads.append
    number = int.from_bytes
    first = data[position]
    end = len(data)
    pause_at = position + RUN_BYTES
    while position < pause_at and end - position >= 6 and data[position] == first:
        length = data[position + 1] - _MASKED
        start = position + 6
        if length > 125:
            if length == 126:
                start += 2
                length = data[position + 2] << 8 | data[position + 3]
                if length < 126:
                    break
            else:
                start += 8
                length = number(data[position + 2 : position + 10], "big")
                if length < 65536:
                    break
        stop = start + length
        if stop > end or length < 0 or length > bytes_max:
            break
        words = (length + 3) >> 2
        if words <= _WORDS_MAX:
            pattern = number(data[start - 4 : start], "little") * _REPEAT[words]
            plain = (number(data[start:stop], "little") ^ pattern).to_bytes(words << 2, "little")
            append(plain if not length & 3 else plain[:length])
        else:
            append(bytes(XorMaskerSimple(data[start - 4 : start]).process(bytearray(data[start:stop]))))
        position = stop
    return payloads, position


ALIKE_MIN: Final = 32
ALIKE_BYTES_MAX: Final = 64
"""So many frames of one length are worth being unmasked together, if they aren't longer: that is 0.2 µs each, and
0.3 µs for each byte of one; longer ones gain little by it."""


def alike_frames(data: bytes, position: int, bytes_max: int) -> tuple[bytes, int, int]:
    """(their payloads, how many they are, where they end) of common frames of one length, one behind the other.

    None where they are few; `common_frames` takes those.  Programs send messages of the same kind, so most frames of a
    read have one length, and their bytes lie at equal distances, each with a key of its own.  So first all first bytes
    of payloads are put in their places, then all second ones, likewise what each is masked with, and the two are XORed
    as two numbers.
    """
    length = data[position + 1] - _MASKED if len(data) > position + 1 else 0
    if not 0 < length <= min(bytes_max, ALIKE_BYTES_MAX):
        return b"", 0, position
    step = length + 6
    most = min(len(data) - position, RUN_BYTES) // step
    if most < ALIKE_MIN or most < length:
        return b"", 0, position
    stop = position + most * step
    # What is left when those that begin as the first does are taken off.
    others = data[position:stop:step].lstrip(data[position : position + 1])
    of_other_length = data[position + 1 : stop : step].lstrip(data[position + 1 : position + 2])
    count = most - max(len(others), len(of_other_length))
    if count < ALIKE_MIN or count < length:
        return b"", 0, position
    stop = position + count * step
    size = count * length
    masked, mask = bytearray(size), bytearray(size)
    keys = [data[position + 2 + at : stop : step] for at in range(4)]
    for at in range(length):
        masked[at::length] = data[position + 6 + at : stop : step]
        mask[at::length] = keys[at & 3]
    plain = int.from_bytes(masked, "little") ^ int.from_bytes(mask, "little")
    return plain.to_bytes(size, "little"), count, stop


def parse_head(data: bytes, position: int) -> tuple[int, int] | None:
    """(bytes of the head, bytes of the payload) as a frame at `position` states them; None while that is cut."""
    available = len(data) - position
    if available < 2:
        return None
    second = data[position + 1]
    length = second & 0x7F
    size = 6 if second & _MASKED else 2
    if length >= 126:
        more = 2 if length == 126 else 8
        size += more
        length = int.from_bytes(data[position + 2 : position + 2 + more], "big")
    return (size, length) if available >= size else None


def is_utf8(data: bytes) -> bool:
    """Whether these bytes may be the payload of a text message (RFC 6455, 5.6)."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
