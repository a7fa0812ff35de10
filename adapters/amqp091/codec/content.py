"""A message whose content arrives frame by frame: method, content header, bodies (AMQP 0-9-1 4.2.6)."""

from __future__ import annotations

from struct import Struct
from typing import Final, Generic, TypeVar

from warren.adapters.amqp091.codec.constants import CLASS_BASIC, FRAME_HEADER
from warren.adapters.amqp091.codec.methods_wire import Method
from warren.core.errors import MalformedField, PreconditionFailed, UnexpectedFrame
from warren.core.limit_hits import limited
from warren.core.messages.properties import EMPTY, Properties

_unpack_header = Struct(">HHQ").unpack_from

_HEADER_FIXED_BYTES: Final = 12
"""Class u16, weight u16, body size u64; the property list follows."""

ContentMethod = TypeVar("ContentMethod", bound=Method)
"""The method that the content belongs to: a client's publish; a broker's delivery or return."""


class IncomingContent(Generic[ContentMethod]):
    """What has come of one message so far.

    body_bytes: how much of the body is there.
    frame: a publish's method frame without its end octet, which names it in the fast path's memory.
    """

    __slots__ = ("_chunks", "_has_header", "_missing", "body_bytes", "frame", "method", "properties")

    def __init__(self, method: ContentMethod, frame: bytes) -> None:
        self.method = method
        self.frame = frame
        self.properties: Properties = EMPTY
        self._has_header = False
        self._missing = 0
        self._chunks: list[bytes] = []
        self.body_bytes = 0

    @property
    def complete(self) -> bool:
        """True when header and the whole body are there."""
        return self._has_header and not self._missing

    def body(self) -> bytes:
        """The body, once complete."""
        return self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)

    def expected_text(self) -> str:
        """What should have come instead of the frame that did."""
        if self._has_header:
            return "expected content body, got non content body frame instead"
        return f"expected content header for class {CLASS_BASIC}, got non content header frame instead"

    def add(self, kind: int, payload: bytes, message_bytes_max: int) -> None:
        """Take a header or body frame's payload.

        Raises UnexpectedFrame (505) for the wrong one or more body than declared, PreconditionFailed (406) for a body
        larger than `message_bytes_max`, MalformedField (502) for a broken header.
        """
        if (kind == FRAME_HEADER) == self._has_header:
            raise UnexpectedFrame(self.expected_text())
        if kind == FRAME_HEADER:
            self._add_header(payload, message_bytes_max)
            return
        if len(payload) > self._missing:
            raise UnexpectedFrame(
                f"content body is larger than its header declared: {len(payload) - self._missing} octets too many"
            )
        if payload:
            self._missing -= len(payload)
            self.body_bytes += len(payload)
            self._chunks.append(payload)

    def _add_header(self, payload: bytes, message_bytes_max: int) -> None:
        if len(payload) < _HEADER_FIXED_BYTES:
            raise MalformedField("content header is too short")
        class_id, weight, size = _unpack_header(payload)
        if class_id != CLASS_BASIC:
            raise UnexpectedFrame(
                f"expected content header for class {CLASS_BASIC}, got one for class {class_id} instead"
            )
        if weight:
            # RabbitMQ takes such a frame for none of content.
            raise UnexpectedFrame(f"{self.expected_text()}; its weight is {weight}, must be 0")
        if size > message_bytes_max:
            text = f"message size {size} is larger than configured max size {message_bytes_max}"
            raise limited(PreconditionFailed(text), "max_message_bytes")
        self.properties = Properties.parse(payload[_HEADER_FIXED_BYTES:])
        self._has_header = True
        self._missing = size
