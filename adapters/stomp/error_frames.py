"""ERROR frames: headers and body (STOMP 1.2, "ERROR"; spec B.9)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warren.adapters.stomp.connecting import VERSIONS_TEXT

if TYPE_CHECKING:
    from warren.adapters.stomp.codec.errors import StompError
    from warren.adapters.stomp.codec.frames import Frame


def error_frame(
    error: StompError, frame: Frame | None, advice: str = "", *, bare: bool = False
) -> tuple[list[tuple[str, str]], bytes]:
    """The headers and the body that tell of `error`.

    frame: the one that is to blame, whose receipt the client may wait for.  advice: a line more, for people.  bare: the
    body is RabbitMQ's sentence alone.
    """
    receipt = frame.receipt if frame is not None else getattr(error, "receipt", None)
    headers = [("message", error.message), ("content-type", "text/plain"), ("version", VERSIONS_TEXT)]
    headers += error.headers.items()
    if receipt is not None:
        headers.append(("receipt-id", receipt))
    detail = error.sentence if bare else error.detail
    if advice:
        detail = f"{detail}\n{advice}"
    return headers, f"{detail}\n".encode("utf-8", "backslashreplace")
