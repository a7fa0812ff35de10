"""What the HTTP side answers: a file, a sentence for people, or the switch to WebSocket (RFC 9110)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from warren.core.frozen import frozen

if TYPE_CHECKING:
    from warren.adapters.websocket.page_files import PageFile

Headers = Sequence[tuple[str, str]]

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "manifest-src 'self'; connect-src 'self' ws: wss:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page runs its own files alone, may connect to any broker, and can't be put into another page."""

_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@frozen
class Response:
    """An answer; Date, Content-Length and Connection are added when it is sent."""

    status: int
    headers: Headers = ()
    body: bytes = b""

    @property
    def reason(self) -> str:
        """The words beside the status."""
        return HTTPStatus(self.status).phrase


def sentence(status: int, text: str, headers: Headers = ()) -> Response:
    """A refusal, in words that say what to do."""
    fixed = (("Content-Type", "text/plain; charset=utf-8"), ("X-Content-Type-Options", "nosniff"))
    return Response(status, (*fixed, *headers), f"{text}\n".encode())


def page_file(file: PageFile, if_none_match: str) -> Response:
    """A file, or 304 when the browser has it; it asks each time, so that an update of the broker is seen at once."""
    headers = [("ETag", file.etag), ("Cache-Control", "no-cache")]
    known = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    if file.etag in known or "*" in known:
        return Response(HTTPStatus.NOT_MODIFIED, headers)
    headers += [
        ("Content-Type", file.content_type),
        ("Content-Security-Policy", CONTENT_SECURITY_POLICY),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
    ]
    return Response(HTTPStatus.OK, headers, file.content)


def date(now_ms: int) -> str:
    """The value of Date (RFC 9110, 5.6.7)."""
    at = datetime.fromtimestamp(now_ms // 1000, UTC)
    return f"{_DAYS[at.weekday()]}, {at.day:02} {_MONTHS[at.month - 1]} {at:%Y %H:%M:%S} GMT"
