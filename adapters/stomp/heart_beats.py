"""How often each side wants to hear from the other: the header heart-beat (STOMP 1.2, "Heart-beating"; spec B.2).

What was agreed on with CONNECTED is kept by adapters.session.liveness.
"""

from __future__ import annotations

from typing import Final

from warren.adapters.stomp.codec.errors import BAD_CONNECT, StompError, quoted

DIGITS_MAX: Final = 10
"""An interval has no more digits: that would be more than three months."""


def negotiate(header: str) -> tuple[int, int]:
    """(receive, send) intervals in ms from the client's `cx,cy`, 0 for none; whole seconds, at least one if any.

    Raises StompError for anything but two numbers.
    """
    first, comma, second = (part.strip() for part in header.partition(","))
    if not comma or not all(
        part.isascii() and part.isdecimal() and len(part) <= DIGITS_MAX for part in (first, second)
    ):
        raise StompError(
            BAD_CONNECT,
            f"heart-beat is '{quoted(header)}'; it has to be two numbers of milliseconds, such as 10000,10000",
            fatal=True,
        )
    return _rounded(int(first)), _rounded(int(second))


def missed_heart_beats(interval_ms: int) -> StompError:
    """What a client is told that was silent for too long, should it be there after all."""
    return StompError(
        "missed heart-beats",
        f"nothing came for two intervals of {interval_ms} ms; send heart-beats as often as CONNECT says",
        fatal=True,
    )


def _rounded(milliseconds: int) -> int:
    return max(milliseconds // 1000, 1) * 1000 if milliseconds else 0
