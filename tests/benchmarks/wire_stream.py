"""The few frames of the stream protocol that the load generator sends and expects, encoded by hand.

Written independently of the broker's codec on purpose, as wire.py is.  A frame is size u32, key u16, version u16 and,
where it is answered, a correlation id u32; the answer's key has the highest bit set, and its first field is a code u16,
1 for what is done.  A string is u16 and its bytes; an array has a count of 32 bits.
"""

from __future__ import annotations

import struct

from tests.benchmarks.client import LoadError

DECLARE_PUBLISHER, PUBLISH, PUBLISH_CONFIRM, PUBLISH_ERROR = 1, 2, 3, 4
SUBSCRIBE, DELIVER, CREDIT = 7, 8, 9
CREATE, DELETE, METADATA_UPDATE = 13, 14, 16
PEER_PROPERTIES, SASL_HANDSHAKE, SASL_AUTHENTICATE, TUNE, OPEN, CLOSE, HEARTBEAT = 17, 18, 19, 20, 21, 22, 23

RESPONSE = 0x8000
OK = 1

OFFSET_FIRST = 1

SIZE = struct.Struct(">I")
HEAD = struct.Struct(">IHH")
KEY_BYTES = 4
"""Of key and version, with which what a size counts begins."""

COUNTED = struct.Struct(">BI")
"""In Publish and PublishConfirm: the publisher, and how many messages or ids."""

CHUNK = struct.Struct(">BBHIqQQIIIB3x")
"""The head of a chunk: magic and version, kind, entries, records, time, epoch, first offset, CRC of the data, bytes of
data, of trailer, of filter."""

MAGIC = 0x50

NAMES = {
    PUBLISH_ERROR: "PublishError",
    METADATA_UPDATE: "MetadataUpdate",
    CLOSE: "Close",
    HEARTBEAT: "Heartbeat",
    CREDIT | RESPONSE: "Credit's answer",
}


def frame(key: int, fields: bytes, *, version: int = 1) -> bytes:
    """One frame."""
    return HEAD.pack(KEY_BYTES + len(fields), key, version) + fields


def string(text: str) -> bytes:
    """A string."""
    data = text.encode()
    return struct.pack(">H", len(data)) + data


def properties(**values: str) -> bytes:
    """A table of strings."""
    return struct.pack(">I", len(values)) + b"".join([string(name) + string(value) for name, value in values.items()])


def message(body: bytes) -> bytes:
    """A message that is one data section of AMQP 1.0, as clients write it; of at most 255 bytes."""
    return b"\x00\x53\x75\xa0%c%b" % (len(body), body)


def describe(body: bytes) -> str:
    """A frame without its size, for people."""
    key, _ = struct.unpack_from(">HH", body)
    return f"{NAMES.get(key, f'a frame of key {key:#x}')} with {len(body)} bytes: {body[KEY_BYTES:120].hex()}"


class Frames:
    """Cuts what comes into frames, without their sizes."""

    def __init__(self) -> None:
        self._unread = bytearray()

    def cut(self, received: bytes) -> list[bytes]:
        """The frames that are whole now."""
        self._unread += received
        found = []
        at = 0
        while len(self._unread) - at >= SIZE.size:
            (size,) = SIZE.unpack_from(self._unread, at)
            if size < KEY_BYTES:
                raise LoadError(f"a frame of {size} bytes")
            if at + SIZE.size + size > len(self._unread):
                break
            found.append(bytes(self._unread[at + SIZE.size : at + SIZE.size + size]))
            at += SIZE.size + size
        del self._unread[:at]
        return found
