"""What can be wrong with a frame, in STOMP's own terms: the short `message` and the body of an ERROR frame."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from warren.core.errors import BrokerError

BAD_CONNECT: Final = "Bad CONNECT"
"""The message of every CONNECT that is refused (spec B.2)."""

QUOTED_MAX: Final = 80
"""Characters of a client's text that the text of an error repeats: enough to recognise it."""


HINT: Final = "; "
"""Between a sentence and the hint behind it."""

_SENTENCE: Final = re.compile("(?:'[^']*'|[^';]|'|;(?! ))*")
"""A text of core's up to its hint; in quotation marks are names, which may hold anything."""


def quoted(text: str) -> str:
    """The beginning of a client's text, for the text of an error."""
    return text[:QUOTED_MAX]


class StompError(Exception):
    """A frame that is refused; the session goes on unless `fatal`.

    message: a few words, the header `message` of the ERROR frame.  detail: its body, what was wrong; RabbitMQ's
    sentence where it has one, as programs compare it.  hint: the body goes on with it, unless the operator doesn't
    want that (`stomp_bare_errors`): what to do.  headers: further headers of the ERROR frame.  limit: the limit that it
    comes from, if any (core/limit_hits.py).
    """

    fatal = False
    limit = ""

    def __init__(
        self,
        message: str,
        detail: str,
        hint: str = "",
        *,
        fatal: bool | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.message = message
        self.sentence = detail
        separator = " " if detail.endswith(".") else HINT
        self.detail = f"{detail}{separator}{hint}" if hint else detail
        super().__init__(f"{message}: {self.detail}")
        self.headers = headers or {}
        if fatal is not None:
            self.fatal = fatal


def of_broker(error: BrokerError) -> StompError:
    """What core refuses; its sentence ends where RabbitMQ's does, behind which a hint may follow."""
    found = _SENTENCE.match(error.text)
    told = StompError(error.name.lower(), error.reply_text, fatal=True)
    told.limit = error.limit
    if found is not None:
        told.sentence = f"{error.name} - {found[0]}"
    return told


class LoginError(StompError):
    """A CONNECT of somebody who isn't let in, which is said late (adapters.session.admission).

    user: who the client says it is.
    """

    fatal = True

    def __init__(self, user: str, detail: str, hint: str = "") -> None:
        super().__init__(BAD_CONNECT, detail, hint)
        self.user = user


class FramingError(StompError):
    """Bytes that are no frame: nothing that follows can be understood, so the connection is closed."""

    fatal = True

    def __init__(self, detail: str, *, receipt: str | None = None) -> None:
        super().__init__("Framing error", detail)
        self.receipt = receipt
