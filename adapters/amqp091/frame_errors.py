"""What is said of a frame that can't be, as RabbitMQ says it (spec A.1): its type, its beginning, and what is wrong."""

from __future__ import annotations

from typing import Final

from warren.core.errors import FrameError, UnexpectedFrame
from warren.core.messages.field_names import octets_term

SNIPPET_BYTES: Final = 16
"""So much of the payload is shown, as by RabbitMQ."""


def frame_error(kind: int, payload: bytes, wrong: str, hint: str) -> FrameError:
    """501: `wrong` is RabbitMQ's term for it."""
    return FrameError(f"type {kind}, {_snippet(payload)}: {wrong}; {hint}")


def unexpected_frame(kind: int, payload: bytes, hint: str) -> UnexpectedFrame:
    """505: a frame that is well-formed and can't come here."""
    return UnexpectedFrame(f"type {kind}, {_snippet(payload)}; {hint}")


def _snippet(payload: bytes) -> str:
    shown = "all" if len(payload) <= SNIPPET_BYTES else f"first {SNIPPET_BYTES}"
    return f"{shown} octets = {octets_term(payload[:SNIPPET_BYTES])}"
