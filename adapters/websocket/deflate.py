"""permessage-deflate (RFC 7692): what is agreed on, what goes out compressed, and how far anything is inflated.

Neither side keeps a window from one message to the next (`no_context_takeover` both ways), since that would cost each
connection some 300 KiB for as long as it lives, idle or not; batches are long enough to compress well alone.

wsproto parses frames, but inflates whatever it is given in one piece, and forgets that a message is compressed when a
ping comes between its fragments.  So `Inflater` is an extension of its own to it, which stops at a limit: a message of
16 KiB may hold 16 MiB.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason, Opcode, RsvBits

if TYPE_CHECKING:
    from wsproto.frame_protocol import FrameDecoder, FrameProtocol

NAME: Final = "permessage-deflate"

COMPRESSED_BYTES_MIN: Final = 1024
"""Batches below go out as they are: setting zlib up takes about 40 µs, and buys next to nothing."""

LEVEL: Final = 1
"""zlib's fastest: the broker has one core, and text compresses well at any level."""

WINDOW_BITS_MAX: Final = 15
WINDOW_BITS_MIN: Final = 9
"""zlib can't keep to the smallest window of RFC 7692, 8 bits."""

_END: Final = b"\x00\x00\xff\xff"
"""What every compressed message ends with, and is sent without (RFC 7692, 7.2.1)."""

_WITHOUT_VALUE: Final = frozenset({"server_no_context_takeover", "client_no_context_takeover"})
_WITH_VALUE: Final = frozenset({"server_max_window_bits", "client_max_window_bits"})


def negotiate(offers: Sequence[str]) -> tuple[str, int] | None:
    """(the answer, window bits for what is sent) for the first acceptable offer of Sec-WebSocket-Extensions; else None.

    An offer with a parameter that isn't known, or twice, or with a wrong value is passed over (RFC 7692, 7.1).
    """
    for offer in offers:
        name, *parameters = (part.strip() for part in offer.split(";"))
        if name.lower() == NAME:
            bits = _window_bits(parameters)
            if bits is not None:
                limit = f"; server_max_window_bits={bits}" if bits < WINDOW_BITS_MAX else ""
                return f"{NAME}; server_no_context_takeover; client_no_context_takeover{limit}", bits
    return None


def _window_bits(parameters: Sequence[str]) -> int | None:
    """For what the server sends; None when the offer can't be accepted."""
    found = WINDOW_BITS_MAX
    seen: set[str] = set()
    for parameter in parameters:
        name, equals, value = (part.strip() for part in parameter.partition("="))
        value = value.strip('"')
        if name in seen or name not in _WITHOUT_VALUE | _WITH_VALUE or (equals and name in _WITHOUT_VALUE):
            return None
        seen.add(name)
        if name in _WITHOUT_VALUE or (name == "client_max_window_bits" and not equals):
            continue
        if not value.isascii() or not value.isdigit() or not 8 <= int(value) <= WINDOW_BITS_MAX or value[0] == "0":
            return None
        if name == "server_max_window_bits":
            found = int(value)
    return found if found >= WINDOW_BITS_MIN else None


def deflate(chunks: Sequence[bytes], window_bits: int) -> bytes:
    """The payload of a compressed message."""
    compressor = zlib.compressobj(LEVEL, zlib.DEFLATED, -window_bits)
    parts = [compressor.compress(chunk) for chunk in chunks]
    parts.append(compressor.flush(zlib.Z_SYNC_FLUSH))
    return b"".join(parts)[: -len(_END)]


class Inflater(Extension):
    """Inflates what comes in, for wsproto.

    bytes_max: called at the start of each message, says how long it may become.  inflated_bytes: so far, of all
    messages, until the owner sets it back.
    """

    name = NAME

    def __init__(self, bytes_max: Callable[[], int]) -> None:
        self._bytes_max = bytes_max
        self._left = 0
        self._decompressor: zlib._Decompress | None = None
        self._is_data = False
        self.inflated_bytes = 0

    def enabled(self) -> bool:
        """It was negotiated, else there is none."""
        return True

    def offer(self) -> bool:
        """Servers don't offer."""
        return False

    def frame_inbound_header(
        self, proto: FrameDecoder | FrameProtocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        """The reserved bits that this frame may have set: the first one, in the first frame of a message."""
        self._is_data = not opcode.iscontrol()
        if not self._is_data or opcode is Opcode.CONTINUATION:
            return RsvBits(False, False, False)
        self._decompressor = zlib.decompressobj(-WINDOW_BITS_MAX) if rsv.rsv1 else None
        self._left = self._bytes_max()
        return RsvBits(True, False, False)

    def frame_inbound_payload_data(self, proto: FrameDecoder | FrameProtocol, data: bytes) -> bytes | CloseReason:
        """Part of a payload, inflated."""
        return self._inflate(data) if self._is_data and self._decompressor is not None else data

    def frame_inbound_complete(self, proto: FrameDecoder | FrameProtocol, fin: bool) -> bytes | CloseReason | None:
        """The end of a frame; at the end of a message, the rest of it."""
        if not self._is_data or self._decompressor is None or not fin:
            return None
        rest = self._inflate(_END)
        self._decompressor = None
        return rest

    def _inflate(self, data: bytes) -> bytes | CloseReason:
        """What follows a block that says it is the last one means nothing (RFC 7692, 7.2.3.4); zlib would keep it."""
        assert self._decompressor is not None
        if self._decompressor.eof:
            return b""
        try:
            inflated = self._decompressor.decompress(data, self._left + 1)
        except zlib.error:
            return CloseReason.INVALID_FRAME_PAYLOAD_DATA
        self._left -= len(inflated)
        self.inflated_bytes += len(inflated)
        return inflated if self._left >= 0 else CloseReason.MESSAGE_TOO_BIG
