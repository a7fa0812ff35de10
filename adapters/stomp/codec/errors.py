"""What can be wrong with a frame, in STOMP's own terms: the short `message` and the body of an ERROR frame."""

from __future__ import annotations

from typing import Final

BAD_CONNECT: Final = "Bad CONNECT"
"""The message of every CONNECT that is refused (spec B.2)."""

QUOTED_MAX: Final = 80
"""Characters of a client's text that the text of an error repeats: enough to recognise it."""


def quoted(text: str) -> str:
    """The beginning of a client's text, for the text of an error."""
    return text[:QUOTED_MAX]


class StompError(Exception):
    """A frame that is refused; the session goes on unless `fatal`.

    message: a few words, the header `message` of the ERROR frame.  detail: its body, what was wrong and what to do.
    headers: further headers of the ERROR frame.  limit: the limit that it comes from, if any (core/limit_hits.py).
    """

    fatal = False
    limit = ""

    def __init__(
        self, message: str, detail: str, *, fatal: bool | None = None, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(f"{message}: {detail}")
        self.message = message
        self.detail = detail
        self.headers = headers or {}
        if fatal is not None:
            self.fatal = fatal


class LoginError(StompError):
    """A CONNECT of somebody who isn't let in, which is said late (adapters.session.admission)."""

    fatal = True

    def __init__(self, detail: str) -> None:
        super().__init__(BAD_CONNECT, detail)


class FramingError(StompError):
    """Bytes that are no frame: nothing that follows can be understood, so the connection is closed."""

    fatal = True

    def __init__(self, detail: str, *, receipt: str | None = None) -> None:
        super().__init__("Framing error", detail)
        self.receipt = receipt
